#!/bin/sh
# The gates. Each prints only what is wrong; all run, so that one run shows everything.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=0
gate() { name=$1; shift; if "$@"; then echo "ok    $name"; else echo "FAIL  $name"; failed=1; fi; }
gate "format" $bin/ruff format --quiet --check .
gate "lint" $bin/ruff check --quiet .
gate "types" $bin/mypy --no-error-summary
gate "import contracts" sh -c "$bin/lint-imports >.venv/imports.log 2>&1 || { cat .venv/imports.log; false; }"
gate "documentation" $bin/sphinx-build -q -W -E -b html docs .venv/docs
gate "translations" $bin/python -m tools.words --check
gate "page of rules" $bin/python -m tools.rules --check
gate "house rules" $bin/python -m tools.house
exit $failed
