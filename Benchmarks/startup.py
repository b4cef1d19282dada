#!/usr/bin/env python3
"""Times whole processes: start, open the database, answer one search, end. Prints wall time and peak resident memory.

    startup.py --vidx .build/release/vidx DB INDEX QUERIES.npy

The first run is not counted: it brings the files into the page cache.
"""

import argparse
import json
import os
import statistics
import subprocess
import time


def run(command):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{command} failed with {status}")
    return seconds, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("index")
    parser.add_argument("queries")
    parser.add_argument("--vidx", default=".build/release/vidx")
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    search = [options.vidx, "search", options.database, "--index", options.index, "--query-file", options.queries]
    folder = options.database + "-vidx"
    mapped = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
    commands = {
        "vidx --version": [options.vidx, "--version"],
        "one search, k=10": search + ["--row", "0", "-k", "10"],
        "all queries, k=10": search + ["-k", "10"],
    }
    for name, command in commands.items():
        run(command)
        seconds, megabytes = zip(*(run(command) for _ in range(options.runs)))
        print(
            json.dumps(
                {
                    "command": name,
                    "milliseconds": round(statistics.median(seconds) * 1000, 1),
                    "milliseconds_max": round(max(seconds) * 1000, 1),
                    "peak_resident_mb": round(max(megabytes), 1),
                    "index_files_mb": round(mapped / 2**20, 1),
                }
            )
        )


if __name__ == "__main__":
    main()
