#!/usr/bin/env python3
"""How speed at recall 0.95 and build time grow with the number of vectors and with their dimension.

    scaling.py                                       10,000 to 1,000,000 vectors, 96 to 1536 dimensions
    scaling.py --rows 10000,100000 --dimensions ''   some of them

More or fewer vectors: resample.py. Other dimensions: the 1536-dimensional vectors (384 without them) projected onto so
many random orthonormal directions, which keeps distances about as they are, and brought to length 1 again.
"""

import argparse
import json
import os
import statistics

import datasets
import run
from pareto import rounds_at
from results import FOLDER, Writer

RECALL = 0.95


def numbers(text):
    return [int(word) for word in text.split(",") if word]


def measure(spec, axis, options):
    data = datasets.prepare(spec)
    writer = Writer(options.out, growth=True, axis=axis, **data.facts(), core=options.core)
    runner = run.Run(options, data, writer)
    contenders = [c for name in options.engines for c in runner.contenders(name)]
    runner.group(contenders, 0)
    for contender in contenders:
        points = [(point["recall"], point["qps"]) for point in contender.points if point["qps"]]
        if not points:
            continue
        found = rounds_at(points, RECALL)
        line = {
            **contender.facts(), "qps_at_095": found and statistics.median(found),
            "build_seconds": contender.build_seconds, "build_threads": options.threads}
        writer.write("scaling", **line)
        print(json.dumps({"data": data.name, **line}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wide = "sgd1536" in datasets.available()
    parser.add_argument("--rows", type=numbers, default=numbers("10000,30000,100000,300000,1000000"))
    widths = "96,192,384,768,1536" if wide else "48,96,192,384"
    parser.add_argument("--dimensions", type=numbers, default=numbers(widths))
    parser.add_argument("--out", default=os.path.join(FOLDER, "scaling.jsonl"))
    parser.add_argument("--engines", type=lambda text: text.split(","), default=["vidx", "hnswlib"])
    parser.add_argument("--only", default=r"^(vidx (HNSW|IVF) auto|hnswlib HNSW M=16)$")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    options = parser.parse_args()
    options.k, options.build_timeout = 10, 7200
    options.quick = options.batches = options.finalists = False
    options.reference = "hnswlib HNSW M=16"
    for rows in options.rows:
        measure(f"resampled:n={rows}", "rows", options)
    for dimensions in options.dimensions:
        measure(f"{'sgd1536' if wide else 'demo'}:dimensions={dimensions}", "dimensions", options)


if __name__ == "__main__":
    main()
