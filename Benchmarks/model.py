"""What the page shows, computed once from raw results: the page itself only draws."""

import statistics

import sections
import tables
from pareto import TARGETS, front, ratio, rounds_at

COLORS = {
    "vidx": "#e0452d", "hnswlib": "#7d8590", "faiss": "#2f7ed8", "svs": "#159a57", "scann": "#a855d8",
    "usearch": "#cf9a12", "zvec": "#0aa8a4", "qdrant_edge": "#d6437e", "lancedb": "#97724c", "duckdb_vss": "#b3a012",
    "sqlite_vec": "#6478f0", "vectorlite": "#86a51a", "milvus_lite": "#2ba5e0", "turbovec": "#f08a52",
    "pgvector": "#5b7aa8",
}
LATENCY_RECALL = 0.95
REFERENCE = "hnswlib HNSW M=16"


def words(setting):
    return ", ".join(f"{name} {value}" for name, value in setting.items()) or "no setting"


def line_front(curve):
    """The points of the front, with what the tooltip says."""
    points = {}
    for line in curve.lines:
        if line["qps"]:
            points[line["recall"], statistics.median(line["qps"])] = line
    return [
        {"recall": round(recall, 5), "qps": round(qps, 1), "setting": words(points[recall, qps]["setting"]),
         "p50": round(points[recall, qps]["p50_us"], 1), "p99": round(points[recall, qps]["p99_us"], 1)}
        for recall, qps in front(list(points))]


def latency(curve):
    reached = [line for line in curve.lines if line["recall"] >= LATENCY_RECALL and line["qps"]]
    if not reached:
        return None
    line = max(reached, key=lambda line: statistics.median(line["qps"]))
    values = [round(line[name], 1) for name in ("p50_us", "p95_us", "p99_us")]
    return {"recall": line["recall"], "values": values}


def curve_model(curve, references):
    beside = references.get(curve.key)
    speeds = []
    for recall in TARGETS:
        factor = beside and ratio(rounds_at(curve.points, recall), rounds_at(beside.points, recall))
        speeds.append({"qps": curve.qps(recall), "ratio": factor})
    line = line_front(curve)
    return {
        "engine": curve.engine, "configuration": curve.configuration, "label": curve.label, "points": line,
        "front": line, "at": speeds, "most": curve.best_recall(), "latency": latency(curve), "best": False,
        "build": curve.mean("build_seconds"), "resident": curve.mean("resident_mb"), "disk": curve.mean("disk_mb")}


def mark_best(models):
    """For each engine, the configurations that are its fastest at some recall; the one of most recall without any."""
    for engine in {one["engine"] for one in models}:
        own = [one for one in models if one["engine"] == engine]
        for index in range(len(TARGETS)):
            reached = [one for one in own if one["at"][index]["qps"]]
            if reached:
                max(reached, key=lambda one: one["at"][index]["qps"])["best"] = True
        if not any(one["best"] for one in own):
            max(own, key=lambda one: one["most"])["best"] = True


def against(curves, ours, reference):
    rows = []
    for recall in TARGETS:
        found = tables.best_against(curves, ours, reference, recall)
        if found is None:
            rows.append({"recall": recall, "ratio": None, "why": f"{ours} was not measured or does not reach it"})
        else:
            mine, best, factor = found
            rows.append({"recall": recall, "ratio": factor, "ours": mine.configuration, "best": best.label,
                         "qps": mine.qps(recall), "bestQps": best.qps(recall)})
    return rows if any(row["ratio"] for row in rows) else []


def data_model(name, curves, lines, ours):
    first = curves[0].lines[0]
    machine = first["machine"]
    newest = tables.newest(curves)
    references = {curve.key: curve for curve in curves if curve.label == REFERENCE}
    models = [curve_model(curve, references) for curve in newest]
    mark_best(models)
    versions = ", ".join(f"{n} {v}" for n, v in sorted({c.engine: c.lines[0]["version"] for c in newest}.items()))
    facts = (
        f"{first['rows']:,} vectors of {first['dimensions']} dimensions, {first['metric']}, {first['queries']:,} "
        f"queries. {machine['cpu']}, {machine['cores']} cores, {', '.join(machine['isa'])}; load {machine['load']} at "
        f"the start. {first['date']}, commit {first['commit']}. {versions}.")
    made = [make(lines) for make in (sections.batches, sections.startup, sections.writes, sections.not_measured)]
    return {
        "title": name, "facts": facts, "k": first["k"], "targets": TARGETS, "reference": REFERENCE, "curves": models,
        "against": against(curves, ours, REFERENCE), "filters": filter_plots(sections.of_kind(lines, "filter")),
        "filterNote": "Queries with a condition that the given share of the rows meets.",
        "tables": [shared(one, ours) for one in made if one]}


def filter_plots(lines):
    """Over the share of rows that pass: speed, and recall."""
    plots = []
    for field, title in (("qps", "queries a second"), ("recall", "recall")):
        series = {}
        for line in lines:
            value = statistics.median(line["qps"]) if field == "qps" else line["recall"]
            if value > 0:
                key = (line["engine"], f"{line['engine']} {line['configuration']}")
                series.setdefault(key, []).append([line["share"], value])
        if series:
            plots.append({"title": title, "x": "share of rows that pass", "y": title, "series": [
                {"engine": engine, "name": name, "points": sorted(points)}
                for (engine, name), points in series.items()]})
    return plots


def shared(section, ours):
    """A table of sections.py as the page has it."""
    rows = [{"cells": row, "ours": row[0] == ours} for row in section["rows"]]
    return {**section, "rows": rows}


def growth_plots(lines):
    plots = []
    for axis, x in (("rows", "vectors"), ("dimensions", "dimensions")):
        for field, y in (("qps_at_095", "queries a second at recall 0.95"), ("build_seconds", "build, seconds")):
            series = {}
            for line in lines:
                if line["kind"] == "scaling" and line["axis"] == axis and line.get(field):
                    key = (line["engine"], f"{line['engine']} {line['configuration']}")
                    series.setdefault(key, {})[line[axis]] = line[field]
            if series:
                plots.append({"title": f"{y} by {x}", "x": x, "y": y, "series": [
                    {"engine": key[0], "name": key[1], "points": sorted(points.items())}
                    for key, points in series.items()]})
    return plots


def model(lines, ours="vidx"):
    sets = [data_model(name, curves, [line for line in lines if line.get("dataset") == name], ours)
            for name, curves in tables.curves([line for line in lines if not line.get("growth")]).items()]
    return {
        "ours": ours, "colors": COLORS, "sets": sets, "scaling": growth_plots(lines),
        "scalingNote": "Resampled from the real vectors, or projected onto random directions; see docs/BENCHMARKS.md.",
        "tables": [shared(one, ours) for one in (sections.targets(lines),) if one],
        "footer": "Made by Benchmarks/report.py from raw results; docs/BENCHMARKS.md has the rules of measuring."}
