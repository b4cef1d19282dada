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
exec .venv/bin/python Benchmarks/compare.py --data "$data" "$@"
