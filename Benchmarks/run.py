#!/usr/bin/env python3
"""Measures engines on one data set and appends raw results to a file of JSON lines.

    run.py --data sgd384                            every engine, every configuration
    run.py --data demo --quick --engines vidx,hnswlib,faiss --only HNSW

Every engine is a process of its own. Its index is built with --threads threads; then the process is pinned to one core
and answers one query a call. Engines take turns at each step of their sweeps, in --rounds rounds after one that counts
recall and warms up, so that a drift of the machine's speed meets all of them. When memory does not hold all engines at
once they run in groups, with the reference engine in each.
"""

import os
import re
import sys

import numpy as np

import datasets
import results
import run_options
import tables
from contender import Contender, described
from process import Failed
from results import FOLDER, Writer

# Settings slower than this are not measured again, and slow engines answer part of the queries only.
SLOWEST_QPS = 15
LONGEST_PASS = 15.0
FEWEST_QUERIES = 100


class Run:
    def __init__(self, options, data, writer):
        self.options, self.data, self.writer = options, data, writer
        self.truth = data.truth(options.k)
        self.scratch = os.path.join(FOLDER, "scratch")
        self.versions = {}

    def say(self, text):
        print(text, flush=True)

    def fail(self, failed, **facts):
        kind = "refused" if failed.refused else "failure"
        self.writer.write(kind, reason=str(failed)[:1000], **facts)
        self.say(f"  {facts.get('engine')} {facts.get('configuration', '')}: {kind}: {str(failed)[:300]}")

    def contenders(self, name):
        """The configurations of an engine; an engine whose library is not there is reported."""
        try:
            self.versions[name], found = described(name, self.scratch, self.data.shape)
        except Failed as failed:
            self.fail(failed, engine=name)
            return []
        if self.options.quick:
            found = [c for c in found if not c["slow"]]
            for configuration in found:
                configuration["sweep"] = configuration["sweep"][::2]
        reference = self.options.reference
        if self.options.only:
            found = [c for c in found if f"{name} {c['name']}" == reference or re.search(
                self.options.only, f"{name} {c['name']}")]
        if self.options.finalists:
            found = [c for c in found if f"{name} {c['name']}" in self.options.finalists]
        elif name not in self.options.engines:
            found = [c for c in found if f"{name} {c['name']}" == reference]
        return [Contender(name, configuration) for configuration in found]

    def build(self, contender):
        """-> whether it is ready for searches"""
        files = {"base": self.data.base_path, "queries": self.data.query_path}
        try:
            contender.build(self.scratch, files, self.data.shape, self.options)
        except Failed as failed:
            self.fail(failed, **contender.facts(), version=self.versions[contender.engine])
            return False
        self.say(f"  {contender.label}: built in {contender.build_seconds:.1f} s")
        return True

    def first_round(self, contender):
        """Recall of every setting, with a warm-up; settings that cannot matter are left out of the rounds."""
        ids = os.path.join(self.scratch, "ids.npy")
        reached = {}
        for setting in contender.configuration["sweep"]:
            # With the other parameters the same, all that is slower than a perfect answer is superfluous.
            rest = tuple(sorted(setting.items()))[1:]
            if reached.get(rest, 0) >= 0.9995:
                continue
            try:
                probe = contender.process.ask("search", setting=setting, k=self.options.k, at_most=10)
                at_most = None
                if (pace := probe["seconds"] / probe["calls"]) * len(self.truth.queries) > LONGEST_PASS:
                    at_most = max(FEWEST_QUERIES, int(LONGEST_PASS / pace))
                answer = contender.process.ask("search", setting=setting, k=self.options.k, ids=ids, at_most=at_most)
            except Failed as failed:
                self.fail(failed, **contender.facts(), version=self.versions[contender.engine], setting=setting)
                if contender.process.process.poll() is not None:
                    break
                continue
            recall = self.truth.recall(np.load(ids))
            reached[rest] = max(reached.get(rest, 0), recall)
            contender.points.append({
                "setting": setting, "recall": recall, "answered": answer["calls"], "at_most": at_most,
                # Of the median call: others' work on the machine should not decide what is left out.
                "first_qps": 1e6 / answer["p50_us"], "qps": [], "cpu_qps": [],
                "p50_us": [], "p95_us": [], "p99_us": []})
            if contender.points[-1]["first_qps"] < SLOWEST_QPS:
                break
        self.prune(contender)

    @staticmethod
    def prune(contender):
        """Drops settings that another beats by far in both: sweeps over two parameters have many of those."""
        points = contender.points
        contender.points = [
            p for p in points
            if not any(q["recall"] >= p["recall"] and q["first_qps"] > 1.3 * p["first_qps"] for q in points)]
        contender.points.sort(key=lambda p: (p["recall"], -p["first_qps"]))

    def measure(self, contender, point):
        if contender.process is None:
            return
        try:
            answer = contender.process.ask(
                "search", setting=point["setting"], k=self.options.k, at_most=point["at_most"],
                seconds=self.options.seconds, at_least=50)
        except Failed as failed:
            self.fail(failed, **contender.facts(), setting=point["setting"])
            contender.process.quit()
            contender.process = None
            return
        point["qps"].append(answer["calls"] / answer["seconds"])
        point["cpu_qps"].append(answer["calls"] / max(answer["cpu_seconds"], 1e-9))
        for name in ("p50_us", "p95_us", "p99_us"):
            point[name].append(answer[name])

    def rounds(self, group):
        """All take turns at each step; the sweeps are stretched over each other by recall."""
        steps = []
        for contender in group:
            count = len(contender.points)
            steps += [((i + 0.5) / count, contender, point) for i, point in enumerate(contender.points)]
        steps.sort(key=lambda step: step[0])
        for number in range(self.options.rounds):
            for _, contender, point in steps if number % 2 == 0 else steps[::-1]:
                self.measure(contender, point)
            self.say(f"  round {number + 1} of {self.options.rounds}")

    def write(self, contender, group_number):
        if contender.process is None:
            return
        facts = {
            **contender.facts(), "version": self.versions[contender.engine], "group": group_number,
            "k": self.options.k, "build_seconds": contender.build_seconds, "build_threads": self.options.threads,
            **contender.process.ask("memory")}
        self.writer.write("build", **facts)
        for point in contender.points:
            point = {key: value for key, value in point.items() if key not in ("at_most", "first_qps")}
            for name in ("p50_us", "p95_us", "p99_us"):
                point[name] = float(np.median(point[name]))
            self.writer.write("point", **facts, **point)

    def batches(self, contender):
        """All queries in one call, on one thread and on --threads, at the setting next to recall 0.95."""
        point = min(contender.points, key=lambda p: abs(p["recall"] - 0.95))
        seconds = {}
        try:
            for round_number in range(2 * self.options.rounds + 1):
                for threads in (1, self.options.threads):
                    if threads > 1:
                        contender.process.unpin()
                    else:
                        contender.process.pin(self.options.core)
                    answer = contender.process.ask(
                        "batch", setting=point["setting"], k=self.options.k, threads=threads)
                    if round_number:
                        seconds.setdefault(threads, []).append(answer["calls"] / answer["seconds"])
        except Failed as failed:
            return self.fail(failed, **contender.facts(), setting=point["setting"], what="batch")
        contender.process.pin(self.options.core)
        return self.writer.write(
            "batch", **contender.facts(), version=self.versions[contender.engine], setting=point["setting"],
            recall=point["recall"], single_qps=point["qps"],
            **{f"qps_{threads}": rates for threads, rates in seconds.items()})

    def group(self, contenders, number):
        self.say(f"group {number}: {', '.join(c.label for c in contenders)}")
        ready = [contender for contender in contenders if self.build(contender)]
        try:
            for contender in ready:
                self.first_round(contender)
            self.rounds([c for c in ready if c.points])
            for contender in ready:
                self.write(contender, number)
                if self.options.batches and contender.process and contender.points:
                    self.batches(contender)
        finally:
            for contender in ready:
                if contender.process:
                    contender.process.quit()


def grouped(contenders, reference, size):
    """Groups of at most `size`, the reference in each, vidx's configurations first so that they meet the quickest."""
    anchor = [c for c in contenders if c.label == reference]
    rest = [c for c in contenders if c.label != reference]
    step = max(1, size - len(anchor))
    for start in range(0, len(rest), step):
        yield [Contender(c.engine, c.configuration) for c in anchor] + rest[start : start + step]
    if not rest and anchor:
        yield anchor


def main():
    options = run_options.parser(description=__doc__).parse_args()
    options.data = options.data or datasets.available()[0]
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (0.1 if options.quick else 0.25)

    data = datasets.prepare(options.data)
    out = options.out or os.path.join(FOLDER, f"{data.name}.jsonl")
    if options.finalists:
        before = tables.curves(results.read([out])).get(data.name, [])
        options.finalists = tables.finalists(before, "vidx", options.reference)
        options.engines = list(dict.fromkeys(label.split()[0] for label in options.finalists))
        options.memory_gb = 1e9
    run = Run(options, data, Writer(out, **data.facts(), core=options.core))
    names = list(dict.fromkeys([options.reference.split()[0], *options.engines]))
    contenders = [c for name in names for c in run.contenders(name)]
    index_gb = 1.7 * data.shape.rows * (data.shape.dimensions * 4 + 200) / 2**30 + 0.1
    for number, group in enumerate(grouped(contenders, options.reference, int(options.memory_gb / index_gb) or 1)):
        run.group(group, number)
    print(f"results in {out}", file=sys.stderr)


if __name__ == "__main__":
    main()
