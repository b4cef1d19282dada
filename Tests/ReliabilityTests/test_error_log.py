"""What keeps a sweep inside a statement from its work fails no statement: SQLite's log of errors has it."""

import ctypes
import os
import shutil
import tempfile
import unittest

import model
from test_killed import Child, SHM

CONFIG_LOG = 16
OPTIMIZE = "INSERT INTO plain(plain) VALUES ('optimize')"


class ErrorLogTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vidx-log-", dir=SHM)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def logged(self, is_hidden):
        """In a process of its own: what is logged by an `optimize` that has a file to sweep."""
        path = os.path.join(self.folder, f"{is_hidden}.db")

        def body(pipe):
            sqlite = ctypes.CDLL("libsqlite3.so.0")
            log = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)(
                lambda _, code, text: os.write(pipe, b"%d %s\n" % (code, text)) and None)
            if sqlite.sqlite3_shutdown() or sqlite.sqlite3_config(CONFIG_LOG, log, None) or sqlite.sqlite3_initialize():
                raise model.Wrong("SQLite takes no log")
            database = model.connect(path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(model.PLAIN)
            for row in range(2):
                database.execute("INSERT INTO plain(rowid, vector) VALUES (?, '[1, 2, 3, 4]')", (row,))
                database.execute(OPTIMIZE)
            if is_hidden:
                os.rename(path, path + ".hidden")
            database.execute(OPTIMIZE)
            if is_hidden:
                os.rename(path + ".hidden", path)
            os.write(pipe, b"files %d\n" % len(os.listdir(path + "-vidx")))
        child = Child(body)
        with open(child.reading) as pipe:
            told = pipe.read()
        os.waitpid(child.process, 0)
        return told

    def test_an_error_of_the_other_connection(self):
        self.assertRegex(self.logged(True), r"(?m)^14 replaced segments of plain stay until the next sweep: .*open"
                         r"[^!]*\nfiles 2$")
        self.assertEqual(self.logged(False), "files 1\n")


if __name__ == "__main__":
    unittest.main()
