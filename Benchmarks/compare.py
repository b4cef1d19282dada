#!/usr/bin/env python3
"""Holds vidx against hnswlib and faiss on one machine: the same vectors, one search thread, alternating runs.

Each engine is a process of its own that answers all queries in one call; the engines take turns at each setting, so
that a drift of the machine's speed meets all of them. Prints, for each setting, the median over the rounds of queries
a second, recall@k (ties by distance are hits), and the median of the ratio of the runs of one round.

    compare.py --data DIR [hnsw] [ivfflat] [flat]

DIR holds base.npy, queries.npy; the true neighbours are computed by brute force and kept in --cache.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


class Engine:
    """One worker process."""

    def __init__(self, name, command, cpu):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.cpu = cpu

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended without an answer to: {line}")
        answer = json.loads(answer)
        if "error" in answer:
            raise SystemExit(f"{self.name}: {answer['error']}")
        return answer

    def pin(self, cpus):
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setaffinity(int(thread), cpus)

    def resident_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024

    def quit(self):
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        self.process.wait()


class Truth:
    """The true k-th distances, and recall against them."""

    def __init__(self, base, queries, k):
        self.base = base / np.linalg.norm(base, axis=1, keepdims=True)
        self.queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        self.kth = np.empty(len(queries))
        for start in range(0, len(queries), 100):
            similarity = self.queries[start : start + 100] @ self.base.T
            self.kth[start : start + 100] = -np.partition(-similarity, k - 1, axis=1)[:, k - 1]
        self.k = k

    def recall(self, ids):
        found = 0
        for query, row in enumerate(ids):
            row = np.unique(row[row >= 0])
            similarity = self.base[row] @ self.queries[query]
            found += min(self.k, int(np.sum(similarity >= self.kth[query] - 1e-6)))
        return found / (len(ids) * self.k)


def sweep(engines, settings, truth, rounds, k):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for setting in settings:
            seconds = {engine.name: [] for engine in engines}
            recall, work = {}, {}
            for round_number in range(rounds + 1):
                for engine in engines if round_number % 2 else engines[::-1]:
                    out = os.path.join(folder, engine.name)
                    answer = engine.ask(f"search k={k} {setting}" + (f" out={out}" if round_number == 0 else ""))
                    if round_number == 0:  # warms up, and says what was found
                        recall[engine.name] = truth.recall(np.fromfile(out, dtype=np.int64).reshape(-1, k))
                        work[engine.name] = answer.get("distances_per_query")
                    else:
                        seconds[engine.name].append(answer["seconds"] / answer["queries"])
            for engine in engines:
                ratios = [peer / own for peer, own in zip(seconds[engine.name], seconds["vidx"])]
                rows.append(
                    {
                        "setting": setting,
                        "engine": engine.name,
                        "recall": round(recall[engine.name], 4),
                        "qps": round(1 / statistics.median(seconds[engine.name])),
                        "vidx_is_faster_by": round(statistics.median(ratios), 2),
                        "distances_per_query": work[engine.name],
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=["hnsw", "ivfflat", "flat"])
    parser.add_argument("--data", required=True, help="folder with base.npy and queries.npy")
    parser.add_argument("--worker", default=".build/release/VidxBenchmarks")
    parser.add_argument("--peers", default="hnswlib,faiss")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--lists", type=int, default=0, help="IVFFlat: lists (0: rows / 1000)")
    parser.add_argument("--build-rounds", type=int, default=1)
    options = parser.parse_args()

    base_path, query_path = (os.path.join(options.data, name) for name in ("base.npy", "queries.npy"))
    base = np.load(base_path).astype(np.float32)
    truth = Truth(base, np.load(query_path).astype(np.float32), options.k)
    lists = options.lists or max(1, len(base) // 1000)
    settings = {
        "hnsw": [f"ef={ef}" for ef in (10, 20, 40, 80, 120, 200, 400)],
        "ivfflat": [f"probes={probes} batch=0" for probes in (1, 2, 5, 10, 20, 40) if probes <= lists],
        "flat": ["exact=1 batch=0"],
    }
    for kind in options.kinds:
        peers = [peer for peer in options.peers.split(",") if kind == "hnsw" or peer == "faiss"]
        engines = [Engine("vidx", [options.worker], 0)]
        engines += [Engine(peer, [sys.executable, os.path.join(HERE, "peer_worker.py"), peer], 0) for peer in peers]
        for engine in engines:
            engine.ask(f"load {base_path} {query_path}")
        builds = {engine.name: [] for engine in engines}
        for _ in range(options.build_rounds):
            for engine in engines:
                answer = engine.ask(f"build {kind} m=16 efc=200 lists={lists} threads=2")
                builds[engine.name].append(answer["seconds"])
        for engine in engines:
            median = statistics.median(builds[engine.name])
            print(
                json.dumps(
                    {
                        "kind": kind,
                        "engine": engine.name,
                        "build_seconds": round(median, 2),
                        "vidx_takes": round(statistics.median(builds["vidx"]) / median, 2),
                        "resident_mb": round(engine.resident_mb()),
                    }
                ),
                flush=True,
            )
            engine.pin({0})
        if kind == "flat":
            print(json.dumps(engines[0].ask("bandwidth")), flush=True)
        sweep(engines, settings[kind], truth, options.rounds, options.k)
        for engine in engines:
            engine.quit()


if __name__ == "__main__":
    main()
