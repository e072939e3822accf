#!/bin/sh
# Makes .venv from the lock file: versions and hashes, no index named. Needs python3 (3.11 or later); as root on Debian a
# missing venv module is installed, otherwise the one line that does it is printed.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "Rozaneh needs Python 3.11 or later; '$python' is not. Try: make PYTHON=/path/to/python3.11 ..." >&2
    exit 1
}
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing python3-venv, which Debian keeps apart from python3 ..."
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    else
        echo "python3-venv is missing. Run this once, as root:  apt-get install -y python3-venv" >&2
        exit 1
    fi
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "setting up .venv from requirements/develop.lock ..."
.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/develop.lock
.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
touch .venv/.ready
