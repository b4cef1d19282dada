#!/usr/bin/env python3
"""The options of filters.py, apart from it so that they can be checked where nothing is installed.

`filter_options.py OPTION...` does only that, for scripts/bench.sh --filters.
"""

import argparse
import os

import engines
from run_options import engine_names

# Shares of rows that pass a filter on a uniform column; rows of the query's own label, of another; a four-table join.
CELLS = ("50 %", "10 %", "1 %", "0.1 %", "0.01 %", "near", "far", "join")


def cell_names(text):
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in CELLS:
            raise argparse.ArgumentTypeError(f"no cell named {name}; there are {', '.join(CELLS)}")
    return names


def parser(**about):
    result = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **about)
    result.add_argument("--data", help="see Benchmarks/datasets.py")
    result.add_argument("--engines", type=engine_names, default=list(engines.ALL), help=", ".join(engines.ALL))
    result.add_argument("--only", help="regular expression over 'engine configuration'")
    result.add_argument("--modes", default="", help="regular expression over the modes of engines")
    result.add_argument("--cells", type=cell_names, default=list(CELLS), help=", ".join(CELLS).replace("%", "%%"))
    result.add_argument("-k", type=lambda text: [int(k) for k in text.split(",")], default=[10, 100])
    result.add_argument("--queries", type=int, default=300)
    result.add_argument("--rounds", type=int, default=3)
    result.add_argument("--seconds", type=float, default=0.1, help="at least, of each measurement")
    result.add_argument("--threads", type=int, default=2, help="of builds")
    result.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    result.add_argument("--build-timeout", type=float, default=1800)
    result.add_argument("--out", help="default: .build/bench/filters-<data>.jsonl")
    return result


if __name__ == "__main__":
    parser(prog="scripts/bench.sh --filters", description="Measures filtered searches.").parse_args()
