#!/usr/bin/env python3
"""What the planner's choice costs in single queries: the time of each under a filter whose rows are known, by the
planner and by each fixed plan, at the same `target_recall`.

    regret.py [--data NAME] [-k 10,100] [--target 0.95,0.99] [--cells "near,10 %"] [--queries 200]

A query's time is the least of `--rounds`, in which the plans change places, so that none always finds in the caches
what another has left there. Regret is the planner's time over that of the best fixed plan that reaches the recall in
the cell: of the means, and of single queries, for which the best may be another one each time. Results go to
.build/bench/<data>-regret.jsonl.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import time

import numpy as np
import vidx

import datasets
import filter_data
from engines.filter import Columns
from filter_options import CELLS
from results import FOLDER, ROOT, Writer

PLANS = ("planner", "exact", "graph", "lists")


def database(data):
    """-> a database with the rows that filters are about and an HNSW index, the labels that rows have, of queries."""
    of_rows, conversations, of_queries = filter_data.labels(data)
    folder = os.path.join(FOLDER, "scratch", f"regret-{data.name.replace(':', '-')}")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "rows.db")
    done = os.path.join(folder, "done")
    if not os.path.exists(done) or os.path.getmtime(done) < os.path.getmtime(vidx.library_path):
        for name in os.listdir(folder):
            subprocess.run(["rm", "-rf", os.path.join(folder, name)], check=True)
        filter_data.make_columns(of_rows, conversations).save(path + ".npz")
        metric = "cosine" if data.shape.metric == "cosine" else "l2"
        options = json.dumps({"metric": metric, "index": "hnsw", "m": 16, "ef_construction": 200})
        script = os.path.join(ROOT, "Benchmarks", "engines", "vidx_rows.py")
        subprocess.run([sys.executable, script, vidx.library_path, path, data.base_path, path + ".npz", options],
                       check=True)
        open(done, "w").close()
    return path, np.unique(Columns.load(path + ".npz").label), of_queries


def of_filter(condition):
    """The condition and its values. A join asks for the ids of its rows."""
    where, values = condition.predicate()
    return (f"items.id IN ({condition.joined()[0]})" if condition.join else where), values


def asked(index, query, k, target, plan, where, values):
    settings = {} if plan == "planner" else {"plan": plan}
    if plan != "exact":
        settings["target_recall"] = target
    begin = time.perf_counter()
    found = index.search(query, k, where=where, parameters=values, **settings)
    return time.perf_counter() - begin, np.asarray(found[1])


def measure(index, queries, conditions, k, target, rounds):
    """-> for each plan and query the seconds and the recall, and how often the planner chose what."""
    seconds = np.full((len(PLANS), len(queries)), np.inf)
    recall = np.ones((len(PLANS), len(queries)))
    chosen = collections.Counter()
    for i, (query, condition) in enumerate(zip(queries, conditions)):
        where, values = of_filter(condition)
        distances = [None] * len(PLANS)
        # The first round has the rows of the filter read and kept.
        for number in range(rounds + 1):
            for j in np.roll(np.arange(len(PLANS)), number):
                taken, distances[j] = asked(index, query, k, target, PLANS[j], where, values)
                if number:
                    seconds[j, i] = min(seconds[j, i], taken)
                if number == rounds and j == 0:
                    chosen[index.last_search()["plan"]] += 1
        nearest = distances[PLANS.index("exact")]
        if len(nearest):
            recall[:, i] = [(one <= nearest[-1] + 1e-6).sum() / len(nearest) for one in distances]
    return seconds, recall, chosen


def report(data, cell, k, target, seconds, recall, chosen, writer):
    reach = [j for j in range(1, len(PLANS)) if recall[j].mean() >= target - 1e-9]
    fields = {"cell": cell, "k": k, "target": target, "queries": seconds.shape[1], "chosen": dict(chosen)}
    for j, plan in enumerate(PLANS):
        fields[plan] = {"us": round(seconds[j].mean() * 1e6, 1), "recall": round(float(recall[j].mean()), 4)}
    best = seconds[reach].min(0)
    single = seconds[0] / best
    fields["of_means"] = round(float(seconds[0].mean() / min(seconds[j].mean() for j in reach)), 2)
    fields["of_single"] = {name: round(float(value), 2) for name, value in (
        ("median", np.median(single)), ("p99", np.percentile(single, 99)), ("max", single.max()))}
    writer.write("regret", **fields)
    print(f"{data.name}, {cell}, k = {k}, {target}: "
          + ", ".join(f"{plan} {fields[plan]['us']} us ({fields[plan]['recall']:.3f})" for plan in PLANS)
          + f"; regret of means {fields['of_means']}, of single queries " + ", ".join(
              f"{name} {value}" for name, value in fields["of_single"].items()) + f"; {dict(chosen)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=datasets.available()[0])
    parser.add_argument("-k", default="10,100")
    parser.add_argument("--target", default="0.95,0.99")
    parser.add_argument("--cells", default=",".join(cell for cell in CELLS if cell != "0.01 %"))
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=len(PLANS) + 1)
    arguments = parser.parse_args()
    data = datasets.prepare(arguments.data)
    path, present, of_queries = database(data)
    writer = Writer(os.path.join(FOLDER, f"{data.name.replace(':', '-')}-regret.jsonl"))
    index = vidx.open(path, snapshot=True)
    queries = data.queries()[:arguments.queries]
    for k in map(int, arguments.k.split(",")):
        for target in map(float, arguments.target.split(",")):
            for cell in arguments.cells.split(","):
                conditions = filter_data.filters(cell, of_queries[:len(queries)], present)
                measured = measure(index, queries, conditions, k, target, arguments.rounds)
                report(data, cell, k, target, *measured, writer)


if __name__ == "__main__":
    main()
