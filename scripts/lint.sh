#!/usr/bin/env bash
# Everything that can be judged without building; exit 1 when something is wrong. Goes through all of it.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=0
run() { "$@" || { echo "lint: failed: $*" >&2; failed=1; }; }

run swift format lint --strict --parallel --recursive Package.swift Sources Tests Benchmarks
run python3 scripts/check-sources.py --self
run python3 scripts/check-sources.py
run python3 scripts/generate-forwarders.py --check
for script in scripts/*.sh .ci/run; do run bash -n "$script"; done

if [ $failed -eq 0 ]; then echo "lint: nothing found"; fi
exit $failed
