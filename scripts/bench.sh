#!/usr/bin/env bash
# Installs the peers into .venv and measures everything on this machine; results, tables and the report go to
# .build/bench. Arguments go to Benchmarks/run.py: --quick, --engines vidx,hnswlib, --data NAME (default: the
# conversation turns in 384 and 1536 dimensions where they are, else the demo's packages). --help lists them.
# --filters, first, measures filtered searches instead: Benchmarks/filters.py, whose options follow (--filters --help).
set -euo pipefail
cd "$(dirname "$0")/.."

options=Benchmarks/run_options.py
if [[ ${1:-} == --filters ]]; then
  shift
  options=Benchmarks/filter_options.py
fi
# An option that is none fails here, before anything is installed.
for argument in "$@"; do
  case $argument in -h | --help) exec /usr/bin/env python3 $options --help ;; esac
done
/usr/bin/env python3 $options "$@"

/usr/bin/env python3 Benchmarks/peers.py
python=.venv/bin/python
results=.build/bench
mkdir -p "$results"

if [[ $options == *filter* ]]; then
  if [[ " $* " == *" --data"* ]]; then
    $python Benchmarks/filters.py "$@"
  else
    for data in $($python Benchmarks/datasets.py --available); do
      $python Benchmarks/filters.py --data "$data" "$@"
    done
  fi
  $python Benchmarks/filter_tables.py "$results"/filters-*.jsonl > "$results/filters.md"
  echo "tables in $results/filters.md"
  exit
fi

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
