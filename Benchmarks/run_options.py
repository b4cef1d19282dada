#!/usr/bin/env python3
"""The options of run.py, apart from it so that they can be checked where nothing is installed.

`run_options.py OPTION...` does only that, for scripts/bench.sh.
"""

import argparse
import os

import engines


def parser(**about):
    """None stands for what depends on the machine or on other options. `about` goes to ArgumentParser."""
    result = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **about)
    result.add_argument("--data", help="see Benchmarks/datasets.py")
    result.add_argument("--engines", type=engine_names, default=list(engines.ALL), help=", ".join(engines.ALL))
    result.add_argument("--only", help="regular expression over 'engine configuration'")
    result.add_argument("--quick", action="store_true", help="fewer configurations and settings, two short rounds")
    result.add_argument("--reference", default="hnswlib HNSW M=16", help="in every group")
    result.add_argument("--rounds", type=int)
    result.add_argument("--seconds", type=float, help="at least, of each run")
    result.add_argument("--threads", type=int, default=2, help="of builds")
    result.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    result.add_argument("-k", type=int, default=10)
    result.add_argument("--memory-gb", type=float, default=8, help="of all indexes of a group, estimated")
    result.add_argument("--build-timeout", type=float, default=1800)
    result.add_argument("--batches", action="store_true", help="all queries in one call, too")
    result.add_argument("--finalists", action="store_true",
                        help="only the best configurations found before, all in one group: direct ratios")
    result.add_argument("--out", help="default: .build/bench/<data>.jsonl")
    return result


def engine_names(text):
    names = text.split(",")
    for name in names:
        if name not in engines.ALL:
            raise argparse.ArgumentTypeError(f"no engine named {name}; there are {', '.join(engines.ALL)}")
    return names


if __name__ == "__main__":
    parser(prog="scripts/bench.sh", description="Installs the engines into .venv and measures them.").parse_args()
