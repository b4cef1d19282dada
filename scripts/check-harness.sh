#!/usr/bin/env bash
# The tests of Benchmarks/, with the first Python that has NumPy, and its report in a browser where there is one. Takes
# seconds and needs no peer.
set -euo pipefail
cd "$(dirname "$0")/.."

for python in python3 /usr/bin/python3 .venv/bin/python; do
  if "$python" -c 'import numpy' 2>/dev/null; then
    "$python" -m unittest discover --quiet --start-directory Benchmarks/tests --top-level-directory Benchmarks
    exec "$python" Benchmarks/check_report.py
  fi
done
echo "check-harness: no Python with NumPy; scripts/install-packages.sh test installs python3-numpy" >&2
exit 1
