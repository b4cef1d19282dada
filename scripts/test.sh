#!/usr/bin/env bash
# All tests: the harness, beside a live PostgreSQL, of crashes, and those in Swift.
#
#   scripts/test.sh FLAG...    of the Swift build
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/check-harness.sh
scripts/check-postgresql.sh

# The tests of crashes take one processor, and much of the time none: the others are built meanwhile, behind them.
mkdir -p .build
scripts/check-reliability.sh >.build/reliability.txt 2>&1 &
crashes=$!
failed=
if [ -t 1 ]; then quiet=(); else quiet=(--quiet); fi
nice swift build "${quiet[@]}" --build-tests "$@" || failed=building
wait $crashes || failed=check-reliability
cat .build/reliability.txt
[ -z "$failed" ] || { echo "test: failed: $failed" >&2; exit 1; }

# The library that ships is tested, not the one built beside the tests.
VIDX_EXTENSION=$PWD/.build/release/libvidx.so exec swift test --skip-build --disable-xctest "$@"
