"""Tables that the Markdown and the page share: title, note, heads, rows; the first `left` columns are words."""

import statistics

from pareto import ratio


def thousands(value):
    return "-" if value is None else f"{value:,.0f}"


def of_kind(lines, kind):
    return [line for line in lines if line["kind"] == kind]


def section(title, note, left, heads, rows):
    """None without rows."""
    return {"title": title, "note": note, "left": left, "heads": heads, "rows": list(rows)} if rows else None


def batches(lines):
    rows = {}
    for line in of_kind(lines, "batch"):
        threads = sorted(int(name[4:]) for name in line if name.startswith("qps_"))
        one, many = (line[f"qps_{count}"] for count in (threads[0], threads[-1]))
        single = statistics.median(line["single_qps"])
        rows[line["engine"], line["configuration"]] = [
            line["engine"], line["configuration"], f"{line['recall']:.3f}", thousands(single),
            thousands(statistics.median(one)), thousands(statistics.median(many)), f"{ratio(many, one):.2f}",
            f"{statistics.median(many) / single:.2f}"]
    heads = ["engine", "configuration", "recall", "a query a call", "batch, 1 thread", "batch, 2 threads",
             "2 threads / 1", "batch on 2 / single"]
    note = "All queries in one call, at the setting nearest to recall 0.95; queries a second."
    return section("Batches", note, 2, heads, rows.values())


def startup(lines):
    rows = {
        line["command"]: [line["command"], line["milliseconds"], line["milliseconds_max"], line["peak_resident_mb"],
                          line["index_files_mb"]]
        for line in of_kind(lines, "startup")}
    heads = ["command", "ms", "most", "peak resident MB", "index files MB"]
    note = "Start, open the database, answer, end; page cache warm."
    return section("Whole processes", note, 1, heads, rows.values())


def writes(lines):
    rows = {
        line["operation"]: [line["operation"], f"{line['seconds']:.4g}", thousands(line["rows_per_second"])]
        for line in of_kind(lines, "write")}
    note = "Rows and vectors in transactions, write-ahead log, synchronous = FULL."
    return section("Writes", note, 1, ["operation", "seconds", "rows a second"], rows.values())


def not_measured(lines):
    seen = {}
    for line in lines:
        if line["kind"] == "build":  # it went well later
            seen.pop(f"{line['engine']} {line['configuration']}", None)
            seen.pop(line["engine"], None)
        if line["kind"] in ("failure", "refused"):
            label = f"{line['engine']} {line.get('configuration', '')}".strip()
            reason = " ".join(line["reason"].split())
            seen[label] = [line["engine"], line.get("configuration", "all"), line["kind"], reason[:160]]
    return section("Not measured", "And why.", 4, ["engine", "configuration", "", "reason"], seen.values())


def targets(lines):
    rows = {
        line["target"]: [line["target"], line["wanted"], line["ours"], "met" if line["met"] else "missed",
                         line["pgvector"]]
        for line in of_kind(lines, "target")}
    first = next(iter(of_kind(lines, "target")), {})
    note = (f"{first.get('rows', 0):,} x {first.get('dimensions')}, k = 10. Ours, and pgvector's where its server ran."
            if first else "")
    heads = ["target", "wanted", "vidx", "", "pgvector"]
    return section("The targets of the specification", note, 5, heads, rows.values())


def growth(lines):
    """One row a configuration and size."""
    rows = {}
    for line in of_kind(lines, "scaling"):
        key = (line["axis"], line["engine"], line["configuration"], line["rows"], line["dimensions"])
        rows[key] = [line["engine"], line["configuration"], thousands(line["rows"]), line["dimensions"],
                     thousands(line["qps_at_095"]), f"{line['build_seconds']:.1f}"]
    heads = ["engine", "configuration", "rows", "dimensions", "QPS at 0.95", "build s"]
    return section("Growth", "Resampled or projected vectors.", 2, heads, [rows[key] for key in sorted(rows)])
