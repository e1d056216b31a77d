#!/bin/sh
# Draw docs/report.png: the report of a real postcopy live patch, as Chromium shows it.
# usage: report.sh LAB [QHOP] (needs `make lab`, and `chromium` on PATH)
set -eu
lab=$(realpath "$1") qhop=$(realpath "${2:-target/debug/qhop}") place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cat >"$place/patch.rhai" <<'RECIPE'
//! Move a running guest into a newer QEMU, while it runs.
let vm = launch(#{ name: "web1", qemu: param("from", "the QEMU that it runs in"), guest: "heartbeat", args: "-m 512" });
let to = param("to", "the QEMU to move to");
// Slowly, or all of it is there before the switch.
let slow = #{ "max-bandwidth": 48.MiB };
let outcome = live_patch(vm, #{ qemu: to, name: "web1-new", mode: "postcopy", parameters: slow });
outcome.target.check_memory();
print(`on ${outcome.target.version} after a blackout of ${outcome.blackout_ms} ms, memory intact`);
RECIPE
(
    cd "$place"
    "$qhop" run patch.rhai --report report.html --no-record \
        --from "$lab/bin/qemu-7.2-system-x86_64" --to "$lab/bin/qemu-10.0-system-x86_64"
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1120,1200 \
        --screenshot="$place/report.png" "file://$place/report.html" 2>/dev/null
)
cp "$place/report.png" docs/report.png
