#!/usr/bin/env bash
# Compares vidx with hnswlib and faiss on this machine; arguments go to Benchmarks/compare.py.
# The data: VIDX_BENCH_DATA (a folder with base.npy and queries.npy), else ../shared/data/sgd where that is, else the
# demo's packages.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -e .venv/installed ] || [ Benchmarks/requirements.txt -nt .venv/installed ]; then
  echo "installing the peers into .venv"
  /usr/bin/env python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --requirement Benchmarks/requirements.txt
  touch .venv/installed
fi

data=${VIDX_BENCH_DATA:-}
if [ -z "$data" ]; then
  data=../shared/data/sgd
  if [ ! -d "$data" ]; then
    data=.build/bench-data
    mkdir -p "$data"
    ln -sf "$PWD/datasets/debian-packages/packages.npy" "$data/base.npy"
    ln -sf "$PWD/datasets/debian-packages/queries.npy" "$data/queries.npy"
  fi
fi
echo "commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), data $data"
.venv/bin/python Benchmarks/compare.py --data "$data" "$@"

echo "whole processes"
database=.build/bench.db
rm -rf "$database" "$database-vidx"
.build/release/vidx build "$database" --index bench --vectors "$data/base.npy" --ef-construction 200
.venv/bin/python Benchmarks/startup.py "$database" bench "$data/queries.npy"

# Writes want rows to add to others: more than the demo has.
if [ "$(stat -L -c %s "$data/base.npy")" -gt 20000000 ]; then
  echo "writes"
  printf 'load %s %s\nwrites\nquit\n' "$data/base.npy" "$data/queries.npy" | .build/release/VidxBenchmarks
fi
