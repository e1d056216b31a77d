# shellcheck shell=sh
# Debian packages, unpacked into a folder of the lab: on Debian and Ubuntu, by any user, and
# without touching what is installed. Sourced by the scripts beside it.

export LC_ALL=C # apt's words are read.

say() { echo "lab: $*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# Hold the folder $lab, alone; $scratch in it goes when the script ends.
enter_lab() {
    for tool in apt-get dpkg flock; do
        command -v $tool >/dev/null ||
            fail "no \`$tool\` here: the lab is made of Debian packages, on Debian or Ubuntu"
    done
    mkdir -p "$lab"
    lab=$(cd "$lab" && pwd -P)
    exec 9>"$lab/.lock"
    flock -n 9 || {
        say "waiting for another set-up of $lab"
        flock 9
    }
    scratch=$lab/.scratch
    rm -rf "$scratch"
    mkdir -m 700 "$scratch"
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# Give apt its own state, in which nothing is installed (a download then brings all that a
# package needs), and of the host's configuration only how to reach a mirror.
configure_apt() {
    architecture=$1 apt=$scratch/apt
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/none/partial" "$apt/keys"
    : >"$apt/status"
    {
        apt-config dump | sed -n '/^Acquire::IndexTargets/d; /^Acquire::/p'
        cat <<EOF
Acquire::Languages "none";
APT::Architecture "$architecture";
APT::Architectures "$architecture";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Dir::Cache "$apt";
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$apt";
Dir::State::Status "$apt/status";
EOF
    } >"$apt/conf"
    export APT_CONFIG="$apt/conf"
    find_mirror
    cat >>"$apt/conf" <<EOF
Acquire::Check-Valid-Until "false"; // An archived suite is as good.
APT::Get::List-Cleanup "false";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::TrustedParts "$apt/keys";
EOF
    cp "$keyring" "$apt/keys/"
}

# Set $mirror and $keyring: the host's, if it runs Debian. What another host lacks, packages
# of its own archive know: Debian's keys, and the mirror that debootstrap would take.
find_mirror() {
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    # Only the distribution itself has a suite `…-updates`; a vendor's `…/debian` has not.
    mirror=${QHOP_DEBIAN_MIRROR:-$(apt-get update --print-uris 2>/dev/null |
        sed -n "s|^'\(.*/debian[.a-z]*\)/*/dists/[a-z]*-updates/InRelease'.*|\1|p" | head -n 1)}
    [ -z "$mirror" ] || [ ! -f $keyring ] || return 0

    say "looking up Debian's keys and mirror"
    host=$scratch/host
    mkdir "$host"
    (apt-get -qq update && cd "$host" && apt-get -qq download debian-archive-keyring debootstrap) </dev/null ||
        fail "cannot download \`debian-archive-keyring\` and \`debootstrap\` (apt says why above): install" \
            "the former, and set QHOP_DEBIAN_MIRROR to a mirror of Debian"
    for package in "$host"/*.deb; do
        dpkg -x "$package" "$host"
    done
    [ -f $keyring ] || keyring=$host$keyring
    mirror=${mirror:-$(sed -n 's|.*"\(http:[^"]*/debian\)/*".*|\1|p' "$host/usr/sbin/debootstrap" | head -n 1)}
    [ -n "$mirror" ] || fail "no mirror of Debian found: set QHOP_DEBIAN_MIRROR to one"
}

# use_suite SUITE: let apt know this suite and, for backports, the one below it.
use_suite() {
    for name in "$1" "${1%-backports}"; do
        echo "deb $mirror $name main"
    done | sort -u >"$apt/sources.list"
    apt-get -qq update </dev/null
}

# unpack FOLDER PACKAGE…: unpack these packages alone.
unpack() {
    folder=$1
    shift
    (cd "$apt/archives" && apt-get -qq download "$@" </dev/null) || return
    for package in "$apt"/archives/*.deb; do
        dpkg -x "$package" "$folder" || return
    done
}

# unpack_closure FOLDER SUITE PACKAGE…: unpack these packages and all that they depend on.
unpack_closure() {
    folder=$1 suite=$2
    shift 2
    closure=$(apt-get -qq -y -t "$suite" -o Dir::Cache::Archives="$apt/none" --print-uris install "$@" |
        cut -d ' ' -f 2) || return
    apt-get -qq -y -t "$suite" --download-only install "$@" </dev/null >/dev/null || return
    for package in $closure; do
        dpkg -x "$apt/archives/$package" "$folder" || return
    done
}
