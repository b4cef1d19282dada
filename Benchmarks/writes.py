#!/usr/bin/env python3
"""Measures writes of vidx, sqlite-vec and pgvector in turns: single commits, bulk loads, searches beside a writer,
opening after a crash, and merges.

    writes.py [--data NAME] [--rows N] [--rounds N]     prints tables; raw results go to .build/bench/writes.jsonl
    writes.py --only merge --data resampled:n=110000    a merge of 10,000 rows into 100,000, beside a rebuild

All write rows and vectors through Python, one statement a row: vidx and sqlite-vec through the same SQLite library and
settings, pgvector through psycopg. Each round begins with empty databases on this machine's disk. `latency`: a search
process asks without pause while a writer inserts and merges at full speed, against the same searches without a
writer; merges are by command, behind each thousand rows, with one thread or two, or in the background, where a writer
that never pauses outruns them.
`crash`: a process that has inserted 100,000 rows (--crashed) in transactions of 1,000 is killed, and another opens the
database: until it has looked a row up, until it has counted all, and the first search, which reads all new vectors.
`merge`: the last `--merged` rows are inserted into an index of the others (100,000 at most) and merged ('optimize'),
then all are built anew ('rebuild'), round after round; and the recall@10 of both at default settings.
"""

import argparse
import multiprocessing
import os
import shutil
import signal
import statistics
import time

import numpy as np

import datasets
from engines import postgresql
from results import FOLDER, ROOT, Writer

EXTENSION = os.path.join(ROOT, ".build", "release", "libvidx.so")
SYNCHRONOUS = ("FULL", "NORMAL")
SINGLE = 300


class SQLite:
    """vidx or sqlite-vec in a file with a write-ahead log."""

    def __init__(self, folder, name, synchronous, dimensions):
        import apsw

        self.database = apsw.Connection(os.path.join(folder, f"{name}.db"))
        self.database.set_busy_timeout(60_000)
        self.database.enable_load_extension(True)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute(f"PRAGMA synchronous = {synchronous}")
        if name == "vidx":
            self.database.load_extension(EXTENSION)
            kind = f"vidx(dimensions = {dimensions})"
        else:
            import sqlite_vec

            self.database.load_extension(sqlite_vec.loadable_path())
            kind = f"vec0(vector float[{dimensions}])"
        self.database.execute("CREATE TABLE IF NOT EXISTS turns(id INTEGER PRIMARY KEY, role TEXT, quality REAL)")
        self.database.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS v USING {kind}")

    def begin(self):
        self.database.execute("BEGIN IMMEDIATE")

    def commit(self):
        self.database.execute("COMMIT")

    def insert(self, row, vector):
        self.database.execute("INSERT INTO turns VALUES (?, 'user', ?)", (row, row % 100 / 100))
        self.database.execute("INSERT INTO v(rowid, vector) VALUES (?, ?)", (row, vector.tobytes()))

    def close(self):
        self.database.close()


class PostgreSQL:
    """pgvector with an HNSW index, each row inserted into the graph when it comes."""

    def __init__(self, server, synchronous, dimensions):
        self.database = server.connect()
        self.database.execute("CREATE EXTENSION IF NOT EXISTS vector")
        postgresql.accept(self.database)
        # NORMAL loses the last commits with the power, as this does.
        self.database.execute(f"SET synchronous_commit = {'on' if synchronous == 'FULL' else 'off'}")
        self.database.execute("DROP TABLE IF EXISTS turns")
        self.database.execute(
            f"CREATE TABLE turns(id bigint PRIMARY KEY, role text, quality real, v vector({dimensions}))")
        self.database.execute("CREATE INDEX ON turns USING hnsw (v vector_cosine_ops)")

    def begin(self):
        self.database.execute("BEGIN")

    def commit(self):
        self.database.execute("COMMIT")

    def insert(self, row, vector):
        self.database.execute("INSERT INTO turns VALUES (%s, 'user', %s, %s)",
                              (row, row % 100 / 100, postgresql.encoded(vector)), prepare=True)

    def close(self):
        self.database.close()


def measure(engine, base, rows):
    """-> rows a second of one transaction, and of single ones."""
    begin = time.perf_counter()
    engine.begin()
    for row in range(rows):
        engine.insert(row + 1, base[row])
    engine.commit()
    bulk = rows / (time.perf_counter() - begin)
    begin = time.perf_counter()
    for row in range(rows, rows + SINGLE):
        engine.begin()
        engine.insert(row + 1, base[row])
        engine.commit()
    single = SINGLE / (time.perf_counter() - begin)
    return bulk, single


def rates(base, arguments, writer, folder):
    server = None
    if postgresql.missing() is None:
        server = postgresql.Server(os.path.join(folder, "postgresql"))
    found = {}
    try:
        for _ in range(arguments.rounds):
            for synchronous in SYNCHRONOUS:
                for name in ("vidx", "sqlite-vec") + (("pgvector",) if server else ()):
                    place = os.path.join(folder, "round")
                    os.makedirs(place)
                    if name == "pgvector":
                        engine = PostgreSQL(server, synchronous, base.shape[1])
                    else:
                        engine = SQLite(place, name, synchronous, base.shape[1])
                    bulk, single = measure(engine, base, arguments.rows)
                    engine.close()
                    shutil.rmtree(place)
                    found.setdefault((name, synchronous), []).append((bulk, single))
                    writer.write("writes", engine=name, synchronous=synchronous, rows=arguments.rows,
                                 bulk_rows_per_second=bulk, single_commits_per_second=single)
    finally:
        if server:
            server.close()
    print("| engine | synchronous | rows a second, one transaction | single-row transactions a second |")
    print("|---|---|---:|---:|")
    for (name, synchronous), pairs in found.items():
        bulk, single = (statistics.median(values) for values in zip(*pairs))
        print(f"| {name} | {synchronous} | {bulk:,.0f} | {single:,.0f} |")
    for synchronous in SYNCHRONOUS:
        for other, position, what in (("sqlite-vec", 0, "bulk"), ("sqlite-vec", 1, "single"), ("pgvector", 0, "bulk"),
                                      ("pgvector", 1, "single")):
            if (other, synchronous) in found:
                ratios = [ours[position] / theirs[position] for ours, theirs in
                          zip(found["vidx", synchronous], found[other, synchronous])]
                print(f"{synchronous}, {what}: {statistics.median(ratios):.2f} times {other}")


def write_and_merge(folder, base, rows, threads, in_background, stop):
    """The writer of `latency`: transactions of 100 rows; merges in the background, or 'merge' after every ten."""
    engine = SQLite(folder, "vidx", "NORMAL", base.shape[1])
    engine.database.execute(f"INSERT INTO v(v) VALUES ('threads = {threads}')")
    engine.database.execute(f"INSERT INTO v(v) VALUES ('maintenance = {'background' if in_background else 'off'}')")
    row = rows
    while not stop.is_set():
        engine.begin()
        for _ in range(100):
            row += 1
            engine.database.execute("INSERT OR REPLACE INTO v(rowid, vector) VALUES (?, ?)",
                                    (row, base[row % len(base)].tobytes()))
        engine.commit()
        if row % 1_000 == 0 and not in_background:
            engine.database.execute("INSERT INTO v(v) VALUES ('merge')")
    engine.close()


def percentiles(engine, queries, seconds):
    statement = "SELECT rowid FROM v WHERE vector MATCH ? AND k = 10"
    times, end, i = [], time.perf_counter() + seconds, 0
    while (begin := time.perf_counter()) < end:
        engine.database.execute(statement, (queries[i % len(queries)].tobytes(),)).fetchall()
        times.append(time.perf_counter() - begin)
        i += 1
    return np.percentile(times, [50, 99]) * 1e6


def latency(base, queries, arguments, writer, folder):
    place = os.path.join(folder, "latency")
    os.makedirs(place)
    rows = min(50_000, len(base))
    engine = SQLite(place, "vidx", "NORMAL", base.shape[1])
    engine.begin()
    for row in range(rows):
        engine.database.execute("INSERT INTO v(rowid, vector) VALUES (?, ?)", (row + 1, base[row].tobytes()))
    engine.commit()
    engine.database.execute("INSERT INTO v(v) VALUES ('optimize')")
    percentiles(engine, queries, 1)
    found = {"quiet": percentiles(engine, queries, arguments.seconds)}
    for threads, in_background in ((1, False), (2, False), (1, True)):
        stop = multiprocessing.Event()
        process = multiprocessing.Process(
            target=write_and_merge, args=(place, base, rows, threads, in_background, stop))
        process.start()
        percentiles(engine, queries, 1)
        name = f"merges {'in the background' if in_background else 'by command'}, threads = {threads}"
        found[name] = percentiles(engine, queries, arguments.seconds)
        stop.set()
        process.join()
        engine.database.execute("INSERT INTO v(v) VALUES ('optimize')")
    for name, (p50, p99) in found.items():
        print(f"search of {rows:,} rows, {name}: p50 {p50:.0f} us, p99 {p99:.0f} us, "
              f"{p99 / found['quiet'][1]:.1f} times the quiet one")
        writer.write("write_latency", state=name, rows=rows, p50_us=p50, p99_us=p99)


def insert_and_die(folder, base, rows):
    """The process of `crash`: killed with a transaction open."""
    engine = SQLite(folder, "vidx", "NORMAL", base.shape[1])
    for first in range(0, rows, 1_000):
        engine.begin()
        for row in range(first, min(first + 1_000, rows)):
            engine.database.execute("INSERT INTO v(rowid, vector) VALUES (?, ?)",
                                    (row + 1, base[row % len(base)].tobytes()))
        engine.commit()
    engine.begin()
    engine.database.execute("INSERT INTO v(rowid, vector) VALUES (?, ?)", (rows + 1, base[0].tobytes()))
    os.kill(os.getpid(), signal.SIGKILL)


def open_and_search(folder, query, pipe):
    """-> rows, and the seconds until one of them is found by its id, until they are counted, and until the first search
    has ended; in a process that has nothing in memory yet."""
    begin = time.perf_counter()
    engine = SQLite(folder, "vidx", "NORMAL", len(query))
    engine.database.execute("SELECT rowid FROM v WHERE rowid = 1").fetchall()
    opened = time.perf_counter() - begin
    rows = engine.database.execute("SELECT count(*) FROM v").fetchone()[0]
    counted = time.perf_counter() - begin
    engine.database.execute("SELECT rowid FROM v WHERE vector MATCH ? AND k = 10", (query.tobytes(),)).fetchall()
    pipe.send((rows, opened, counted, time.perf_counter() - begin))


def crash(base, queries, arguments, writer, folder):
    times = []
    for number in range(arguments.rounds):
        place = os.path.join(folder, f"crash{number}")
        os.makedirs(place)
        killed = multiprocessing.Process(target=insert_and_die, args=(place, base, arguments.crashed))
        killed.start()
        killed.join()
        ours, theirs = multiprocessing.Pipe()
        opener = multiprocessing.Process(target=open_and_search, args=(place, queries[0], theirs))
        opener.start()
        rows, *seconds = ours.recv()
        opener.join()
        if killed.exitcode != -signal.SIGKILL or rows != arguments.crashed:
            raise SystemExit(f"{rows} rows of {arguments.crashed} after exit code {killed.exitcode}")
        times.append(seconds)
        writer.write("crash", rows=rows, **dict(zip(("open_seconds", "count_seconds", "search_seconds"), seconds)))
        shutil.rmtree(place)
    opened, counted, searched = (1e3 * statistics.median(one) for one in zip(*times))
    print(f"after a crash with {arguments.crashed:,} new rows: a row found by its id after {opened:.1f} ms, "
          f"rows counted after {counted:.1f}, the first search ended after {searched:.0f}")


def recall(engine, queries):
    """recall@10 at default settings; rows as near as the tenth count as well as any."""
    statement = "SELECT distance FROM v WHERE vector MATCH ? AND k = 10"
    found = 0
    for query in queries:
        exact = engine.database.execute(statement + " AND exact = 1", (query.tobytes(),)).fetchall()
        near = engine.database.execute(statement, (query.tobytes(),)).fetchall()
        found += sum(distance <= exact[-1][0] + 1e-6 for distance, in near)
    return found / (10 * len(queries))


def timed(engine, command):
    begin = time.perf_counter()
    engine.database.execute("INSERT INTO v(v) VALUES (?)", (command,))
    return time.perf_counter() - begin


def merge(base, queries, arguments, writer, folder):
    rows = min(100_000, len(base) - arguments.merged)
    ratios, recalls = [], []
    for number in range(arguments.rounds):
        place = os.path.join(folder, f"merge{number}")
        os.makedirs(place)
        engine = SQLite(place, "vidx", "NORMAL", base.shape[1])
        for part in (range(rows), range(rows, rows + arguments.merged)):
            engine.begin()
            for row in part:
                engine.database.execute("INSERT INTO v(rowid, vector) VALUES (?, ?)", (row + 1, base[row].tobytes()))
            engine.commit()
            merged = timed(engine, "optimize")
        after = recall(engine, queries)
        rebuilt = timed(engine, "rebuild")
        anew = recall(engine, queries)
        engine.close()
        shutil.rmtree(place)
        writer.write("merge", rows=rows, merged=arguments.merged, merge_seconds=merged, rebuild_seconds=rebuilt,
                     recall_after_merge=after, recall_after_rebuild=anew)
        print(f"merge of {arguments.merged:,} rows into {rows:,}: {merged:.3f} s; rebuild: {rebuilt:.3f} s; "
              f"recall {after:.4f}, {anew:.4f}")
        ratios.append(merged / rebuilt)
        recalls.append(after - anew)
    print(f"merge: {statistics.median(ratios):.3f} of a rebuild; recall {statistics.median(recalls):+.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=datasets.available()[0])
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("rates", "latency", "crash", "merge"), help="only this; otherwise all")
    parser.add_argument("--merged", type=int, default=10_000, help="rows of `merge`")
    parser.add_argument("--crashed", type=int, default=100_000, help="rows of `crash`")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement of latency")
    arguments = parser.parse_args()
    data = datasets.prepare(arguments.data)
    base, queries = np.ascontiguousarray(data.base(), dtype=np.float32), data.queries()
    folder = os.path.join(FOLDER, "scratch", "writes")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    writer = Writer(os.path.join(FOLDER, "writes.jsonl"))
    try:
        if arguments.only in (None, "rates"):
            rates(base, arguments, writer, folder)
        if arguments.only in (None, "latency"):
            latency(base, queries, arguments, writer, folder)
        if arguments.only in (None, "crash"):
            crash(base, queries, arguments, writer, folder)
        if arguments.only in (None, "merge"):
            merge(base, queries, arguments, writer, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
