#!/usr/bin/env python3
"""Times whole processes of the command (start, open the database, answer, end) and writes in transactions.

    startup.py [--data NAME]        results go to .build/bench/<data>.jsonl as the others do

The first run of a command is not counted: it brings the files into the page cache.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

import datasets
from results import FOLDER, ROOT, Writer

RELEASE = os.path.join(ROOT, ".build", "release")
ROWS_FOR_WRITES = 22_000


def timed(command, runs):
    """-> seconds and peak resident megabytes of each run, without the first"""
    script = os.path.join(ROOT, "Benchmarks", "timed.py")
    done = subprocess.run([sys.executable, "-I", script, str(runs + 1), *command], stdout=subprocess.PIPE, check=True)
    return zip(*json.loads(done.stdout)[1:])


def commands(data, writer, runs):
    vidx = os.path.join(RELEASE, "vidx")
    folder = os.path.join(FOLDER, "scratch", "startup")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    database = os.path.join(folder, "vectors.db")
    index = ["--index", "bench"]
    build = [vidx, "build", database, *index, "--vectors", data.base_path, "--ef-construction", "200"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    files = database + "-vidx"
    mapped = sum(os.path.getsize(os.path.join(files, name)) for name in os.listdir(files))
    search = [vidx, "search", database, *index, "--query-file", data.query_path]
    wanted = {
        "vidx --version": [vidx, "--version"],
        "one search, k=10": search + ["--row", "0", "-k", "10"],
        "all queries, k=10": search + ["-k", "10"],
    }
    for name, command in wanted.items():
        seconds, megabytes = timed(command, runs)
        fields = {
            "milliseconds": round(statistics.median(seconds) * 1000, 1),
            "milliseconds_max": round(max(seconds) * 1000, 1), "peak_resident_mb": round(max(megabytes), 1),
            "index_files_mb": round(mapped / 2**20, 1)}
        writer.write("startup", engine="vidx", command=name, **fields)
        print(json.dumps({"command": name, **fields}), flush=True)
    shutil.rmtree(folder)


def writes(data, writer):
    """The worker VidxBenchmarks does them: rows and vectors in transactions, then a merge."""
    for operation in worker(f"load {data.base_path} {data.query_path}", f"writes directory={FOLDER}/scratch")[1]:
        writer.write("write", engine="vidx", **operation)
        print(json.dumps(operation), flush=True)


def bandwidth(data, writer):
    """What this machine reads at best: the bound of a scan."""
    commands = ("load {0.base_path} {0.query_path}", "build flat directory={1}/scratch", "bandwidth")
    found = worker(*(command.format(data, FOLDER) for command in commands))[-1]
    writer.write("bandwidth", gigabytes_per_second=found["gigabytes_per_second"])
    print(json.dumps(found), flush=True)


def worker(*commands):
    """The answers of Benchmarks/VidxBenchmarks, our worker without Python."""
    asked = "".join(f"{command}\n" for command in (*commands, "quit"))
    done = subprocess.run([os.path.join(RELEASE, "VidxBenchmarks")], input=asked, capture_output=True, text=True,
                          check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        if "error" in answer:
            raise SystemExit(f"VidxBenchmarks: {answer['error']}")
    return answers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=datasets.available()[0])
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    data = datasets.prepare(options.data)
    writer = Writer(os.path.join(FOLDER, f"{data.name}.jsonl"), **data.facts())
    commands(data, writer, options.runs)
    bandwidth(data, writer)
    if data.shape.rows >= ROWS_FOR_WRITES:  # they want rows to add to others: more than the demo has
        writes(data, writer)


if __name__ == "__main__":
    main()
