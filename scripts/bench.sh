#!/usr/bin/env bash
# Installs the peers into .venv and measures everything on this machine; results and tables go to
# .build/bench. Arguments go to Benchmarks/run.py: --quick, --engines vidx,hnswlib, --data NAME (default: the
# conversation turns in 384 and 1536 dimensions where they are, else the demo's packages).
set -euo pipefail
cd "$(dirname "$0")/.."

/usr/bin/env python3 Benchmarks/peers.py
python=.venv/bin/python
results=.build/bench
mkdir -p "$results"

data=()
if [[ " $* " != *" --data "* ]]; then
  mapfile -t data < <(cd Benchmarks && "../$python" -c 'import datasets; print(*datasets.available(), sep="\n")')
fi
if [ ${#data[@]} -eq 0 ]; then
  $python Benchmarks/run.py --batches "$@"
else
  for name in "${data[@]}"; do $python Benchmarks/run.py --batches --data "$name" "$@"; done
fi

echo "whole processes and writes"
$python Benchmarks/startup.py

$python Benchmarks/tables.py "$results"/*.jsonl > "$results/tables.md"
echo "tables in $results/tables.md"
