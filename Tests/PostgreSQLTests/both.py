"""The same rows in PostgreSQL with pgvector and in SQLite with vidx, made once for all tests of a run.

`Both` has a connection to each. Queries are written with :name; those of docs/POSTGRESQL.md are read from the page.
VIDX_SGD names a folder of real turns to take instead of the repository's packages.
"""

import atexit
import functools
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import warnings

import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "Benchmarks"), os.path.join(ROOT, "datasets", "conversations")]

import make  # noqa: E402
import postgres  # noqa: E402
import queries as pages  # noqa: E402
from engines import postgresql  # noqa: E402

EXTENSION = os.environ.get("VIDX_EXTENSION", os.path.join(ROOT, ".build", "release", "libvidx.so"))
DATA = os.environ.get("VIDX_SGD")
TOLERANCE = 1e-6
KINDS = ("flat", "ivfflat", "hnsw")


class Both:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="vidx-postgresql-")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, "app.db")
        make.make(self.path, data=DATA)
        for kind in KINDS:
            make.index(self.path, kind, suffix=f"_{kind}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where the server puts its socket
            self.server = postgresql.Server(os.path.join(self.folder, "data"))
        atexit.register(self.server.close)
        self.postgres = self.server.connect()
        atexit.register(self.postgres.close)
        postgres.copy(self.path, self.postgres)
        postgresql.accept(self.postgres)
        self.sqlite = self.another_sqlite()
        atexit.register(self.sqlite.close)
        self.sqlite.executescript(pages.filter_columns()[0])

    def another_sqlite(self):
        database = sqlite3.connect(self.path, isolation_level=None)
        database.enable_load_extension(True)
        database.load_extension(EXTENSION)
        return database

    def one(self, sql):
        """The only value of a query to SQLite."""
        return self.sqlite.execute(sql).fetchone()[0]

    def column(self, sql):
        return [row[0] for row in self.sqlite.execute(sql)]

    def ask_postgres(self, sql, parameters):
        """There is no index on vectors, so every answer is exact."""
        values = {name: postgresql.encoded(value) if isinstance(value, numpy.ndarray) else value
                  for name, value in parameters.items()}
        return self.postgres.execute(pages.for_postgres(sql), values).fetchall()

    def ask_vidx(self, sql, parameters, kind, exact=True):
        values = {name: value.tobytes() if isinstance(value, numpy.ndarray) else value
                  for name, value in parameters.items()}
        text = pages.for_indexes(sql, f"_{kind}")
        return self.sqlite.execute(pages.exactly(text) if exact else text, values).fetchall()

    def run_command(self, command, parameters, kind, exact=True):
        """-> the answer of `vidx search --json` to a command of the page, parameters in variables of the shell."""
        text = pages.for_indexes(command, f"_{kind}").strip()
        text = text.replace("vidx search app.db", f"{shlex.quote(make.VIDX)} search {shlex.quote(self.path)}")
        values = {name: json.dumps([float(one) for one in value]) if isinstance(value, numpy.ndarray) else str(value)
                  for name, value in parameters.items()}
        done = subprocess.run(["bash", "-euc", text + (" --exact" if exact else "") + " --columns id --json"],
                              env={**os.environ, **values}, stdout=subprocess.PIPE, check=True, text=True)
        return json.loads(done.stdout)


@functools.cache
def both():
    return Both()


def queries(count, seed=1):
    return pages.vectors(both().sqlite, DATA, count, seed)


def skip_unless_installed():
    """For setUpModule."""
    lacking = postgresql.missing()
    if lacking:
        raise unittest.SkipTest(f"{lacking}: run scripts/check-postgresql.sh, which installs them")


class TestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.both = both()

    def assert_same(self, theirs, ours, order, note="", limit=None):
        """Rows (id, ..., distance) in the same order with the same distances.

        Rows that are equally far within the tolerance may change places, because the two round differently; where
        LIMIT cuts through such rows, which of them come may differ, too, unless their distances are the very same.
        - order: what the rows are ordered by before distance, as a function of a row.
        """
        self.assertEqual(len(ours), len(theirs), f"rows {note}")
        self.assertEqual(ours, sorted(ours, key=lambda row: (order(row), row[-1], row[:-1])), f"order {note}")
        begin = 0
        for place, (their, our) in enumerate(zip(theirs, ours)):
            self.assertAlmostEqual(our[-1], their[-1], delta=TOLERANCE, msg=f"row {place} {note}")
            last = place + 1 == len(theirs)
            if not last and order(theirs[place + 1]) == order(their) and theirs[place + 1][-1] - their[-1] <= TOLERANCE:
                continue
            cut = last and len(theirs) == limit and their[-1] > theirs[begin][-1]
            if not cut:
                self.assertEqual(sorted(row[:-1] for row in ours[begin : place + 1]),
                                 sorted(row[:-1] for row in theirs[begin : place + 1]), f"from row {begin} {note}")
            begin = place + 1
