#!/usr/bin/env bash
# Tests/ReliabilityTests: the database after power losses, failing calls and allocations, full disks and killed
# processes, on the vidx of `make build`. Needs a C compiler and a Python that loads SQLite extensions; Linux only.
#
#   scripts/check-reliability.sh [test_killed ...]
#     VIDX_ROUNDS, VIDX_STEPS, VIDX_POINTS, VIDX_EVERY, VIDX_SEEDS: longer, and others
#   scripts/check-reliability.sh --soak SECONDS [DIMENSIONS]
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname)" != Linux ]; then
  echo "check-reliability: SKIPPED: calls are recorded on Linux only"
  exit 0
fi
python=/usr/bin/python3 # loads SQLite extensions, which not every Python does
"$python" -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)' ||
  { echo "check-reliability: no Python that loads SQLite extensions; scripts/install-packages.sh test installs one" >&2
    exit 1; }

mkdir -p .build
gcc -shared -fPIC -O2 -Wall -Wextra -Werror Tests/ReliabilityTests/calls.c -o .build/calls.so -ldl -lpthread
gcc -shared -fPIC -O2 -Wall -Wextra -Werror Tests/ReliabilityTests/allocations.c -o .build/allocations.so -lsqlite3
export LD_PRELOAD=$PWD/.build/calls.so PYTHONPATH=$PWD/Tests/ReliabilityTests PYTHONDONTWRITEBYTECODE=1
if [ "${1:-}" = --soak ]; then exec "$python" Tests/ReliabilityTests/soak.py "${@:2}"; fi
if [ $# -gt 0 ]; then exec "$python" -m unittest "$@"; fi
exec "$python" -m unittest discover --quiet --start-directory Tests/ReliabilityTests
