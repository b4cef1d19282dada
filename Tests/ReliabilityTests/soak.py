#!/usr/bin/env python3
"""Four processes at one database, as long as you like: two write, one merges, one searches.

    scripts/check-reliability.sh --soak 3600 [dimensions]

Rows are inserted, replaced, updated and deleted, about 200 a second for each writer; two indexes, `hnsw` and `ivfflat`,
follow their table and are merged as they grow. As a host should, the process that merges also lets the write-ahead log
begin anew. In the first half processes are killed now and then; in the second they live, and what they take is watched.

Each tenth pair of searches is compared with every row: the exact one has to be the same, and the other's rows have to
be rows that pass, at their distances; how many of the nearest it found is its recall. Prints a line a minute and ends
with 1 when an answer is wrong, recall is below 0.9, or memory, descriptors, mapped regions or files are well above what
they were early on.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import numpy

import model

ROWS = 20_000
RATE = 200  # rows a second, of each writer
INDEXES = {"graph_vectors": "index = hnsw", "list_vectors": "index = ivfflat, lists = 64"}
MERGE_AFTER = 1_000
KINDS = "abc"


def vector(chance, dimensions):
    """Near one of a hundred centres, as texts are near topics."""
    centre = numpy.random.default_rng(chance.randrange(100)).standard_normal(dimensions)
    noise = numpy.random.default_rng(chance.getrandbits(64)).standard_normal(dimensions)
    return (centre + noise / 2).astype(numpy.float32)


def is_locked(error):
    return "locked" in str(error) or "busy" in str(error)


# ---- What the processes do: each tells a character for what it has done


def change(database, chance, number, dimensions):
    """One change of a row that this writer has for itself."""
    row, what = 2 * chance.randrange(ROWS // 2) + number, chance.random()
    if what < 0.2:
        database.execute("DELETE FROM docs WHERE id = ?", (row,))
    elif what < 0.3:
        database.execute("UPDATE docs SET kind = ? WHERE id = ?", (chance.choice(KINDS), row))
    elif what < 0.5:
        database.execute("UPDATE docs SET v = ? WHERE id = ?", (vector(chance, dimensions).tobytes(), row))
    else:
        database.execute("INSERT OR REPLACE INTO docs VALUES (?, ?, ?)",
                         (row, chance.choice(KINDS), vector(chance, dimensions).tobytes()))


def write(path, number, dimensions):
    """`.` for each commit."""
    chance = random.Random(os.getpid())
    database = model.connect(path, timeout=60)
    while True:
        count = chance.choice((1, 1, 10, 100))
        try:
            database.execute("BEGIN IMMEDIATE")
            for _ in range(count):
                change(database, chance, number, dimensions)
            database.execute("COMMIT")
            os.write(sys.stdout.fileno(), b".")
        except sqlite3.OperationalError as error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            if not is_locked(error):
                raise
        time.sleep(count / RATE)


def merge(path):
    """`m` for each merge that wrote a segment, `c` for each checkpoint after which the log begins anew."""
    database = model.connect(path, timeout=60)
    while True:
        for index in INDEXES:
            time.sleep(0.5)
            names = f"SELECT group_concat(file) FROM {index}_segments"
            before = database.execute(names).fetchone()
            try:
                database.execute(f"INSERT INTO {index}({index}) VALUES ('merge')")
            except sqlite3.OperationalError as error:
                if not is_locked(error):
                    raise
            merged = database.execute(names).fetchone() != before
            # Waits for readers of the log, up to the timeout. The file's size then says what has come since.
            busy = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            os.write(sys.stdout.fileno(), b"m" * merged + b"c" * (not busy))


class Worker:
    """A process of its own, not a fork: it has nothing of the one that searches."""

    def __init__(self, *arguments):
        self.arguments, self.told = arguments, ""
        self.begin()

    def begin(self):
        self.process = subprocess.Popen([sys.executable, __file__, *map(str, self.arguments)], stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)

    def listen(self):
        """It must be alive."""
        self.told += (self.process.stdout.read() or b"").decode()
        if self.process.poll() is not None:
            raise model.Wrong(f"{' '.join(map(str, self.arguments))} ended with {self.process.returncode}")

    def kill(self):
        self.listen()
        self.process.kill()
        self.process.wait()
        self.told += (self.process.stdout.read() or b"").decode()
        self.process.stdout.close()


# ---- The process that searches


class Searches:
    def __init__(self, path, dimensions):
        self.dimensions, self.count, self.checked, self.recalled = dimensions, 0, 0, 0.0
        self.database, self.chance = model.connect(path, timeout=60), random.Random(5)

    def one(self, index):
        """A search among the rows of a kind, and on each tenth turn an exact one beside it."""
        query, kind, self.count = vector(self.chance, self.dimensions), self.chance.choice(KINDS), self.count + 1
        exact = self.count % 10 == 0
        self.database.execute("BEGIN")
        answers = [self.database.execute(
            f"SELECT rowid, distance FROM {index} WHERE vector MATCH ? AND k = 10 AND kind = ? AND exact = ? "
            "ORDER BY distance, rowid", (query.tobytes(), kind, is_exact)).fetchall() for is_exact in range(1 + exact)]
        if exact:
            self.compare(query, kind, *answers)
        self.database.execute("COMMIT")

    def compare(self, query, kind, found, exact):
        rows = self.database.execute("SELECT id, v FROM docs WHERE kind = ?", (kind,)).fetchall()
        vectors = numpy.frombuffer(b"".join(bytes_ for _, bytes_ in rows), numpy.float32)
        distances = numpy.linalg.norm(vectors.reshape(len(rows), -1).astype(float) - query, axis=1)
        by_row = dict(zip((row for row, _ in rows), distances))
        nearest = numpy.sort(distances)[:10]
        for what, answer in (("found", found), ("found exactly", exact)):
            if any(abs(by_row.get(row, -1) - distance) > 1e-3 for row, distance in answer):
                raise model.Wrong(f"{what} {answer}: not the rows of kind {kind}, or not at their distances")
        if len(exact) != len(nearest) or any(abs(nearest - [distance for _, distance in exact]) > 1e-3):
            raise model.Wrong(f"found exactly {exact} instead of {nearest}")
        self.recalled += sum(distance <= nearest[-1] + 1e-3 for _, distance in found) / max(1, len(nearest))
        self.checked += 1

    def recall(self):
        return self.recalled / max(1, self.checked)


# ---- What is watched


def of_process(process):
    with open(f"/proc/{process}/status") as file:
        resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    with open(f"/proc/{process}/maps") as file:
        return {"MiB": resident / 1024, "descriptors": len(os.listdir(f"/proc/{process}/fd")),
                "regions": sum(1 for _ in file)}


def of_files(path):
    def size(name):
        try:
            return os.path.getsize(name) / 2**20
        except FileNotFoundError:
            return 0  # swept meanwhile
    folder = path + "-vidx"
    segments = [os.path.join(folder, name) for name in os.listdir(folder)] if os.path.isdir(folder) else []
    return {"database": size(path), "log": size(path + "-wal"), "segments": sum(map(size, segments)),
            "count": len(segments)}


# What may come on top of half as much again.
SLACK = {"MiB": 30, "descriptors": 10, "regions": 50, "database": 5, "log": 5, "segments": 5, "count": 10}


class Watch:
    """Figures of a process or of the files, a set for each line that is printed."""

    def __init__(self, name, measure):
        self.name, self.measure, self.sets = name, measure, []

    def look(self):
        self.sets.append(self.measure())
        return self.sets[-1]

    def compare(self):
        """Fails when one is well above what it was early on: the largest of the second tenth, and of the last."""
        tenth = max(1, len(self.sets) // 10)
        for what, slack in SLACK.items():
            if what in self.sets[0]:
                early = max(one[what] for one in self.sets[tenth : 2 * tenth])
                late = max(one[what] for one in self.sets[-tenth:])
                if late > 1.5 * early + slack:
                    raise model.Wrong(f"{self.name}: {what} grew from {early:.1f} to {late:.1f}")


class Soak:
    def __init__(self, path, seconds, dimensions):
        self.path, self.seconds, self.dimensions = path, seconds, dimensions
        self.create()
        self.workers = [Worker("write", path, 0, dimensions), Worker("write", path, 1, dimensions),
                        Worker("merge", path)]
        self.searches, self.chance, self.killed = Searches(path, dimensions), random.Random(9), 0
        self.watches = [Watch("files", lambda: of_files(path)), Watch("searching", lambda: of_process("self"))]

    def create(self):
        database = model.connect(self.path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, kind TEXT, v BLOB)")
        chance = random.Random(7)
        database.execute("BEGIN")
        for row in range(ROWS * 3 // 4):
            database.execute("INSERT INTO docs VALUES (?, ?, ?)",
                             (row, chance.choice(KINDS), vector(chance, self.dimensions).tobytes()))
        database.execute("COMMIT")
        for name, options in INDEXES.items():
            database.execute(f"CREATE VIRTUAL TABLE {name} USING vidx(dimensions = {self.dimensions}, metric = l2, "
                             f"{options}, content = docs, column = v, filter kind)")
            database.execute(f"INSERT INTO {name}({name}) VALUES ('merge_after = {MERGE_AFTER}'), ('merge')")
        database.close()

    def run(self):
        begin, next_line, next_kill, names = time.monotonic(), 0.0, 0.0, list(INDEXES)
        while (now := time.monotonic() - begin) < self.seconds:
            self.searches.one(names[self.searches.count % 2])
            if now >= next_kill and now < self.seconds / 2:
                next_kill = now + min(30, self.seconds / 20)
                one = self.chance.choice(self.workers)
                one.kill()
                one.begin()
                self.killed += 1
            if now >= self.seconds / 2 and len(self.watches) == 2:  # they live from now on
                self.watches += [Watch(worker.arguments[0], lambda pid=worker.process.pid: of_process(pid))
                                 for worker in self.workers]
            if now >= next_line:
                next_line = now + min(60, self.seconds / 40)
                self.line(now)
        self.end()

    def line(self, now):
        for worker in self.workers:
            worker.listen()
        rows = self.searches.database.execute("SELECT count(*) FROM docs").fetchone()[0]
        told = "".join(worker.told for worker in self.workers)
        print(f"{now:6.0f} s  {rows} rows, {told.count('.')} commits, {self.searches.count} searches, "
              f"{self.searches.checked} checked, recall {self.searches.recall():.3f}, {told.count('m')} merges, "
              f"{told.count('c')} checkpoints, {self.killed} killed", flush=True)
        for watch in self.watches:
            figures = ", ".join(f"{what} {figure:.0f}" for what, figure in watch.look().items())
            print(f"          {watch.name}: {figures}", flush=True)

    def end(self):
        for worker in self.workers:
            worker.kill()
        database = self.searches.database
        for name in INDEXES:
            database.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")
        for watch in self.watches:
            watch.compare()
        if self.searches.recall() < 0.9:
            raise model.Wrong(f"recall {self.searches.recall():.3f}")
        if not all("m" in worker.told for worker in self.workers[2:]):
            raise model.Wrong("nothing was merged")
        failed = model.optimize(self.path)
        if failed:
            raise model.Wrong(failed)
        print(f"ok; after an optimize: {of_files(self.path)}")


def main(arguments):
    what, numbers = arguments[0], [int(one) for one in arguments[2:]]
    if what == "write":
        write(arguments[1], *numbers)
    elif what == "merge":
        merge(arguments[1])
    else:
        folder = tempfile.mkdtemp(prefix="vidx-soak-")
        print(f"in {folder}, which stays when something is wrong", flush=True)
        Soak(os.path.join(folder, "app.db"), float(what), int(arguments[1]) if len(arguments) > 1 else 32).run()
        shutil.rmtree(folder)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main(sys.argv[1:])
