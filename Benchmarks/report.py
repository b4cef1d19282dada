#!/usr/bin/env python3
"""Draws raw results: one HTML page that needs nothing else, and curves as SVG.

    report.py RESULTS.jsonl... --html report.html
    report.py RESULTS.jsonl... --svg docs/benchmarks
"""

import argparse
import json
import os

import curves
import results
from model import model

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page")


def part(name):
    with open(os.path.join(PAGE, name), encoding="utf-8") as file:
        return file.read()


def page(shown):
    # Inside a script element "</" would end it.
    data = json.dumps(shown, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    script = part("charts.js") + part("report.js").replace('"use strict";\n', "", 1)
    parts = {"style": part("report.css"), "model": data, "script": script}
    text = part("report.html")
    for name, content in parts.items():
        text = text.replace("{{" + name + "}}", content, 1)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+")
    parser.add_argument("--html", help="file to write")
    parser.add_argument("--svg", help="folder to write recall-<data>.svg into")
    parser.add_argument("--ours", default="vidx")
    options = parser.parse_args()
    if not options.html and not options.svg:
        parser.error("--html FILE or --svg FOLDER")
    shown = model(results.read(options.results), options.ours)
    if options.html:
        with open(options.html, "w", encoding="utf-8") as file:
            file.write(page(shown))
        print(options.html)
    if options.svg:
        os.makedirs(options.svg, exist_ok=True)
        for one in shown["sets"]:
            path = os.path.join(options.svg, f"recall-{one['title']}.svg")
            with open(path, "w", encoding="utf-8") as file:
                file.write(curves.drawing(one, shown))
            print(path)


if __name__ == "__main__":
    main()
