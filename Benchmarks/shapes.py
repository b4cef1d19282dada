#!/usr/bin/env python3
"""The five queries of docs/POSTGRESQL.md, timed in vidx and in pgvector over the same rows, with what each finds.

    shapes.py [--data FOLDER] [--rows N] [--rounds 5]

FOLDER is one like ../shared/data/sgd (default: VIDX_SGD, else the repository's packages). Both are called from this
process: vidx in its sqlite3, PostgreSQL by psycopg with prepared statements. All ways of a shape take turns in rounds.
Recall is against PostgreSQL without an index on vectors. Needs a Python whose sqlite3 loads extensions, and
`scripts/check-postgresql.sh` once, which installs PostgreSQL: PYTHONPATH=.build/pgvector /usr/bin/python3 shapes.py.
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time

import numpy as np

from engines import postgresql
from results import FOLDER, ROOT, Writer

sys.path.insert(0, os.path.join(ROOT, "datasets", "conversations"))

import make  # noqa: E402
import postgres  # noqa: E402
import queries  # noqa: E402

EXTENSION = os.path.join(ROOT, ".build", "release", "libvidx.so")
COUNT, RECALL, TOLERANCE = 40, 0.95, 1e-6
# Of one connection each: no iterative scan as pgvector has it by default, and its two kinds.
SCANS = ("off", "relaxed_order", "strict_order")
EFS = (40, 200, 1000)


class Way:
    """One way to ask: `ask` takes a set of parameters and gives rows, the distance last."""

    def __init__(self, engine, name, ask, sets):
        self.engine, self.name, self.ask, self.sets = engine, name, ask, sets
        self.seconds = [[] for _ in sets]

    def recall(self, truths):
        found = wanted = 0
        for parameters, truth in zip(self.sets, truths):
            if truth:
                distances = [row[-1] for row in self.ask(parameters)]
                found += min(len(truth), sum(distance <= truth[-1] + TOLERANCE for distance in distances))
                wanted += len(truth)
        return found / wanted

    def round(self):
        for parameters, seconds in zip(self.sets, self.seconds):
            begun = time.perf_counter()
            self.ask(parameters)
            seconds.append(time.perf_counter() - begun)

    def facts(self):
        """Of the medians of all rounds, one for each set of parameters."""
        each = [1000 * statistics.median(seconds) for seconds in self.seconds]
        return {"mean_ms": statistics.fmean(each), "p50_ms": statistics.median(each), "slowest_ms": max(each)}


class Shapes:
    def __init__(self, folder, options):
        self.data = None if options.data == "packages" else options.data
        path = os.path.join(folder, "app.db")
        self.rows = make.make(path, self.data, options.rows)
        make.index(path, "hnsw")
        self.sqlite = sqlite3.connect(path, isolation_level=None)
        self.sqlite.enable_load_extension(True)
        self.sqlite.load_extension(EXTENSION)
        making, self.declared = queries.filter_columns()
        self.sqlite.executescript(making)
        self.server = postgresql.Server(os.path.join(folder, "data"))
        self.postgres = self.connect()
        postgres.copy(path, self.postgres)
        self.truths = {letter: self.truth(letter) for letter in queries.shapes()}
        self.postgres.execute("SET maintenance_work_mem = '2GB'")
        for table in ("messages", "executions", "memories"):
            self.postgres.execute(f"CREATE INDEX {table}_embedding ON {table} USING hnsw (embedding vector_cosine_ops) "
                                  "WITH (m = 16, ef_construction = 200)")
        self.postgres.execute("ANALYZE")
        self.connections = {(scan, ef): self.connect(scan, ef) for scan in SCANS for ef in EFS}

    def connect(self, scan=None, ef=None):
        connection = self.server.connect()
        connection.execute("SET jit = off")
        if scan:
            postgresql.accept(connection)
            connection.execute("SELECT NULL::vector <=> NULL")  # loads pgvector, which has the settings
            connection.execute(f"SET hnsw.iterative_scan = {scan}")
            connection.execute(f"SET hnsw.ef_search = {ef}")
        return connection

    def parameters(self, letter):
        return list(queries.parameters(letter, self.sqlite, self.data, COUNT))

    def truth(self, letter):
        """Ascending distances of the exact answer to each set of parameters."""
        postgresql.accept(self.postgres)
        ask = self.postgres_way(self.postgres, queries.shapes()[letter][0])
        return [sorted(row[-1] for row in ask(self.encoded(one, postgresql.encoded)))
                for one in self.parameters(letter)]

    @staticmethod
    def encoded(parameters, form):
        return {name: form(value) if isinstance(value, np.ndarray) else value for name, value in parameters.items()}

    @staticmethod
    def postgres_way(connection, sql):
        text = queries.for_postgres(sql)
        return lambda parameters: connection.execute(text, parameters, prepare=True).fetchall()

    def ways(self, letter):
        theirs, filter_first, stream, _ = queries.shapes()[letter]
        sets = self.parameters(letter)
        ours = [self.encoded(one, lambda vector: vector.tobytes()) for one in sets]
        ways = [("filter first", filter_first), ("ordered stream", stream)]
        if letter in self.declared:
            ways.append(("filter columns", self.declared[letter]))
        for name, sql in ways:
            yield Way("vidx", name, lambda one, sql=sql: self.sqlite.execute(sql, one).fetchall(), ours)
        encoded = [self.encoded(one, postgresql.encoded) for one in sets]
        for (scan, ef), connection in self.connections.items():
            yield Way("pgvector", f"{scan}, ef {ef}", self.postgres_way(connection, theirs), encoded)

    def measure(self, letter, rounds):
        ways = list(self.ways(letter))
        recalls = [way.recall(self.truths[letter]) for way in ways]  # warms up, too
        for _ in range(rounds):
            for way in ways:
                way.round()
        return [{"shape": letter, "engine": way.engine, "way": way.name, "recall": recall, **way.facts()}
                for way, recall in zip(ways, recalls)]

    def close(self):
        for connection in (self.sqlite, self.postgres, *self.connections.values()):
            connection.close()
        self.server.close()


def shown(lines):
    """One line of a table: the fastest of each engine that reaches the recall, else what it reaches."""
    cells, best = [], {}
    for engine in ("vidx", "pgvector"):
        own = [line for line in lines if line["engine"] == engine]
        good = [line for line in own if line["recall"] >= RECALL]
        best[engine] = min(good, key=lambda line: line["mean_ms"]) if good else max(own, key=lambda one: one["recall"])
        line = best[engine]
        cells.append(f"{line['mean_ms']:.2f} ms ({line['way']}, recall {line['recall']:.3f})")
    ratio = best["pgvector"]["mean_ms"] / best["vidx"]["mean_ms"]
    return f"| {lines[0]['shape']} | {' | '.join(cells)} | {ratio:.1f}x |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("VIDX_SGD", "packages"))
    parser.add_argument("--rows", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.makedirs(FOLDER, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="shapes-", dir=FOLDER)
    try:
        shapes = Shapes(folder, options)
        writer = Writer(os.path.join(FOLDER, "shapes.jsonl"), rows=shapes.rows["messages"],
                        pgvector=postgresql.version())
        print(f"{shapes.rows['messages']:,} messages, pgvector {postgresql.version()}\n")
        print("| shape | vidx | pgvector | |\n|---|---|---|---|")
        for letter in queries.shapes():
            lines = shapes.measure(letter, options.rounds)
            for line in lines:
                writer.write("shape", **line)
            print(shown(lines), flush=True)
        shapes.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
