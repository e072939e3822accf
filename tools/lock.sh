#!/bin/sh
# Resolves the requirements again. The lock files hold versions and hashes and name no index.
set -eu
cd "$(dirname "$0")/../requirements"
for name in product observatory develop scale; do
    ../.venv/bin/pip-compile -q --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o "$name.lock" "$name.in"
done
