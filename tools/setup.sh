#!/bin/sh
# Makes .venv from a lock file: versions and hashes, no index named. Needs python3 (3.11 or later); as root on Debian a
# missing venv module is installed, otherwise the one line that does it is printed.
#
#   sh tools/setup.sh product    what it takes to run Rozaneh and its lab (.venv/.ready-to-run)
#   sh tools/setup.sh develop    and the observatory, the gates and the tests (.venv/.ready)
#
# make calls it whenever the lock file, pyproject.toml or this script is newer than the stamp, and whenever the folder has
# moved: the programs of an environment hold its path.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
what=${1:-product}
lock=requirements/$what.lock
case $what in
product) stamp=.venv/.ready-to-run long="(half a minute, once)" ;;
develop) stamp=.venv/.ready long="(a minute or two, once)" ;;
*) echo "usage: sh tools/setup.sh product|develop" >&2; exit 2 ;;
esac

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "Rozaneh needs Python 3.11 or later; '$python' is not. Try: make PYTHON=/path/to/python3.11 ..." >&2
    exit 1
}
# Two runs at once take turns; the second finds the work done.
if [ -z "${ROZANEH_SETUP_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
    ROZANEH_SETUP_LOCKED=1 exec flock requirements/product.lock sh tools/setup.sh "$what"
fi

if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing python3-venv, which Debian keeps apart from python3 ..."
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; } >/dev/null
    else
        echo "python3-venv is missing. Run this once, as root:  apt-get install -y python3-venv" >&2
        exit 1
    fi
fi

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(pwd -P)" ] && [ "$stamp" -nt "$lock" ] &&
    [ "$stamp" -nt pyproject.toml ] && [ "$stamp" -nt tools/setup.sh ] &&
    { [ "$what" = product ] || [ "$stamp" -nt .venv/.ready-to-run ]; }; then
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
step() {
    said=$1
    shift
    echo "$said ..."
    "$@" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "setting up failed at: $said. 'make clean' begins anew." >&2
        exit 1
    }
}
if ! .venv/bin/python -c 'import pip' 2>/dev/null || ! grep -qs "$(pwd -P)" .venv/bin/pip; then
    step "making .venv" "$python" -m venv --clear .venv
fi
step "installing what $lock lists into .venv $long" \
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes -r "$lock"
step "installing rozaneh itself" \
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
pwd -P >"$stamp"
