"""One engine, one configuration, one process: commands as lines of JSON on standard input, answers on standard output.

Started by process.py. What a library prints goes to standard error, so that it cannot get between the answers.
"""

import ctypes
import json
import os
import shutil
import sys
import time

import numpy as np

import engines
from engines.engine import Configuration, Refused, Shape
from engines.filter import Columns, Filter


def memory(pid="self"):
    """Resident megabytes of a process: all of it, and the part backed by files."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        fields = dict(line.split(":", 1) for line in status)
    megabytes = {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssFile")}
    return megabytes["VmRSS"], megabytes["RssFile"]


def give_back():
    """Returns what has been freed to the system, so that memory of the build does not count as the index's."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:  # not glibc
        pass


class Worker:
    def __init__(self, name, folder):
        self.engine = engines.make(name)
        self.engine.folder = folder
        self.folder = folder

    def start(self):
        self.engine.start()
        return {"version": self.engine.version()}

    def configurations(self, shape, filtered=False):
        named = self.engine.filtered_configurations if filtered else self.engine.configurations
        found = named(Shape(**shape))
        return {"configurations": [dict(c.__dict__, sweep=list(c.sweep)) for c in found]}

    def load(self, base, queries, shape, columns=None):
        self.base_path = base
        self.queries = np.load(queries)
        self.shape = Shape(**shape)
        if columns:
            self.engine.columns = Columns.load(columns)
        return {}

    def filter(self, kinds, chosen):
        """The filters of the next searches: `kinds` as keywords of Filter, and which of them each query has."""
        made = [Filter(**{**kind, "join": tuple(kind["join"])}) for kind in kinds]
        self.filters = [made[number] for number in chosen]
        return {}

    def build(self, configuration, threads):
        # Mapped, not read: what the engine keeps of it by itself is not the engine's memory.
        base = np.load(self.base_path, mmap_mode="r")
        self.before = memory()
        start = time.perf_counter()
        self.engine.build(base, self.shape, Configuration(**configuration), threads)
        seconds = time.perf_counter() - start
        del base
        self.engine.opened()
        give_back()
        return {"seconds": seconds}

    def memory(self):
        """Grown since the build began; asked after searches, so that what they touch of mapped files is in it."""
        give_back()
        others = [memory(pid) for pid in self.engine.processes()]
        now = [sum(column) for column in zip(memory(), *others)]
        files = now[1] - self.before[1]
        disk = sum(
            os.path.getsize(os.path.join(folder, name))
            for folder, _, names in os.walk(self.folder) for name in names if not name.startswith("base."))
        return {"resident_mb": now[0] - self.before[0], "mapped_mb": files, "disk_mb": disk / 2**20}

    def search(self, setting, k, ids=None, at_most=None, at_least=1, seconds=None, filtered=False):
        """Asks the queries one by one, up to `at_most`, for `seconds` or more (in whole passes, but for slow ones).

        -> seconds and number of all calls together, and percentiles of the single calls in microseconds. Processor
        seconds too: they say little of an engine with a server or threads, but others' work does not disturb them.
        """
        self.engine.use(setting)
        arguments, search = self.asked(k, at_most, filtered)
        clock = time.perf_counter_ns
        answers, times = [], []
        begun, busy = clock(), time.process_time()
        limit = begun + int((seconds or 0) * 1e9)
        while True:
            for argument in arguments:
                start = clock()
                answer = search(argument, k)
                end = clock()
                times.append(end - start)
                if ids:
                    answers.append(answer)
                if seconds and end > 4 * (limit - begun) + begun and len(times) >= at_least:
                    break
            if ids or not seconds or clock() >= limit:
                break
        busy = time.process_time() - busy
        if ids:
            self.write(answers, k, ids)
        nanoseconds = np.array(times)
        p50, p95, p99 = np.percentile(nanoseconds, (50, 95, 99)) / 1000
        total = float(nanoseconds.sum()) / 1e9
        return {"seconds": total, "cpu_seconds": busy, "calls": len(times), "p50_us": p50, "p95_us": p95, "p99_us": p99}

    def asked(self, k, at_most, filtered):
        """-> the first queries as the engine takes them, and what it takes them with"""
        queries = self.queries[:at_most]
        if filtered:
            return self.engine.filtered_arguments(queries, k, self.filters[:at_most]), self.engine.filtered_search
        return self.engine.arguments(queries, k), self.engine.search

    def told(self, setting, k, at_most=None):
        """What the engine says of each filtered search: how often which plan, means of its counters, and the distance
        computations of every one."""
        self.engine.use(setting)
        arguments, search = self.asked(k, at_most, filtered=True)
        plans, sums, distances = {}, {}, []
        for argument in arguments:
            search(argument, k)
            said = self.engine.told()
            distances += [said["distance_computations"]] if "distance_computations" in said else []
            for name, value in said.items():
                if isinstance(value, str):
                    plans[value] = plans.get(value, 0) + 1
                else:
                    sums[name] = sums.get(name, 0) + value / len(arguments)
        return {"plans": plans, "means": {name: round(value, 2) for name, value in sums.items()},
                "distances": distances}

    def write(self, answers, k, path):
        rows = np.full((len(answers), k), -1, np.int64)
        for row, answer in zip(rows, answers):
            found = np.asarray(self.engine.ids(answer), dtype=np.int64)[:k]
            row[: len(found)] = found
        np.save(path, rows)

    def batch(self, setting, k, threads, ids=None):
        self.engine.use(setting)
        start = time.perf_counter()
        found = self.engine.batch(self.queries, k, threads)
        seconds = time.perf_counter() - start
        if ids:
            np.save(ids, np.asarray(found, dtype=np.int64))
        return {"seconds": seconds, "calls": len(self.queries)}

    def call(self, name, arguments):
        """What one engine can do beyond the rest (spec_targets.py)."""
        return {"value": getattr(self.engine, name)(*arguments)}

    def pids(self):
        return {"pids": self.engine.processes()}

    def quit(self):
        self.engine.close()
        return {}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder = sys.argv[2]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    worker = Worker(sys.argv[1], folder)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(worker, command.pop("do"))(**command)
        except Refused as refused:
            answer = {"refused": str(refused)}
        except BaseException as error:  # a panic of a Rust binding is no Exception; all goes to the harness
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
