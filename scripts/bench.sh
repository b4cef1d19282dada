#!/usr/bin/env bash
# Installs the peers into .venv and measures everything on this machine; results, tables and the report go to
# .build/bench. Arguments go to Benchmarks/run.py: --quick, --engines vidx,hnswlib, --data NAME (default: the
# conversation turns in 384 and 1536 dimensions where they are, else the demo's packages). --help lists them.
set -euo pipefail
cd "$(dirname "$0")/.."

# An option that is none fails here, before anything is installed.
for argument in "$@"; do
  case $argument in -h | --help) exec /usr/bin/env python3 Benchmarks/run_options.py --help ;; esac
done
/usr/bin/env python3 Benchmarks/run_options.py "$@"

/usr/bin/env python3 Benchmarks/peers.py
python=.venv/bin/python
results=.build/bench
mkdir -p "$results"

measure() {
  $python Benchmarks/run.py --batches "$@"
  # The best once more, in one group: what the ratios in the tables are taken from.
  $python Benchmarks/run.py --finalists "$@"
}

if [[ " $* " == *" --data"* ]]; then
  measure "$@"
else
  for data in $($python Benchmarks/datasets.py --available); do measure --data "$data" "$@"; done
  echo "whole processes and writes"
  $python Benchmarks/startup.py
  echo "the targets of the specification"
  $python Benchmarks/spec_targets.py
fi

$python Benchmarks/tables.py "$results"/*.jsonl > "$results/tables.md"
$python Benchmarks/report.py "$results"/*.jsonl --html "$results/report.html"
echo "tables in $results/tables.md, report in $results/report.html"
