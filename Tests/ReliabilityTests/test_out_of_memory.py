"""SQLite's n-th allocation fails, once or as all later ones do, for n over statements of every kind.

The statement says that there is no memory, or does all it should; what was committed is there, on this connection and
for who opens the files later, and nothing stays allocated, open or mapped.
"""

import ctypes
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import unittest
from typing import NamedTuple

import model
from test_killed import Child, SHM

# So many allocations of each operation fail, by chance; 0 for all of them.
POINTS = int(os.environ.get("VIDX_POINTS", 20))
LIBRARY = os.path.join(model.ROOT, ".build", "allocations.so")

QUERY = model.blob((1.0, -2.0, 3.0, 0.5))
NEAREST = "SELECT rowid, distance FROM doc_vectors WHERE vector MATCH ? AND k = 5 "


def filled():
    """Statements that make rows of both indexes, settled and new."""
    chance, statements = random.Random(4), [(text, ()) for text in model.SCHEMA]

    def insert(rows):
        for row in rows:
            vector = model.blob([chance.uniform(-9, 9) for _ in range(model.DIMENSIONS)])
            statements.append(("INSERT INTO docs VALUES (?, ?, ?)", (row, chance.choice("ab"), vector)))
            statements.append(("INSERT INTO plain(rowid, vector) VALUES (?, ?)", (row, vector)))
    insert(range(1, 30))
    statements.append(("INSERT INTO doc_vectors(doc_vectors) VALUES ('optimize')", ()))
    statements.append(("INSERT INTO plain(plain) VALUES ('optimize')", ()))
    insert(range(30, 40))
    statements.append(("DELETE FROM docs WHERE id % 7 = 0", ()))
    return statements


def command(index, text):
    return [(f"INSERT INTO {index}({index}) VALUES ('{text}')", ())]


CHANGE = [
    ("BEGIN", ()),
    ("INSERT OR REPLACE INTO docs VALUES (3, 'a', ?), (50, 'b', ?), (51, NULL, NULL)", (QUERY, QUERY)),
    ("UPDATE docs SET v = ? WHERE id = 5", (QUERY,)),
    ("UPDATE docs SET kind = 'c' WHERE id IN (6, 31)", ()),
    ("SAVEPOINT s", ()),
    ("DELETE FROM docs WHERE id IN (8, 33)", ()),
    ("INSERT INTO plain(rowid, vector) VALUES (60, '[1, 2.5, -3, 4]')", ()),
    ("ROLLBACK TO s", ()),
    ("DELETE FROM docs WHERE id IN (9, 34)", ()),
    ("UPDATE plain SET vector = ? WHERE rowid IN (1, 35)", (QUERY,)),
    ("INSERT INTO plain(rowid, vector) VALUES (61, '[1, 2.5, -3, 4]')", ()),
    ("COMMIT", ()),
]
SEARCHES = [
    (NEAREST, (QUERY,)),
    (NEAREST + "AND exact = 1 AND kind = 'a'", (QUERY,)),
    (NEAREST + "AND kind IN ('a', 'c') AND rowid BETWEEN 3 AND 30", (QUERY,)),
    (NEAREST + "AND kind GLOB 'a*'", (QUERY,)),
    (NEAREST + "AND rowid IN (SELECT id FROM docs WHERE kind = 'b')", (QUERY,)),
    (NEAREST + "AND filter = 'kind = ? AND id > 4' AND filter_parameters = '[\"b\"]'", (QUERY,)),
    ("SELECT vidx_last_search()", ()),
    ("SELECT v.rowid, d.kind FROM doc_vectors v JOIN docs d ON d.id = v.rowid WHERE v.vector MATCH ? "
     "ORDER BY v.distance LIMIT 7", (QUERY,)),
    ("SELECT rowid, distance FROM plain WHERE vector MATCH '[1, 2.5, -3, 4]' AND k = 5", ()),
    ("SELECT rowid, vector_text(vector), kind FROM doc_vectors WHERE rowid > 20", ()),
    ("SELECT vector_text(vector_add(vector('[1, 2]'), '[3, 4]')), vector_to_json(l2_normalize('[3, 4]')), "
     "l2_distance('[1, 2]', vector_concat('[1]', '[1]')), vidx_version()", ()),
]


class Operation(NamedTuple):
    """What comes before, the statements, and how the connection comes to them."""

    before: list
    statements: list
    is_warm: bool = True  # it has used the indexes before
    has_reader: bool = False  # another keeps the state before the last statement of `before`


FILLED = filled()
OPERATIONS = {
    "create": Operation([], [("BEGIN", ()), *((text, ()) for text in model.SCHEMA), ("COMMIT", ())], False),
    "create over rows": Operation(FILLED, [
        ("CREATE VIRTUAL TABLE other USING vidx(dimensions = 4, content = docs, column = v, filter kind)", ())]),
    "change": Operation(FILLED, CHANGE),
    "first change": Operation(FILLED, CHANGE, False),
    **{f"search {number}": Operation(FILLED, [search]) for number, search in enumerate(SEARCHES)},
    "first search": Operation(FILLED, SEARCHES[:1], False),
    "first filter": Operation(FILLED, SEARCHES[5:6], False),
    "settings": Operation(FILLED, command("plain", "merge_after = 500")),
    "merge": Operation(FILLED, command("doc_vectors", "merge = 3")),
    "optimize": Operation(FILLED, command("doc_vectors", "optimize")),
    "first optimize": Operation(FILLED, command("plain", "optimize"), False),
    "sweep": Operation(FILLED + CHANGE + command("plain", "optimize"), command("plain", "optimize")),
    "sweep beside a reader": Operation(
        FILLED + CHANGE + command("plain", "optimize"), command("plain", "optimize"), has_reader=True),
    "rebuild": Operation(FILLED, command("doc_vectors", "rebuild")),
    "integrity-check": Operation(FILLED, command("doc_vectors", "integrity-check")),
    "rename": Operation(FILLED, [("ALTER TABLE plain RENAME TO other", ())]),
    "rename the content": Operation(FILLED, [("ALTER TABLE docs RENAME TO others", ())]),
    "drop": Operation(FILLED, [("DROP TABLE doc_vectors", ())]),
    "first drop": Operation(FILLED, [("DROP TABLE plain", ())], False),
    "vacuum": Operation(FILLED, [("VACUUM", ())]),
}


def run(database, statements):
    """Answers of all statements; undoes a transaction that fails, as a careful program does."""
    try:
        return [database.execute(text, values).fetchall() for text, values in statements]
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def contents(database):
    """Every row of tables and indexes."""
    found = {}
    for name in ("docs", "others", "doc_vectors", "plain", "other"):
        if database.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone():
            column = "" if name in ("docs", "others") else "rowid, vector, "
            found[name] = sorted(database.execute(f"SELECT {column}* FROM {name}").fetchall(), key=repr)
    return found


def check(path):
    """What who opens the files sees, when nothing is damaged."""
    database = model.connect(path, timeout=5)
    found = contents(database)
    for name in set(found) - {"docs", "others"}:
        database.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")
        database.execute(f"SELECT rowid FROM {name} WHERE vector MATCH ? AND k = 3", (QUERY,)).fetchall()
    if (answer := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        raise model.Wrong(answer)
    database.close()
    return found


class Runs:
    """In a process of its own: an operation, with each allocation failing."""

    def __init__(self, folder, operation, encoding):
        self.base, self.path = os.path.join(folder, "base"), os.path.join(folder, "run", "app.db")
        self.operation = operation
        self.memory = ctypes.CDLL(LIBRARY)
        self.memory.allocations_count.restype = self.memory.allocations_held.restype = ctypes.c_long
        if self.memory.allocations_install() != 0:
            raise model.Wrong("SQLite keeps its allocator")
        os.makedirs(self.base)
        database = model.connect(os.path.join(self.base, "app.db"))
        database.execute(f"PRAGMA encoding = '{encoding}'")
        database.execute("PRAGMA journal_mode = WAL")
        run(database, operation.before[:-1] if operation.has_reader else operation.before)
        database.close()
        self.expect()

    def open(self):
        """A connection to a copy of the database, and the other that reads."""
        shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)
        shutil.copytree(self.base, os.path.dirname(self.path))
        database, reader = model.connect(self.path), None
        if self.operation.has_reader:
            reader = model.connect(self.path)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM docs").fetchone()
            run(database, self.operation.before[-1:])
        if self.operation.is_warm:
            run(database, SEARCHES[:1] + SEARCHES[5:6])
        return database, reader

    def close(self, database, reader):
        """The reader has not searched before: it needs the files of its state."""
        if reader:
            if contents(reader) != self.before:
                raise model.Wrong("the reader sees another state")
            reader.close()
        database.close()

    def fail(self, number, is_all=False):
        self.memory.allocations_fail(ctypes.c_long(number), is_all)

    def expect(self):
        """Without failures."""
        database, reader = self.open()
        self.before = contents(database)
        self.fail(1 << 40)
        self.answers = run(database, self.operation.statements)
        self.count = self.memory.allocations_count()
        self.fail(-1)
        self.after = contents(database)
        self.close(database, reader)
        self.held = self.memory.allocations_held()

    def once(self, number, is_all):
        database, reader = self.open()
        error = None
        self.fail(number, is_all)
        try:
            answers = run(database, self.operation.statements)
        except (MemoryError, sqlite3.Error) as caught:
            error = caught
        finally:
            self.fail(-1)
        if not self.memory.allocations_failed():
            raise model.Wrong("no allocation failed")
        if database.in_transaction:
            database.execute("ROLLBACK")
        if error is None and answers != self.answers:
            raise model.Wrong(f"answered {answers} instead of {self.answers}")
        if error and not (isinstance(error, MemoryError) or "out of memory" in str(error)):
            raise model.Wrong(f"failed with {type(error).__name__}: {error}")
        allowed = [self.after] if error is None else [self.before, self.after]
        if contents(database) not in allowed:
            raise model.Wrong(f"holds {contents(database)}")
        self.close(database, reader)
        if self.memory.allocations_held() != self.held:
            raise model.Wrong(f"{self.memory.allocations_held() - self.held} allocations are never freed")
        if check(self.path) not in allowed:
            raise model.Wrong("another state is found later")

    def points(self, chance):
        numbers = range(self.count)
        return numbers if POINTS == 0 or POINTS >= self.count else sorted(chance.sample(numbers, POINTS))

    def all(self, chance, tell):
        """Tells where it is, so that it is known where it ended."""
        descriptors = len(os.listdir("/proc/self/fd"))
        for is_all in (False, True):
            for number in self.points(chance):
                tell(f"{'from' if is_all else 'at'} allocation {number} of {self.count}: ")
                signal.alarm(60)
                self.once(number, is_all)
        if len(os.listdir("/proc/self/fd")) != descriptors:
            raise model.Wrong("a file stays open")
        with open("/proc/self/maps") as file:
            if any("-vidx/" in line for line in file):
                raise model.Wrong("a segment stays mapped")


class OutOfMemoryTests(unittest.TestCase):
    def child(self, name, encoding):
        folder = tempfile.mkdtemp(prefix="vidx-memory-", dir=SHM)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)

        def body(pipe):
            def tell(text):
                os.write(pipe, text.encode() + b"\n")
            Runs(folder, OPERATIONS[name], encoding).all(random.Random(name + encoding), tell)
            tell("done")
        child = Child(body)
        with open(child.reading) as pipe:
            told = pipe.read().splitlines()
        _, status = os.waitpid(child.process, 0)
        self.assertEqual(told[-1:], ["done"], f"{told[-2:]}, ended with {status}")
        self.assertGreater(len(told), 2 * min(POINTS or 5, 5))
        shutil.rmtree(folder)

    def all(self, encoding):
        for name in OPERATIONS:
            with self.subTest(operation=name):
                self.child(name, encoding)

    def test_each_allocation(self):
        self.all("UTF-8")

    def test_each_allocation_where_texts_are_converted(self):
        self.all("UTF-16le")


if __name__ == "__main__":
    unittest.main()
