"""A real file system that fills up: writes are refused, nothing is lost, and after deleting it goes on."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import model

BYTES = 24 << 20
DIMENSIONS = 256


def mounted(folder):
    """Whether a file system of its own could be put here: as root, or as root of a user namespace."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={BYTES}", "vidx", folder],
                          stderr=subprocess.DEVNULL).returncode == 0


class FullDiskTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vidx-full-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        if not mounted(self.folder):
            if os.environ.get("VIDX_UNSHARED") or shutil.which("unshare") is None:
                self.skipTest("nothing can be mounted here")
            # Once more, where this user may mount.
            again = subprocess.run(
                ["unshare", "--map-root-user", "--mount", sys.executable, "-m", "unittest", self.id()],
                env={**os.environ, "VIDX_UNSHARED": "1"}, capture_output=True, text=True)
            if "unshare failed" in again.stderr or "skipped" in again.stderr:
                self.skipTest("nothing can be mounted here")
            self.assertEqual(again.returncode, 0, again.stderr)
            self.skipTest("done in a namespace of its own")  # says so in the count
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.folder])

    def fill(self, database, chance, held):
        """Inserts and merges until there is no room; what was acknowledged is in `held`."""
        refused = 0
        for _ in range(2000):
            rows = {}
            for _ in range(50):
                row = max([0, *held, *rows]) + 1
                rows[row] = chance.randbytes(DIMENSIONS)
            try:
                database.execute("BEGIN IMMEDIATE")
                for row, seed in rows.items():
                    vector = b"".join(int(byte).to_bytes(1, "little") + b"\0\x80\x3f" for byte in seed)
                    database.execute("INSERT INTO v(rowid, vector) VALUES (?, ?)", (row, vector))
                database.execute("COMMIT")
                held.update(rows)
                if chance.random() < 0.1:
                    database.execute("INSERT INTO v(v) VALUES ('optimize')")
            except sqlite3.Error as error:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                self.assertRegex(str(error), "full|No space left|disk I/O")
                refused += 1
                if refused == 5:
                    return
        self.fail("the disk did not fill up")

    def check(self, database, held):
        self.assertEqual({row for row, in database.execute("SELECT rowid FROM v")}, set(held))

    def test_a_full_disk_loses_nothing_and_space_comes_back(self):
        for journal in ("WAL", "DELETE"):
            with self.subTest(journal=journal):
                path = os.path.join(self.folder, f"{journal}.db")
                database = model.connect(path)
                database.execute(f"PRAGMA journal_mode = {journal}")
                database.execute(f"CREATE VIRTUAL TABLE v USING vidx(dimensions = {DIMENSIONS}, metric = l2)")
                # Deleting takes a little room, too: for the journal.
                ballast = os.path.join(self.folder, "ballast")
                with open(ballast, "wb") as file:
                    file.write(bytes(3 << 20))
                held = {}
                self.fill(database, random.Random(3), held)
                self.assertGreater(len(held), 1000)
                self.check(database, held)
                database.close()
                database = model.connect(path)
                self.check(database, held)
                database.execute("INSERT INTO v(v) VALUES ('integrity-check')")
                os.remove(ballast)
                database.execute("DELETE FROM v WHERE rowid > 100")
                database.execute("VACUUM")
                database.execute("INSERT INTO v(v) VALUES ('optimize')")
                self.check(database, range(1, 101))
                database.close()
                for name in os.listdir(self.folder):
                    if name.startswith(journal):
                        entry = os.path.join(self.folder, name)
                        shutil.rmtree(entry) if os.path.isdir(entry) else os.remove(entry)


if __name__ == "__main__":
    unittest.main()
