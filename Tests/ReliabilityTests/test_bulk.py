"""File calls of transactions that insert many rows fail once each, the disk fills up at each, the process is killed.

Their rows are kept in memory and written as a segment when they end: all of them are there afterwards, or none.
"""

import errno
import functools
import os
import shutil
import sqlite3
import struct
import tempfile
import unittest

import calls
import model
import test_faults

DIMENSIONS = 2048
# Eight KiB each: as many as are written as a segment, behind those that are inserted one by one.
ROWS = 64 + 130
# Of the calls, which one of so many fails; each kind of failure begins at another.
EVERY = int(os.environ.get("VIDX_EVERY", 10))
TABLE = f"CREATE VIRTUAL TABLE wide USING vidx(dimensions = {DIMENSIONS}, metric = l2)"


@functools.cache
def vector(row):
    return struct.pack(f"<{DIMENSIONS}f", row, *(i * i % 17 for i in range(1, DIMENSIONS)))


def insert(database, rows):
    for row in rows:
        database.execute("INSERT INTO wide(rowid, vector) VALUES (?, ?)", (row, vector(row)))


def undone(database):
    """Rows that are there for a while: written because they are searched for, and undone."""
    database.execute("SAVEPOINT one")
    insert(database, range(5001, 5001 + ROWS))
    found = database.execute("SELECT rowid FROM wide WHERE vector MATCH ? AND k = 1", (vector(5190),)).fetchall()
    if found != [(5190,)]:
        raise model.Wrong(f"the nearest to row 5190 is {found}")
    database.execute("ROLLBACK TO one")
    database.execute("RELEASE one")


# What is done in each transaction, and the rows that there are after it.
STEPS = (
    (lambda database: insert(database, range(1, ROWS + 1)), range(1, ROWS + 1)),
    (lambda database: (insert(database, range(1001, 1101)), undone(database)), [*range(1, ROWS + 1),
                                                                                *range(1001, 1101)]),
)


def rows(database):
    held = list(database.execute("SELECT rowid, vector FROM wide ORDER BY rowid"))
    for row, found in held:
        if found != vector(row):
            raise model.Wrong(f"row {row} has another vector")
    database.execute("INSERT INTO wide(wide) VALUES ('integrity-check')")
    return [row for row, _ in held]


def rows_after_an_error(database):
    """The call that fails may be one of reading them."""
    try:
        return rows(database)
    except sqlite3.Error:
        if not calls.failed():
            raise
        return rows(database)


def run(database, step):
    """Undoes what it did when it fails, as a careful program does."""
    try:
        database.execute("BEGIN IMMEDIATE")
        step(database)
        database.execute("COMMIT")
    except sqlite3.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


@unittest.skipUnless(calls.is_loaded(), "scripts/check-reliability.sh preloads calls.c")
class BulkTests(unittest.TestCase):
    child = test_faults.FaultTests.child

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vidx-bulk-", dir=test_faults.SHM)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        # Here once, not in each child.
        for row in (*range(1, ROWS + 1), *range(1001, 1101), *range(5001, 5001 + ROWS)):
            vector(row)

    def once(self, journal, number, code, how):
        """One run with one call failing. Returns whether that call came."""
        folder = os.path.join(self.folder, "run")
        os.makedirs(folder)
        path = os.path.join(folder, "app.db")
        database = model.connect(path)
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute(TABLE)
        database.close()

        def body(told):
            calls.root(folder)
            database = model.connect(path)
            rows(database)
            calls.fail(number, code, how)
            before = []
            for step, after in STEPS:
                told(b"b")
                try:
                    run(database, step)
                except sqlite3.Error:
                    came = calls.failed()
                    calls.fail(calls.NONE)
                    held = rows(database)
                    if held not in (before, list(after)):
                        raise model.Wrong(f"{len(held)} rows after an error") from None
                    if held == before:
                        run(database, step)
                    told(b"f" if came else b"n")
                if rows_after_an_error(database) != list(after):
                    raise model.Wrong("the connection sees another state than it wrote")
                told(b"e")
                before = list(after)
            told(b"f" if calls.failed() else b"n")
            calls.fail(calls.NONE)
            calls.root("")
            database.close()

        about = f"{journal}, call {number}, errno {errno.errorcode.get(code)}, how {how}"
        try:
            text, ended = self.child(body)
            database = model.connect(path)
            held = rows(database)
            database.close()
            if how == calls.KILL and ended == "SIGKILL":
                done = text.count("e")
                states = [[]] + [list(after) for _, after in STEPS]
                self.assertIn(held, states[done : done + (2 if text.endswith("b") else 1)], about)
                return True
            self.assertIsNone(ended, about)
            self.assertEqual(held, list(STEPS[-1][1]), about)
            return "f" in text
        except (model.Wrong, sqlite3.Error) as error:
            raise AssertionError(f"{about}: {error}") from error
        finally:
            shutil.rmtree(folder)

    def all(self, journal, code, how, first):
        number = first
        while self.once(journal, number, code, how):
            number += EVERY
        self.assertGreater(number, 50)

    def test_input_and_output_errors(self):
        self.all("WAL", errno.EIO, calls.ONCE, 0)

    def test_input_and_output_errors_with_a_rollback_journal(self):
        self.all("DELETE", errno.EIO, calls.ONCE, 1)

    def test_full_disk(self):
        self.all("WAL", errno.ENOSPC, calls.FROM_HERE, 2)

    def test_killed(self):
        self.all("WAL", 0, calls.KILL, 3)


if __name__ == "__main__":
    unittest.main()
