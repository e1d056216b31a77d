#!/bin/sh
# Put QEMU programs of several versions side by side into a folder.
#
#     qemu.sh [--any] [LAB [FAMILY…]]
#
# LAB (default target/lab) gets bin/qemu-7.2-system-x86_64 and so on for each row of the
# table whose family (default x86) is asked for. With --any, one of them is enough.
# `new` is the newest that Debian has. A lab does without it where it cannot be had, since
# that suite is at times in disorder; and with --any, it is not asked for.
#
# Each is a symbolic link to Debian's program, made to find its loader, libraries, firmware
# and modules in its own tree: neither the host's libraries nor any -L or environment
# variable matters, and what runs is that program itself, not a script or a loader.
set -eu
here=$(dirname "$0")
# shellcheck source=tests/setup/debian.sh
. "$here/debian.sh"

# version, suite of Debian, family (package qemu-system-FAMILY), guest (program qemu-system-GUEST)
table='
7.2  bookworm           x86 x86_64
10.0 bookworm-backports x86 x86_64
7.2  bookworm           ppc ppc64
10.0 bookworm-backports ppc ppc64
new  sid                x86 x86_64
'

# installed VERSION GUEST: there, and it runs.
installed() {
    wanted=$1.
    [ "$1" != new ] || wanted=
    case $("$lab/bin/qemu-$1-system-$2" --version 2>/dev/null) in
    "QEMU emulator version $wanted"*) ;;
    *) return 1 ;;
    esac
}

# install VERSION SUITE FAMILY GUEST: unpack into a scratch folder, rename, link.
install() {
    say "installing QEMU $1 for $4 guests, from Debian $2"
    [ -n "${apt-}" ] || configure_apt "$(dpkg --print-architecture)"
    new=$scratch/qemu root=$lab/qemu-$1-$3 program=usr/bin/qemu-system-$4
    rm -rf "$new"
    use_suite "$2" &&
        unpack_closure "$new" "$2" "qemu-system-$3" ipxe-qemu patchelf &&
        relocate "$new" "$root" "$program" &&
        find "$new" -type f -perm /6000 -delete && # No set-user-id program is wanted here.
        rm -rf "$root" "$new"/usr/share/doc "$new"/usr/share/iso-codes "$new"/usr/share/locale &&
        mv "$new" "$root" &&
        mkdir -p "$lab/bin" &&
        ln -sfn "../qemu-$1-$3/$program" "$lab/bin/qemu-$1-system-$4" &&
        installed "$1" "$4"
}

# relocate TREE ROOT PROGRAM: let the program use nothing but its tree, once that is at ROOT.
relocate() {
    loader=$(cd "$1" && find -- * -name 'ld-linux*.so.*' -type f) || return
    triplet=$(basename "$(dirname "$loader")")
    # RPATH, not RUNPATH: it holds for the libraries of the libraries, too.
    "$1/$loader" --library-path "$1/lib/$triplet:$1/usr/lib/$triplet" "$1/usr/bin/patchelf" \
        --force-rpath --set-rpath "\$ORIGIN/../lib/$triplet:\$ORIGIN/../../lib/$triplet" \
        --set-interpreter "$2/$loader" "$1/$3" || return
    # QEMU looks for a path P of its build at qemu-bundle/P beside the program first.
    ln -s ../.. "$1/usr/bin/qemu-bundle"
}

any=false
[ "${1-}" != --any ] || { any=true && shift; }
lab=${1:-target/lab}
[ $# -eq 0 ] || shift
families=${*:-x86}

present='' absent=''
while read -r version suite family guest; do
    case " $families " in *" $family "*) ;; *) continue ;; esac
    if $any && [ "$version" = new ]; then continue; fi
    if ! installed "$version" "$guest"; then
        [ -n "${scratch-}" ] || enter_lab
        # Whoever held the lab until now may have installed it.
        installed "$version" "$guest" || install "$version" "$suite" "$family" "$guest" || {
            say "cannot install QEMU $version for $guest guests"
            [ "$version" != new ] || continue
            absent="${absent:+$absent, }$version ($guest)"
            continue
        }
    fi
    present="${present:+$present, }$version ($guest)"
done <<EOF
${table#?}
EOF

[ -n "$present$absent" ] || fail "no QEMU of the family \`$families\`: see the table in $0"
[ -z "$present" ] || say "QEMU $present in $lab/bin"
[ -z "$absent" ] || { $any && [ -n "$present" ]; } ||
    fail "QEMU $absent could not be installed from ${mirror}: what apt said is above;" \
        "QHOP_DEBIAN_MIRROR chooses another mirror of Debian"
