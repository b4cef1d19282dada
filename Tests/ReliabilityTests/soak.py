#!/usr/bin/env python3
"""Four processes at one database, as long as you like: inserts, deletes, searches, merges, killed now and then.

    scripts/check-reliability.sh --soak 3600 [dimensions]

Prints a line a minute: rows, commits, searches, merges; resident memory, descriptors and mapped regions of the
searching process; bytes of the files for each byte of vectors. Checks each tenth answer against every row. Ends with 1
when an answer is wrong, or when memory, descriptors or regions at the end are well above those after the first tenth.
"""

import array
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time

import model
from test_killed import Child

ROWS = 20_000


def vector(chance, dimensions):
    """Near one of a hundred centres, as texts are near topics."""
    centre = random.Random(chance.randrange(100))
    return array.array("f", [centre.gauss(0, 1) + chance.gauss(0, 0.5) for _ in range(dimensions)])


def write(path, number, dimensions):
    def body(pipe):
        chance = random.Random(os.getpid())
        database = model.connect(path, timeout=60)
        while True:
            try:
                database.execute("BEGIN IMMEDIATE")
                for _ in range(chance.choice((1, 1, 10, 100))):
                    row = 2 * chance.randrange(ROWS // 2) + number + 1
                    if chance.random() < 0.4:
                        database.execute("DELETE FROM docs WHERE id = ?", (row,))
                    else:
                        database.execute("INSERT OR REPLACE INTO docs VALUES (?, ?, ?)",
                                         (row, chance.choice("abc"), vector(chance, dimensions).tobytes()))
                database.execute("COMMIT")
                os.write(pipe, b".")
            except sqlite3.OperationalError as error:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                if "locked" not in str(error):
                    raise
    return body


def merge(path):
    def body(pipe):
        database = model.connect(path, timeout=60)
        while True:
            time.sleep(0.5)
            try:
                database.execute("INSERT INTO doc_vectors(doc_vectors) VALUES ('merge')")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
            os.write(pipe, b".")
    return body


class Searches:
    """The process that is watched: its memory must not grow."""

    def __init__(self, path, dimensions):
        self.path, self.dimensions, self.count, self.checked = path, dimensions, 0, 0
        self.database, self.chance = model.connect(path, timeout=60), random.Random(5)

    def one(self):
        query = vector(self.chance, self.dimensions)
        kind = self.chance.choice("abc")
        self.database.execute("BEGIN")
        found = self.database.execute(
            "SELECT rowid FROM doc_vectors WHERE vector MATCH ? AND k = 10 AND kind = ? AND exact = ? "
            "ORDER BY distance, rowid", (query.tobytes(), kind, self.count % 10 == 0)).fetchall()
        if self.count % 10 == 0:
            self.compare(query, kind, [row for row, in found])
        self.database.execute("COMMIT")
        self.count += 1

    def compare(self, query, kind, found):
        scored = []
        for row, bytes_ in self.database.execute("SELECT id, v FROM docs WHERE kind = ?", (kind,)):
            other = array.array("f", bytes_)
            scored.append((sum((a - b) * (a - b) for a, b in zip(query, other)), row))
        scored.sort()
        distances = {row: distance for distance, row in scored}
        if len(found) != min(10, len(scored)):
            raise model.Wrong(f"{len(found)} rows of {len(scored)}")
        worst = scored[len(found) - 1][0] if found else 0
        if any(row not in distances or distances[row] > worst * (1 + 1e-4) + 1e-6 for row in found):
            raise model.Wrong(f"found {found} instead of {[row for _, row in scored[:10]]}")
        self.checked += 1


def measured():
    """Of this process: resident KiB, descriptors, mapped regions."""
    with open("/proc/self/status") as file:
        resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    with open("/proc/self/maps") as file:
        return resident, len(os.listdir("/proc/self/fd")), sum(1 for _ in file)


def size(path):
    names, segments = [path, path + "-wal"], path + "-vidx"
    if os.path.isdir(segments):  # made by the first merge
        names += [os.path.join(segments, name) for name in os.listdir(segments)]
    total = 0
    for name in names:
        try:
            total += os.path.getsize(name)
        except FileNotFoundError:
            pass  # swept meanwhile
    return total


def main(seconds, dimensions):
    with tempfile.TemporaryDirectory(prefix="vidx-soak-") as folder:
        path = os.path.join(folder, "app.db")
        database = model.connect(path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, kind TEXT, v BLOB)")
        database.execute(f"CREATE VIRTUAL TABLE doc_vectors USING vidx(dimensions = {dimensions}, metric = l2, "
                         "content = docs, column = v, filter kind)")
        database.close()
        bodies = [write(path, 0, dimensions), write(path, 1, dimensions), merge(path)]
        children, told, killed = [Child(body) for body in bodies], [0, 0, 0], 0
        begin, chance, searches, lines = time.monotonic(), random.Random(9), Searches(path, dimensions), []
        next_line = next_kill = 0.0
        while (now := time.monotonic() - begin) < seconds:
            searches.one()
            if now >= next_kill:
                next_kill = now + seconds / 100
                one = chance.randrange(len(children))
                text = children[one].kill()
                if "!" in text:
                    raise model.Wrong(text)
                told[one] += len(text)
                children[one] = Child(bodies[one])
                killed += 1
            if now >= next_line:
                next_line = now + min(60, seconds / 20)
                rows = searches.database.execute("SELECT count(*) FROM docs").fetchone()[0]
                resident, descriptors, regions = measured()
                ratio = size(path) / max(1, rows * dimensions * 4)
                lines.append((resident, descriptors, regions))
                print(f"{now:6.0f} s  {rows:6} rows  {told[0] + told[1]:7} commits  {searches.count:7} searches "
                      f"({searches.checked} checked)  {told[2]:5} merges  {killed:4} killed  "
                      f"{resident / 1024:6.1f} MiB "
                      f"{descriptors:3} descriptors {regions:4} regions  files {ratio:.2f} x vectors", flush=True)
        for child in children:
            text = child.kill()
            if "!" in text:
                raise model.Wrong(text)
        searches.database.execute("INSERT INTO doc_vectors(doc_vectors) VALUES ('integrity-check')")
        early, late = lines[len(lines) // 10], lines[-1]
        for what, one, other, slack in zip(("KiB", "descriptors", "regions"), early, late, (60_000, 20, 100)):
            if other > 1.5 * one + slack:
                raise model.Wrong(f"{what} grew from {one} to {other}")
        print("ok")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 32)
