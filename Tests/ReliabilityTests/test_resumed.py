"""A `vidx build --resume` is killed, or cannot write, at one file call after the other, and then at another in the run
that goes on: what it has committed stays, can be searched, and the same command comes to what one build comes to.
"""

import errno
import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import unittest

import calls
import model

ROWS = 2600
PARTS = [866, 867, 867]
# Every so manieth call of a build is the last; 1 for all.
STRIDE = int(os.environ.get("VIDX_STRIDE", 5))
SHM = "/dev/shm" if os.path.isdir("/dev/shm") else None


@unittest.skipUnless(calls.is_loaded(), "scripts/check-reliability.sh preloads calls.c")
class ResumedTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vidx-resumed-", dir=SHM)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        chance = random.Random(3)
        vectors = [[float(chance.randint(-9, 9)) for _ in range(4)] for _ in range(ROWS)]
        self.vectors, self.rows = self.file("base.fvecs"), self.file("rows.jsonl")
        with open(self.vectors, "wb") as file:
            for vector in vectors:
                file.write(struct.pack("<i4f", 4, *vector))
        with open(self.rows, "w") as file:
            for row in range(ROWS):
                file.write(json.dumps({"id": 9000 - row, "kind": "ab"[row % 2]}) + "\n")
        told = subprocess.run([model.TOOL, *self.arguments(self.file("none.db")), "--estimate", "--json"],
                              capture_output=True, text=True, check=True)
        fixed = 24 << 20
        row = (json.loads(told.stdout)["memory_bytes"] - fixed) // ROWS
        self.memory = ["--memory", f"{(fixed + 1000 * row) // 1024 + 1}K"]
        self.expected = self.whole()

    def file(self, name):
        return os.path.join(self.folder, name)

    def arguments(self, path):
        return ["build", path, "--index", "v", "--vectors", self.vectors, "--rows", self.rows, "--table", "things",
                "--type", "flat", "--metric", "l2", "--filter-columns", "kind", "--threads", "1"]

    def whole(self):
        path = self.file("whole.db")
        self.assertIsNone(model.tool([*self.arguments(path), *self.memory]))
        return self.contents(path)

    def contents(self, path):
        """The rows of each segment, and all rows of the index."""
        database = model.connect(path)
        try:
            sizes = [entries for entries, in database.execute("SELECT entries FROM v_segments ORDER BY id")]
            rows = database.execute("SELECT rowid, kind, vector FROM v ORDER BY rowid").fetchall()
            self.assertEqual(database.execute("SELECT id, kind FROM things ORDER BY id").fetchall(),
                             [(row, kind) for row, kind, _ in rows] if len(rows) == ROWS else
                             sorted((9000 - row, "ab"[row % 2]) for row in range(ROWS)))
            return sizes, rows
        finally:
            database.close()

    def done(self, path):
        """Rows of the source that are in the index, which is sound; None before it is there."""
        database = sqlite3.connect(path)
        try:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'v_config'").fetchone():
                return None
            note = database.execute("SELECT value FROM v_config WHERE key = 'unfinished'").fetchone()
            done = int(note[0].split("\t")[1]) if note else ROWS
        finally:
            database.close()
        self.assertIsNone(model.tool(["check", path]))
        sizes, rows = self.contents(path)
        self.assertEqual(sizes, PARTS[:len(sizes)])
        self.assertEqual(sum(sizes), done)
        expected = {9000 - row for row in range(done)}
        self.assertEqual({row for row, _, _ in rows}, expected)
        return done

    def once(self, journal, number, code, how):
        """One build that ends at a call, and one that goes on and ends at another. Whether the first call came."""
        folder, told = self.file("run"), self.file("told")
        os.makedirs(folder)
        path = os.path.join(folder, "app.db")
        database = sqlite3.connect(path)
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("CREATE TABLE other(a)")
        database.close()
        command = [*self.arguments(path), *self.memory, "--resume"]
        try:
            reached = None
            for at in (number, number // 3):
                faults = {"VIDX_CALLS_ROOT": folder, "VIDX_CALLS_FAIL": f"{at},{code},{how}", "VIDX_CALLS_TOLD": told}
                failed = model.tool(command, faults) if reached != ROWS else None
                came = os.path.exists(told) if at == number else came
                done = self.done(path)
                if reached is not None:
                    self.assertGreaterEqual(done, reached)
                reached = done
                # It may end when all is done but the sweep.
                self.assertTrue(failed is not None or reached == ROWS)
            self.states.add(reached)
            if reached != ROWS:
                self.assertIsNone(model.tool(command))
            self.assertEqual(self.done(path), ROWS)
            self.assertEqual(self.contents(path), self.expected)
            self.assertIsNone(model.optimize(path))
            return came
        finally:
            shutil.rmtree(folder)
            if os.path.exists(told):
                os.remove(told)

    def all(self, journal, code, how):
        self.states, number = set(), 0
        while self.once(journal, number, code, how):
            number += STRIDE
        self.assertGreater(number, 40)
        # Before there was anything, and after each part.
        self.assertLessEqual({0, 866, 1733}, self.states)

    def test_killed(self):
        self.all("DELETE", 0, calls.KILL)

    def test_killed_with_a_write_ahead_log(self):
        self.all("WAL", 0, calls.KILL)

    def test_full_disk(self):
        self.all("DELETE", errno.ENOSPC, calls.FROM_HERE)


if __name__ == "__main__":
    unittest.main()
