#!/bin/sh
# Run the benchmarks: `run.sh [LAB [PART…]]`. What they compare with, qemu.qmp, goes into LAB (default target/lab).
set -eu
lab=$(cd "${1:-target/lab}" && pwd)
[ $# -eq 0 ] || shift
version=0.0.6
export QHOP_BENCH_LAB="$lab" QHOP_BENCH_PYTHON="$lab/qemu.qmp-$version/bin/python" QHOP_BENCH_PYTHON_VERSION=$version

installed() { "$QHOP_BENCH_PYTHON" -c 'import qemu.qmp' 2>/dev/null; }
if ! installed; then
    venv=$lab/qemu.qmp-$version
    rm -rf "$venv"
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" --quiet --disable-pip-version-check install "qemu.qmp==$version"; } >&2; then
        echo "bench: qemu.qmp $version cannot be installed: its column stays empty" >&2
        rm -rf "$venv"
    fi
fi

# Everything that a benchmark starts leaves its traces here, and goes with it, however it ends.
scratch=$(mktemp -d)
clean() {
    for file in "$scratch"/*.pid; do
        pid=$(cat "$file" 2>/dev/null) && kill "$pid" 2>/dev/null || :
    done
    rm -rf "$scratch"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
XDG_RUNTIME_DIR=$scratch XDG_STATE_HOME=$scratch/state cargo bench --quiet --bench bench -- "$@"
