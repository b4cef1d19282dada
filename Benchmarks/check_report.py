#!/usr/bin/env python3
"""Opens a report in a headless browser, wide and as on a phone: everything is drawn, a point tells what it is, the
legend hides a curve, nothing fails, nothing overflows.

    check_report.py [REPORT.html] [--screenshot FOLDER]

Without a report it makes one of measurements made up for the purpose. Says "skipped" and succeeds when there is no
browser (Chromium or Chrome; BROWSER names another).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import report
from model import model

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZES = {"wide": "1280,2400", "phone": "390,2400"}


def made_up():
    """Lines such as run.py writes, of two engines and all sections of the page."""
    machine = {"cpu": "a processor", "cores": 2, "isa": [], "load": 0.0}
    common = {"run": "1", "group": 0, "dataset": "made-up", "rows": 1000, "dimensions": 8, "metric": "cosine",
              "queries": 9, "date": "2000-01-01", "commit": "none", "machine": machine, "k": 10, "version": "1"}
    lines = []
    for engine, configuration, speed in (("vidx", "HNSW </script>", 2e4), ("hnswlib", "HNSW M=16", 1e4)):
        facts = {"engine": engine, "configuration": configuration, "build_seconds": 2.0, "resident_mb": 30.0,
                 "disk_mb": 0.0, **common}
        for recall in (0.85, 0.93, 0.96, 0.99, 1.0):
            qps = speed * (1.02 - recall)
            lines.append({"kind": "point", "recall": recall, "setting": {"ef": 10}, "qps": [qps, qps * 1.1],
                          "p50_us": 1e6 / qps, "p95_us": 2e6 / qps, "p99_us": 3e6 / qps, **facts})
        lines.append({"kind": "batch", "recall": 0.95, "single_qps": [1.0], "qps_1": [1.0], "qps_2": [2.0], **facts})
        lines += [{"kind": "filter", "share": share, "qps": [share * 1e4], "recall": 0.9, **facts}
                  for share in (0.01, 0.1)]
        lines += [{"kind": "scaling", "axis": "rows", "qps_at_095": 1e6 / rows, "growth": True, **facts, "rows": rows}
                  for rows in (1000, 10000)]
    lines.append({"kind": "failure", "engine": "scann", "reason": "no module", **common})
    lines.append({"kind": "target", "target": "k = 10", "wanted": "50 ms", "ours": "1 ms", "met": True,
                  "pgvector": "9 ms"})
    return lines


def opened(browser, path, size, screenshot, scratch):
    """The page's own account of itself: attributes of its root element, once its script has run."""
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
               f"--user-data-dir={scratch}", f"--window-size={size}", "--virtual-time-budget=4000",
               "--enable-logging=stderr"]
    address = f"file://{os.path.abspath(path)}"
    done = subprocess.run([*command, "--dump-dom", f"{address}#probe"], capture_output=True, text=True, timeout=180)
    if screenshot:
        subprocess.run([*command, f"--screenshot={screenshot}", address], capture_output=True, timeout=180, check=True)
    root = re.search(r"<html[^>]*>", done.stdout)
    problems = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return dict(re.findall(r'data-(\w+)="([^"]*)"', root.group() if root else "")), problems


def check(browser, path, screenshots):
    found = []
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory() as scratch:
            picture = os.path.join(screenshots, f"report-{name}.png") if screenshots else None
            said, problems = opened(browser, path, size, picture, scratch)
        found += [f"{name}: {problem}" for problem in problems]
        if "error" in said:
            found.append(f"{name}: {said['error']}")
        for what in ("curves", "bars", "ranges"):
            if int(said.get(what, 0)) == 0:
                found.append(f"{name}: no {what} drawn")
        if int(said.get("tip", 0)) < 20:
            found.append(f"{name}: the tooltip of a point says nothing")
        if int(said.get("hides", 0)) != 1:
            found.append(f"{name}: the legend does not hide a curve")
        if int(said.get("overflow", 0)) > 0:
            found.append(f"{name}: the page is {said['overflow']} pixels wider than its window")
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in sorted(said.items())))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?")
    parser.add_argument("--screenshot", help="folder for pictures of the page")
    options = parser.parse_args()
    named = os.environ.get("BROWSER")
    browser = next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)
    if browser is None:
        print("check_report: skipped: there is no Chromium or Chrome")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = options.report
        if path is None:
            path = os.path.join(folder, "report.html")
            with open(path, "w", encoding="utf-8") as file:
                file.write(report.page(model(made_up())))
        problems = check(browser, path, options.screenshot)
    print("\n".join(problems) or "check_report: nothing found")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
