#!/usr/bin/env python3
"""Markdown tables from raw results: tables.py RESULTS.jsonl... [--ours vidx]"""

import argparse
import statistics

import results
import sections
from pareto import TARGETS, ratio, rounds_at
from sections import thousands


def table(heads, rows, left=2):
    """`left`: columns of words."""
    rules = ["---" if column < left else "---:" for column in range(len(heads))]
    lines = [[str(cell).replace("|", "\\|") for cell in line] for line in (heads, rules, *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


class Curve:
    """One configuration of one engine on one data set, of one run."""

    def __init__(self, lines, clock="qps"):
        self.lines = lines
        first = lines[0]
        self.engine, self.configuration = first["engine"], first["configuration"]
        self.key = (first["run"], first["group"])
        self.points = [(line["recall"], line[clock]) for line in lines if line["qps"]]

    @property
    def label(self):
        return f"{self.engine} {self.configuration}"

    def qps(self, recall):
        """Median over the rounds; None when the recall is not reached."""
        found = rounds_at(self.points, recall)
        return found and statistics.median(found)

    def best_recall(self):
        return max((recall for recall, _ in self.points), default=0)

    def mean(self, field):
        return statistics.median(line[field] for line in self.lines)


def curves(lines, clock="qps"):
    """All curves, by data set. `clock`: qps by the wall, cpu_qps by the processor's time."""
    found = {}
    for line in lines:
        if line["kind"] == "point":
            key = (line["dataset"], line["run"], line["group"], line["engine"], line["configuration"])
            found.setdefault(key, []).append(line)
    by_data = {}
    for key, group in found.items():
        by_data.setdefault(key[0], []).append(Curve(group, clock))
    return by_data


def against(curve, other, recall, references):
    """How much faster `curve` is than `other`: the median over rounds where they took turns, else by way of the
    reference that ran beside each."""
    if curve.key == other.key:
        return ratio(rounds_at(curve.points, recall), rounds_at(other.points, recall))
    halves = []
    for one in (curve, other):
        beside = references.get(one.key)
        halves.append(beside and ratio(rounds_at(one.points, recall), rounds_at(beside.points, recall)))
    return halves[0] / halves[1] if all(halves) else None


def newest(curves_of_data):
    """One curve a label: the last measured. A reference is in every group, and keeps the one of the last too."""
    kept = {}
    for curve in curves_of_data:
        kept[curve.label] = curve
    return list(kept.values())


def speeds(curves_of_data, reference):
    references = {c.key: c for c in curves_of_data if c.label == reference}
    rows = []
    for curve in newest(curves_of_data):
        cells = [curve.engine, curve.configuration]
        for recall in TARGETS:
            qps = curve.qps(recall)
            beside = references.get(curve.key)
            factor = beside and ratio(rounds_at(curve.points, recall), rounds_at(beside.points, recall))
            cells.append(f"not reached ({curve.best_recall():.3f})" if qps is None
                         else thousands(qps) + (f" ({factor:.2f})" if factor else ""))
        cells += [f"{curve.mean('build_seconds'):.1f}", thousands(curve.mean("resident_mb"))]
        rows.append((curve.qps(TARGETS[0]) or 0, cells))
    rows.sort(key=lambda row: -row[0])
    heads = ["engine", "configuration", *(f"QPS at {r}" for r in TARGETS), "build s", "resident MB"]
    return table(heads, [cells for _, cells in rows])


def best_against(curves_of_data, ours, reference, recall):
    """-> our fastest curve at a recall, the best other, and how much faster ours is; None when ours gets nowhere."""
    references = {c.key: c for c in curves_of_data if c.label == reference}
    mine = [c for c in newest(curves_of_data) if c.engine == ours and c.qps(recall)]
    if not mine:
        return None
    fastest = max(mine, key=lambda c: c.qps(recall))
    # Held against every other, so that the best is the best beside us, not of a better hour.
    others = newest([c for c in curves_of_data if c.engine != ours])
    factors = [(against(fastest, other, recall, references), other) for other in others if other.qps(recall)]
    factors = [(factor, other) for factor, other in factors if factor]
    if not factors:
        return None
    factor, best = min(factors, key=lambda pair: pair[0])
    return fastest, best, factor


def finalists(curves_of_data, ours, reference, others=2):
    """Labels of the configurations to hold against each other in one group: at each recall our fastest and the fastest
    configuration of the best other engines, by their ratio to the reference; and the reference."""
    references = {c.key: c for c in curves_of_data if c.label == reference}
    chosen = {reference}
    for recall in TARGETS:
        best = {}
        for curve in newest(curves_of_data):
            beside = references.get(curve.key)
            factor = beside and ratio(rounds_at(curve.points, recall), rounds_at(beside.points, recall))
            if factor and factor > best.get(curve.engine, (0, ""))[0]:
                best[curve.engine] = (factor, curve.label)
        chosen |= {best[ours][1]} if ours in best else set()
        chosen |= {label for _, label in sorted((best[name] for name in best if name != ours), reverse=True)[:others]}
    return chosen


def against_the_best(curves_of_data, ours, reference):
    rows = []
    for recall in TARGETS:
        found = best_against(curves_of_data, ours, reference, recall)
        if found is None:
            rows.append([recall, f"{ours}: not reached"] + ["-"] * 4)
            continue
        fastest, best, factor = found
        rows.append([recall, fastest.configuration, thousands(fastest.qps(recall)), best.label,
                     thousands(best.qps(recall)), f"{factor:.2f}"])
    return table(["recall", ours, "QPS", "best other", "its QPS", "ratio"], rows)


def latencies(curves_of_data, recall=0.95):
    """Percentiles at the first setting that reaches the recall."""
    rows = []
    for curve in newest(curves_of_data):
        reached = [line for line in curve.lines if line["recall"] >= recall and line["qps"]]
        if reached:
            line = max(reached, key=lambda line: statistics.median(line["qps"]))
            rows.append((line["p50_us"], [curve.engine, curve.configuration, f"{line['recall']:.3f}"] + [
                thousands(line[name]) for name in ("p50_us", "p95_us", "p99_us")]))
    rows.sort(key=lambda row: row[0])
    heads = ["engine", "configuration", "recall", "p50 µs", "p95 µs", "p99 µs"]
    return table(heads, [cells for _, cells in rows])


def shared(section):
    return f"{section['note']}\n\n" + table(section["heads"], section["rows"], section["left"])


def document(lines, ours, reference, clock="qps"):
    parts = []
    measured = [line for line in lines if not line.get("growth")]
    for data, found in curves(measured, clock).items():
        of_data = [line for line in measured if line["dataset"] == data]
        first = next(line for line in of_data if line["kind"] == "point")
        machine = first["machine"]
        versions = {c.engine: c.lines[0]["version"] for c in found}
        parts += [
            f"## {data}",
            f"{first['rows']:,} x {first['dimensions']}, {first['metric']}, {first['queries']:,} queries, "
            f"k = {first['k']}. {machine['cpu']} with {machine['cores']} cores, load {machine['load']} at the start; "
            f"{first['date']}, commit {first['commit']}. Versions: "
            + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + ".",
            f"In brackets: times the speed of {reference}, median over rounds.",
            speeds(found, reference)]
        if any(c.engine == ours for c in found):
            parts += [f"### {ours} against the best other", against_the_best(found, ours, reference)]
        parts += ["### Latency at recall 0.95", latencies(found)]
        for make in (sections.batches, sections.startup, sections.writes, sections.not_measured):
            if one := make(of_data):
                parts += [f"### {one['title']}", shared(one)]
    for make in (sections.targets, sections.growth):
        if one := make(lines):
            parts += [f"## {one['title']}", shared(one)]
    return "\n\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+")
    parser.add_argument("--ours", default="vidx")
    parser.add_argument("--reference", default="hnswlib HNSW M=16")
    parser.add_argument("--cpu", action="store_true", help="by processor time, for runs on a busy machine")
    options = parser.parse_args()
    lines = results.read(options.results)
    print(document(lines, options.ours, options.reference, "cpu_qps" if options.cpu else "qps"), end="")


if __name__ == "__main__":
    main()
