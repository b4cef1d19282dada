#!/usr/bin/env python3
"""Measures filtered search of engines on one data set and appends raw results to a file of JSON lines.

    filters.py --data sgd384                       every engine, every cell
    filters.py --data sgd1536 --engines vidx,hnswlib --cells "1 %,near" -k 10

As run.py, but for cells (filter_data.py): in each, the least setting of every engine and mode that reaches recall 0.95
and 0.99 is looked for by bisection, and then all those take turns in --rounds rounds. Every engine has its own index on
the filtered columns where it has such. Tables: filter_tables.py.
"""

import os
import re
import sys
import time

import numpy as np

import datasets
import filter_options
import filter_tables
import results
from contender import Contender, described
from engines.engine import ALL, LIKE
from filter_data import Filtered
from process import Failed
from results import FOLDER, Writer

TARGETS = filter_tables.TARGETS
# Seconds that a pass of looking for settings takes at most, and how many queries it asks at least.
PASS, FEWEST = 0.3, 30
# Recalls of the same queries that differ by less are the same.
SAME = 0.002
QUESTION_TIMEOUT = 120


def least(evaluate, count, target, first=0):
    """The first of `count` settings, by rising recall, whose evaluate(number) reaches the target; None without one.
    `first` is tried first: under selective filters it is often enough, and there every further one is slow."""
    if evaluate(first) >= target:
        return first
    low, high = first + 1, count
    while low < high:
        middle = (low + high) // 2
        if evaluate(middle) >= target:
            high = middle
        else:
            low = middle + 1
    return low if low < count else None


def chosen(evaluate, count, targets=TARGETS):
    """Numbers of the settings to measure: the least for each target, and where one is not reached the last."""
    found = [0]
    for target in targets:
        number = least(evaluate, count, target, found[-1])
        found.append(count - 1 if number is None else number)
    return sorted(set(found[1:]))


def further(evaluate, count, numbers, targets=TARGETS):
    """Numbers of settings beyond `numbers` that are to be measured, for the targets that none of these reaches."""
    found = []
    for target in targets:
        known = sorted({*numbers, *found})
        if all(evaluate(number) < target for number in known):
            number = least(evaluate, count, target, known[-1])
            found.append(count - 1 if number is None else number)
    return sorted(set(found) - set(numbers))


class Way:
    """One mode of a contender in one cell, with the points that are measured."""

    def __init__(self, contender, mode, settings):
        self.contender, self.mode, self.settings = contender, mode, settings
        self.known, self.points = {}, []

    @property
    def like(self):
        return self.settings[0].get(LIKE)


class Run:
    def __init__(self, options, filtered, writer):
        self.options, self.filtered, self.writer = options, filtered, writer
        self.shape, self.scratch = filtered.data.shape, os.path.join(FOLDER, "scratch")
        self.versions = {}

    def fail(self, failed, **facts):
        kind = "filter_refused" if failed.refused else "filter_failure"
        self.writer.write(kind, reason=str(failed)[:1000], **facts)
        words = [str(facts[name]) for name in ("engine", "configuration", "mode", "cell") if name in facts]
        print(f"  {' '.join(words)}: {kind}: {str(failed)[:300]}", flush=True)

    def contenders(self, name):
        try:
            self.versions[name], found = described(name, self.scratch, self.shape, filtered=True)
        except Failed as failed:
            self.fail(failed, engine=name)
            return []
        wanted = re.compile(self.options.only or "")
        return [Contender(name, one) for one in found if wanted.search(f"{name} {one['name']}")]

    def build(self, contender):
        files = {"base": self.filtered.data.base_path, "queries": self.filtered.query_path,
                 "columns": self.filtered.columns_path}
        try:
            contender.build(self.scratch, files, self.shape, self.options)
        except Failed as failed:
            self.fail(failed, **contender.facts(), version=self.versions[contender.engine])
            return
        memory = contender.process.ask("memory")
        self.writer.write("filter_build", **contender.facts(), version=self.versions[contender.engine],
                          build_seconds=contender.build_seconds, build_threads=self.options.threads, **memory)
        print(f"  {contender.label}: built in {contender.build_seconds:.1f} s", flush=True)

    def ask(self, way, do, setting, **arguments):
        """A question about a filtered search; a contender whose process has ended is out."""
        process = way.contender.process
        if process is None:
            raise Failed("its process has ended")
        try:
            return process.ask(do, setting=setting, timeout=QUESTION_TIMEOUT, **arguments)
        except Failed:
            if process.process.poll() is not None:
                way.contender.quit()
            raise

    def point(self, way, number, cell, k, beside=None):
        """The recall of a setting, which is asked for once, of as many queries as time allows. `beside`: the point of
        another way at this setting; where the answers are as good on the same queries, its recall is that of more."""
        if number not in way.known:
            setting, path = way.settings[number], os.path.join(self.scratch, "filtered.npy")
            for _ in range(2):  # the first to warm up: filters may be prepared in it
                probe = self.ask(way, "search", setting, k=k, at_most=10, filtered=True)
            pace = probe["p50_us"] / 1e6
            at_most = min(len(cell.filters), max(FEWEST if pace < 0.1 else 10, int(PASS / pace)))
            answer = self.ask(way, "search", setting, k=k, at_most=at_most, ids=path, filtered=True)
            ids = np.load(path)
            recall = cell.recall(ids, k)
            if beside and len(ids) <= len(beside["ids"]) and recall >= cell.recall(beside["ids"][: len(ids)], k) - SAME:
                recall = beside["recall"]
            way.known[number] = {
                "setting": setting, "recall": recall, "answered": answer["calls"], "at_most": at_most, "ids": ids,
                "pace": answer["p50_us"] / 1e6, "qps": [], "cpu_qps": [], "p50_us": [], "p95_us": [], "p99_us": []}
        return way.known[number]

    def seek(self, way, cell, k, others):
        """Chooses the points of a way. One like another takes the settings of that, if it has any, and looks for
        further ones of its own where these do not reach what they reach there."""
        facts = {**way.contender.facts(), "mode": way.mode, "cell": cell.name, "k": k}
        beside = next((o for o in others if o.contender is way.contender and o.mode == way.like and o.points), None)
        try:
            if beside:
                numbers = []
                for point in beside.points:
                    numbers.append(way.settings.index({**point["setting"], "mode": way.mode, LIKE: way.like}))
                    way.points.append(self.point(way, numbers[-1], cell, k, point))
                found = further(lambda i: self.point(way, i, cell, k)["recall"], len(way.settings), numbers)
                way.points += [self.point(way, number, cell, k) for number in found]
                return
            if way.settings[0].get(ALL):
                numbers = range(len(way.settings))
            else:
                numbers = chosen(lambda i: self.point(way, i, cell, k)["recall"], len(way.settings))
            way.points = [self.point(way, number, cell, k) for number in numbers]
        except Failed as failed:
            self.fail(failed, **facts)

    def measure(self, way, point, k):
        seconds = self.options.seconds
        at_most = max(min(20, point["at_most"]), min(point["at_most"], int(1.5 * seconds / point["pace"])))
        try:
            answer = self.ask(way, "search", point["setting"], k=k, at_most=at_most, filtered=True, seconds=seconds,
                              at_least=10)
        except Failed as failed:
            self.fail(failed, **way.contender.facts(), mode=way.mode, setting=point["setting"])
            way.points.remove(point)
            return
        point["qps"].append(answer["calls"] / answer["seconds"])
        point["cpu_qps"].append(answer["calls"] / max(answer["cpu_seconds"], 1e-9))
        for name in ("p50_us", "p95_us", "p99_us"):
            point[name].append(answer[name])

    def write(self, way, cell, k):
        for point in way.points:
            try:
                told = self.ask(way, "told", point["setting"], k=k, at_most=min(100, point["at_most"]))
            except Failed as failed:
                self.fail(failed, **way.contender.facts(), mode=way.mode, cell=cell.name)
                told = {}
            kept = {name: value for name, value in point.items() if name not in ("at_most", "pace", "ids")}
            for name in ("p50_us", "p95_us", "p99_us"):
                kept[name] = float(np.median(kept[name]))
            self.writer.write(
                "filtered", **way.contender.facts(), version=self.versions[way.contender.engine], mode=way.mode,
                cell=cell.name, share=cell.share, rows_passing=float(np.mean(cell.passing)), k=k, **kept, **told)

    def cell(self, contenders, cell, k):
        kinds = list(dict.fromkeys(cell.filters))
        number = {one: place for place, one in enumerate(kinds)}
        ways = []
        for contender in contenders:
            if contender.process is None:
                continue
            contender.process.ask("filter", kinds=[one.__dict__ for one in kinds],
                                  chosen=[number[one] for one in cell.filters])
            by_mode = {}
            for setting in contender.configuration["sweep"]:
                by_mode.setdefault(setting.get("mode", ""), []).append(setting)
            ways += [Way(contender, mode, settings) for mode, settings in by_mode.items()
                     if re.search(self.options.modes, mode)]
        for way in ways:
            self.seek(way, cell, k, ways)
        for _ in range(self.options.rounds):
            for way in ways:
                for point in list(way.points):
                    self.measure(way, point, k)
        for way in ways:
            self.write(way, cell, k)
        return ways

    def all(self, contenders, names, ks):
        for contender in contenders:
            self.build(contender)
        try:
            # All cells of one k first: what is there when a run is stopped makes tables.
            for k in ks:
                for name in names:
                    cell = self.filtered.cell(name)
                    begun = time.monotonic()
                    self.cell(contenders, cell, k)
                    print(f"  {name}, k = {k}: {time.monotonic() - begun:.0f} s", flush=True)
        finally:
            for contender in contenders:
                contender.quit()


def main():
    options = filter_options.parser(description=__doc__).parse_args()
    data = datasets.prepare(options.data or datasets.available()[0])
    out = options.out or os.path.join(FOLDER, f"filters-{data.name}.jsonl")
    filtered = Filtered(data, options.queries)
    facts = {**data.facts(), "queries": len(filtered.queries), "core": options.core}
    run = Run(options, filtered, Writer(out, **facts))
    contenders = [contender for name in options.engines for contender in run.contenders(name)]
    run.all(contenders, options.cells, options.k)
    print(filter_tables.document(results.read([out])), end="")
    print(f"results in {out}", file=sys.stderr)


if __name__ == "__main__":
    main()
