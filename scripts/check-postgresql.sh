#!/usr/bin/env bash
# Tests/PostgreSQLTests: the queries of docs/POSTGRESQL.md on a live PostgreSQL with pgvector and on the vidx of
# `make build`. PostgreSQL comes from PyPI, in the version that Benchmarks/requirements.txt names, into .build/pgvector;
# where it cannot be had, it says so and succeeds, but fails in CI (CI=true), which must not pass for want of a peer.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=$PWD/.build/pgvector
python=/usr/bin/python3 # loads SQLite extensions, which not every Python does
[ "$(uname)" = Darwin ] && python=python3

skip() {
  if [ "${CI:-}" = true ]; then
    echo "check-postgresql: FAILED: $1" >&2
    exit 1
  fi
  echo "check-postgresql: SKIPPED: $1"
  exit 0
}
"$python" -c 'import numpy, sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)' 2>/dev/null ||
  skip "no Python with NumPy that loads SQLite extensions; scripts/install-packages.sh test installs one"

wanted=()
while read -r line; do wanted+=("$line"); done < <(sed -n '/^# pgvector/,/^$/p' Benchmarks/requirements.txt | grep ==)
[ ${#wanted[@]} -gt 0 ] || { echo "check-postgresql: requirements.txt names nothing for pgvector" >&2; exit 1; }
if [ "$(cat "$packages/installed" 2>/dev/null)" != "${wanted[*]}" ]; then
  rm -rf "$packages"
  "$python" -m pip install --quiet --no-input --disable-pip-version-check --root-user-action=ignore \
    --only-binary :all: --target "$packages" "${wanted[@]}" || skip "pip could not install ${wanted[*]}"
  echo "${wanted[*]}" >"$packages/installed"
fi
PYTHONPATH=$packages exec "$python" -m unittest discover --quiet --start-directory Tests/PostgreSQLTests
