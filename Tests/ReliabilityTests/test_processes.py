"""Several processes on one database: readers keep their state through merges and sweeps, writers lose nothing."""

import os
import random
import shutil
import sqlite3
import tempfile
import time
import unittest

import model
from test_killed import Child, SHM

SECONDS = float(os.environ.get("VIDX_SECONDS", 3))
QUERY = model.blob((1.0, -2.0, 3.0, 0.5))


class ProcessTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vidx-processes-", dir=SHM)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, "app.db")
        self.database = model.connect(self.path, timeout=10)
        self.database.execute("PRAGMA journal_mode = WAL")
        model.created().run(self.database)

    def files(self):
        return sorted(os.listdir(self.path + "-vidx"))

    def fill(self, first, count):
        chance = random.Random(first)
        self.database.execute("BEGIN")
        for row in range(first, first + count):
            vector = model.blob([chance.uniform(-9, 9) for _ in range(4)])
            self.database.execute("INSERT INTO docs VALUES (?, 'a', ?)", (row, vector))
        self.database.execute("COMMIT")

    def optimize(self):
        self.assertIsNone(model.optimize(self.path))

    @staticmethod
    def nearest(database):
        return database.execute("SELECT rowid, distance FROM doc_vectors WHERE vector MATCH ? AND k = 20 "
                                "AND exact = 1 ORDER BY distance, rowid", (QUERY,)).fetchall()

    def test_a_reader_keeps_its_state_through_merges(self):
        self.fill(1, 200)
        self.optimize()
        old = self.files()
        for has_searched in (True, False):
            with self.subTest(has_searched=has_searched):
                before = self.nearest(self.database)
                reader = model.connect(self.path)
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM docs").fetchone()
                if has_searched:
                    self.assertEqual(self.nearest(reader), before)
                self.database.execute("DELETE FROM docs WHERE id % 3 = 0")
                self.fill(1000 if has_searched else 2000, 100)
                self.optimize()
                self.assertNotEqual(self.nearest(self.database), before)
                self.assertEqual(self.nearest(reader), before)
                # What it needs is still there, and goes when it is gone.
                self.assertTrue(set(old) <= set(self.files()))
                reader.execute("COMMIT")
                self.assertEqual(self.nearest(reader), self.nearest(self.database))
                reader.close()
                self.optimize()
                self.assertFalse(set(old) & set(self.files()))
                old = self.files()

    def test_readers_and_writers_and_merges_at_the_same_time(self):
        self.fill(1, 100)
        self.database.close()

        def write(number):
            def body(pipe):
                chance = random.Random(number)
                database = model.connect(self.path, timeout=30)
                while True:
                    row = 10_000 * (number + 1) + chance.randrange(300)
                    vector = None if chance.random() < 0.2 else model.blob([chance.uniform(-9, 9) for _ in range(4)])
                    database.execute("INSERT OR REPLACE INTO docs VALUES (?, 'b', ?)", (row, vector))
                    os.write(pipe, b".")
            return body

        def read(pipe):
            database = model.connect(self.path, timeout=30)
            while True:
                database.execute("BEGIN")
                rows = {row for row, in database.execute("SELECT id FROM docs WHERE v IS NOT NULL")}
                found = database.execute("SELECT rowid FROM doc_vectors WHERE vector MATCH ? AND k = 100000 "
                                         "AND exact = 1", (QUERY,)).fetchall()
                if {row for row, in found} != rows:
                    raise model.Wrong("the index and the rows are of two states")
                database.execute("COMMIT")
                os.write(pipe, b".")

        def merge(pipe):
            while True:
                failed = model.optimize(self.path)
                # Two writers keep the lock busy: a merge may have to give up, and says so.
                if failed and "another process" not in failed:
                    raise model.Wrong(failed)
                os.write(pipe, b"." if failed else b"m")

        children = [Child(body) for body in (write(0), write(1), read, read, merge)]
        time.sleep(SECONDS)
        told = [child.kill() for child in children]
        for text in told[:-1]:
            self.assertRegex(text, r"^\.+$")
        self.assertRegex(told[-1], r"^[.m]*m[.m]*$")
        database = model.connect(self.path, timeout=5)
        model.verify(database)
        database.close()
        self.optimize()
        self.assertLessEqual(len(self.files()), 2)

    def test_a_writer_that_is_locked_out_says_so_and_loses_nothing(self):
        self.database.execute("BEGIN IMMEDIATE")
        other = model.connect(self.path)
        with self.assertRaisesRegex(sqlite3.OperationalError, "locked"):
            other.execute("INSERT INTO plain(rowid, vector) VALUES (1, ?)", (QUERY,))
        self.database.execute("INSERT INTO plain(rowid, vector) VALUES (2, ?)", (QUERY,))
        self.database.execute("COMMIT")
        other.execute("INSERT INTO plain(rowid, vector) VALUES (1, ?)", (QUERY,))
        self.assertEqual(other.execute("SELECT rowid FROM plain ORDER BY rowid").fetchall(), [(1,), (2,)])
        other.close()


if __name__ == "__main__":
    unittest.main()
