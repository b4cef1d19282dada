#!/usr/bin/env python3
"""Markdown tables of filtered search from raw results: filter_tables.py RESULTS.jsonl... [--ours vidx]"""

import argparse
import statistics

import results
from filter_options import CELLS
from pareto import ratio
from sections import thousands
from tables import table

TARGETS = (0.95, 0.99)
# Engines with a server of their own; the others are embedded.
SERVERS = ("pgvector",)
FIXED = "plan: "
PLANNER, MISS, HIT = "declared columns", "ad hoc predicate", "cached row set"
ON_REQUEST = "declared columns, target recall"


def newest(lines, clock="qps"):
    """The filtered points of the last run that measured each way in a cell. `clock`: qps by the wall, cpu_qps by the
    processor's time, which says nothing of an engine with a server."""
    last = {}
    for line in lines:
        if line["kind"] == "filtered" and line["qps"]:
            key = (line["dataset"], line["k"], line["cell"], line["engine"], line["configuration"], line["mode"])
            if key not in last or last[key][0]["run"] != line["run"]:
                last[key] = []
            last[key].append({**line, "qps": line["qps" if line["engine"] in SERVERS else clock]})
    return last


def speed(point):
    return statistics.median(point["qps"])


def best(points, target):
    """The fastest point that reaches the target; None without one."""
    return max((point for point in points if point["recall"] >= target), key=speed, default=None)


def shown(points, target):
    """A cell: the speed at the target, or in brackets the best recall."""
    point = best(points, target)
    if point:
        return thousands(speed(point))
    return f"- ({max(point['recall'] for point in points):.2f})" if points else ""


class Grid:
    """The points of one data set and k, by way and cell. A way is (engine, configuration, mode)."""

    def __init__(self, last, dataset, k):
        self.cells, self.by_way = {}, {}
        for (of, of_k, cell, *way), points in last.items():
            if (of, of_k) == (dataset, k):
                self.cells[cell] = points[0]
                self.by_way.setdefault(tuple(way), {})[cell] = points
        self.order = sorted(self.cells, key=CELLS.index)

    def best_of(self, cell, target, wanted):
        """The fastest point in a cell among the ways that are `wanted`; None without one."""
        points = [point for way, cells in self.by_way.items() if wanted(*way) for point in cells.get(cell, ())]
        return best(points, target)

    def heads(self):
        return [f"{cell} ({100 * self.cells[cell]['share']:.1f} %)" if cell in ("near", "far", "join") else cell
                for cell in self.order]


def speeds(grid, target, fixed=False):
    """Ways by cells; those of fixed plans are tables of their own."""
    rows = []
    for way, cells in sorted(grid.by_way.items(), key=lambda item: (item[0][0] != "vidx", item[0])):
        if way[2].startswith(FIXED) == fixed:
            rows.append([*way, *(shown(cells.get(cell, ()), target) for cell in grid.order)])
    return table(["engine", "index", "mode", *grid.heads()], rows, left=3)


def against(grid, ours):
    """How many times faster the best of ours is than the best other embedded engine, and than the best of pgvector."""
    kinds = (("warm", lambda mode: mode != MISS), ("ad hoc", lambda mode: mode == MISS))
    others = (("the best embedded", lambda engine, *_: not engine.startswith(ours) and engine not in SERVERS),
              ("pgvector", lambda engine, *_: engine in SERVERS))
    rows = []
    for target in TARGETS:
        for kind, takes in kinds:
            for name, wanted in others:
                cells = []
                for cell in grid.order:
                    mine = grid.best_of(cell, target, lambda engine, _, mode, takes=takes: engine == ours
                                        and takes(mode) and not mode.startswith(FIXED))
                    theirs = grid.best_of(cell, target, wanted)
                    cells.append(compared(mine, theirs, name != "pgvector"))
                rows.append([f"{target}", kind, name, *cells])
    return table(["recall", f"{ours}", "over", *grid.heads()], rows, left=3)


def compared(mine, theirs, named):
    if mine is None or theirs is None:
        return "not reached" if mine is None else "alone"
    factor = ratio(mine["qps"], theirs["qps"]) if mine["run"] == theirs["run"] else speed(mine) / speed(theirs)
    return f"{factor:.1f} ({theirs['engine']})" if named else f"{factor:.1f}"


def regret(grid, ours):
    """Speed of the best fixed plan over the planner's, for each index of ours: 1 is no regret. The planner's is the
    best of its settings: where these say how many lists to scan, it has nothing to choose."""
    rows = []
    for target in TARGETS:
        for configuration in sorted({way[1] for way in grid.by_way if way[0] == ours}):
            cells = []
            for cell in grid.order:
                free = grid.best_of(cell, target, lambda *way, c=configuration, cell=cell: (
                    way[:2] == (ours, c) and way[2] in ((HIT,) if cell == "join" else (PLANNER, ON_REQUEST))))
                fixed = grid.best_of(cell, target, lambda engine, of, mode, c=configuration: (
                    (engine, of) == (ours, c) and mode.startswith(FIXED)))
                cells.append(f"{ratio(fixed['qps'], free['qps']):.2f} ({fixed['mode'].removeprefix(FIXED)})"
                             if free and fixed and free["run"] == fixed["run"] else "")
            rows.append([f"{target}", configuration, *cells])
    return table(["recall", "index", *grid.heads()], rows) if any(any(row[2:]) for row in rows) else None


def regret_of_queries(grid, ours):
    """Distance computations of the planner's answers over the least that a fixed plan took for the same query, each at
    its fastest setting: the 99th percentile and the maximum. Counts, not time: a vector met in a graph takes some three
    times as long as one of a list."""
    rows = []
    for target in TARGETS:
        for configuration in sorted({way[1] for way in grid.by_way if way[0] == ours}):
            cells = []
            for cell in grid.order:
                free = grid.best_of(cell, target, lambda *way, c=configuration, cell=cell: (
                    way[:2] == (ours, c) and way[2] in ((HIT,) if cell == "join" else (PLANNER, ON_REQUEST))))
                fixed = [best(of.get(cell, ()), target) for way, of in grid.by_way.items()
                         if way[:2] == (ours, configuration) and way[2].startswith(FIXED)]
                cells.append(of_queries(free, [point for point in fixed if point]))
            rows.append([f"{target}", configuration, *cells])
    return table(["recall", "index", *grid.heads()], rows) if any(any(row[2:]) for row in rows) else None


def of_queries(free, fixed):
    fixed = [point["distances"] for point in fixed if free and point["run"] == free["run"] and point.get("distances")]
    if not fixed or not free.get("distances"):
        return ""
    ratios = sorted(own / max(min(others), 1) for own, *others in zip(free["distances"], *fixed))
    return f"{ratios[(len(ratios) - 1) * 99 // 100]:.2f}, {ratios[-1]:.2f}"


def on_request(grid, ours):
    """Recall and speed of ours at its defaults, and where a recall is asked for instead of a setting."""
    rows = {}
    for (engine, configuration, mode), cells in grid.by_way.items():
        if engine == ours and mode == ON_REQUEST:
            for number, cell in enumerate(grid.order):
                for point in cells.get(cell, ()):
                    key = (configuration, setting_text(point["setting"]) or "defaults")
                    row = rows.setdefault(key, [""] * len(grid.order))
                    row[number] = f"{point['recall']:.3f} ({thousands(speed(point))})"
    return table(["index", "setting", *grid.heads()], [[*key, *row] for key, row in rows.items()]) if rows else None


def accounts(grid, ours):
    """What ours says of its searches at recall 0.95: plans, and means of its counters."""
    rows = []
    for way, cells in grid.by_way.items():
        if way[0] != ours or way[2].startswith(FIXED) or way[2] == ON_REQUEST:
            continue
        for cell in grid.order:
            point = best(cells.get(cell, ()), TARGETS[0])
            if point and point.get("means"):
                plans = ", ".join(f"{name} {count}" for name, count in point["plans"].items())
                means = [thousands(point["means"].get(name)) for name in (
                    "rows_yielded", "rows_scored", "distance_computations")]
                rows.append([way[1], way[2], cell, setting_text(point["setting"]), f"{point['recall']:.3f}", plans,
                             *means])
    heads = ["index", "mode", "cell", "setting", "recall", "plans of 100 queries", "rows yielded", "rows scored",
             "distance computations"]
    return table(heads, rows, left=6) if rows else None


def setting_text(setting):
    return " ".join(f"{name}={value}" for name, value in setting.items() if name not in ("mode", "like", "all"))


def costs(grid, ours):
    """The filter's own cost: searches at one setting whose filter is declared, cached, or resolved anew."""
    rows = []
    for configuration in sorted({way[1] for way in grid.by_way if way[0] == ours}):
        for cell in grid.order:
            def at(mode, c=configuration, cell=cell):
                return best(grid.by_way.get((ours, c, mode), {}).get(cell, ()), 0)

            hit, miss, declared = at(HIT), at(MISS), at(PLANNER)
            if hit and miss:
                more = miss["p50_us"] - hit["p50_us"]
                passing = grid.cells[cell]["rows_passing"]
                checked = miss.get("means", {}).get("rows_checked", 0)
                rows.append([configuration, cell, thousands(passing), *(
                    thousands(point and point["p50_us"]) for point in (declared, hit, miss)), thousands(more),
                    thousands(checked) if checked else "-",
                    thousands(passing / more * 1e6) if more > 0 and not checked else "-"])
    heads = ["index", "cell", "rows passing", "declared columns, µs", "row set: hit, µs", "row set: miss, µs",
             "miss - hit, µs", "rows checked", "rows read a second"]
    return table(heads, rows) if rows else None


def problems(lines):
    """What could not be measured, and why: by engine, configuration, mode and cell."""
    seen = {}
    for line in lines:
        if line["kind"] in ("filter_refused", "filter_failure"):
            key = tuple(line.get(name, "all") for name in ("engine", "configuration", "mode", "cell"))
            seen[key] = [*key, line["kind"].removeprefix("filter_"), " ".join(line["reason"].split())[:160]]
    return table(["engine", "index", "mode", "cell", "", "reason"], seen.values(), left=6) if seen else None


def document(lines, ours="vidx", clock="qps"):
    last, parts = newest(lines, clock), []
    for dataset in dict.fromkeys(key[0] for key in last):
        of_data = [line for line in lines if line["dataset"] == dataset]
        first = next(line for line in of_data[::-1] if line["kind"] == "filtered")
        machine = first["machine"]
        versions = {line["engine"]: line["version"] for line in of_data if line["kind"] == "filtered"}
        parts += [f"## Filters: {dataset}", (
            f"{first['rows']:,} x {first['dimensions']}, {first['metric']}, {first['queries']} queries a cell, one "
            f"thread, one query a call. {machine['cpu']} with {machine['cores']} cores, load {machine['load']} at the "
            f"start; {first['date']}, commit {first['commit']}. Versions: "
            + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + ".")]
        for k in sorted({key[1] for key in last if key[0] == dataset}):
            grid = Grid(last, dataset, k)
            for target in TARGETS:
                parts += [f"### k = {k}, queries a second at recall {target}",
                          "In brackets the best recall where it is not reached.", speeds(grid, target)]
            sections = (
                ("times faster", against), ("recall (queries a second) on request", on_request),
                ("regret: best fixed plan / planner", regret),
                ("regret of single queries in distance computations: 99th percentile, maximum", regret_of_queries),
                ("what searches say of themselves", accounts),
                ("the filter's own cost", costs))
            for title, make in sections:
                if any(way[0] == ours for way in grid.by_way) and (text := make(grid, ours)):
                    parts += [f"### k = {k}, {ours}: {title}", text]
        if text := problems(of_data):
            parts += ["### Not measured", text]
    return "\n\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+")
    parser.add_argument("--ours", default="vidx")
    parser.add_argument("--cpu", action="store_true", help="by processor time, for runs on a busy machine")
    options = parser.parse_args()
    print(document(results.read(options.results), options.ours, "cpu_qps" if options.cpu else "qps"), end="")


if __name__ == "__main__":
    main()
