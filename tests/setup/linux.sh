#!/bin/sh
# Put a small Linux guest into a folder: Debian's cloud kernel, and busybox running linux-init.
#
#     linux.sh [LAB]
#
# LAB (default target/lab) gets linux/vmlinuz and linux/initramfs. To start the guest:
#
#     -m 256 -kernel LAB/linux/vmlinuz -initrd LAB/linux/initramfs
#     -append "console=ttyS0 quiet tsc=reliable busy"
#
# What it does and prints is described in linux-init.
set -eu
here=$(dirname "$0")
# shellcheck source=tests/setup/debian.sh
. "$here/debian.sh"

suite=bookworm
lab=${1:-target/lab}

# The initramfs was made of this very linux-init: its copy is written last.
installed() { cmp -s "$here/linux-init" "$lab/linux/init"; }

fetch() {
    say "installing a Linux guest, from Debian $suite"
    configure_apt amd64 # The guest's architecture, whatever the host's is.
    new=$scratch/linux
    mkdir "$new"
    use_suite $suite &&
        kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p') &&
        unpack "$scratch/packages" "$kernel" busybox-static &&
        mv "$scratch/packages/boot/vmlinuz-${kernel#linux-image-}" "$new/vmlinuz" &&
        mv "$scratch/packages/bin/busybox" "$new/" &&
        rm -rf "$lab/linux" &&
        mv "$new" "$lab/linux"
}

# Not compressed: it is small, and boots faster like that.
make_initramfs() {
    tree=$scratch/initramfs
    mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/memory"
    cp "$lab/linux/busybox" "$tree/bin/"
    cp "$here/linux-init" "$tree/init"
    chmod 755 "$tree/init"
    set -- "$lab/linux/busybox" cpio
    "$1" true 2>/dev/null || set -- cpio # The host may be of another architecture.
    (cd "$tree" && find . | "$@" -o -H newc) >"$scratch/image" ||
        fail "cannot make the initramfs: \`$*\` failed"
    mv "$scratch/image" "$lab/linux/initramfs"
    cp "$here/linux-init" "$lab/linux/init"
}

if ! installed; then
    enter_lab
    [ -f "$lab/linux/vmlinuz" ] || fetch ||
        fail "the Linux guest could not be installed from ${mirror}: what apt said is above;" \
            "QHOP_DEBIAN_MIRROR chooses another mirror of Debian"
    installed || make_initramfs
fi
say "Linux guest in $lab/linux"
