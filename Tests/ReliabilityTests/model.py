"""A small database with two indexes, changes of it by chance, and what it should hold after each.

`docs` is a table of the user's whose vectors `doc_vectors` (hnsw) follows, `plain` an index of its own (ivfflat). What
they hold is a State; a Step is the statements of one transaction and the State after it. Both depend on the random
generator alone, so that the process that is killed and the one that looks afterwards know the same.
"""

import copy
import os
import sqlite3
import struct
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXTENSION = os.environ.get("VIDX_EXTENSION", os.path.join(ROOT, ".build", "release", "libvidx.so"))
TOOL = os.path.join(os.path.dirname(EXTENSION), "vidx")

DIMENSIONS = 4
PLAIN = "CREATE VIRTUAL TABLE plain USING vidx(dimensions = 4, metric = l2, index = ivfflat, lists = 2)"
SCHEMA = (
    "CREATE TABLE docs(id INTEGER PRIMARY KEY, kind TEXT, v BLOB)",
    "CREATE VIRTUAL TABLE doc_vectors USING vidx(dimensions = 4, metric = l2, m = 4, ef_construction = 16, "
    "content = docs, column = v, filter kind)",
    PLAIN,
)


def connect(path, timeout=0.0):
    database = sqlite3.connect(path, isolation_level=None, timeout=timeout)
    database.enable_load_extension(True)
    database.load_extension(EXTENSION)
    return database


def blob(vector):
    return None if vector is None else struct.pack("<4f", *vector)


class State:
    """Of docs: id to (kind, vector or None). Of plain: id to vector, or None where the index is dropped."""

    def __init__(self):
        self.docs, self.plain = {}, None

    def __eq__(self, other):
        return isinstance(other, State) and (self.docs, self.plain) == (other.docs, other.plain)

    def __repr__(self):
        return f"docs {self.docs}, plain {self.plain}"


def tool(arguments, environment=None):
    """Runs the tool; what it says when it fails."""
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True,
                          env={**os.environ, **(environment or {})})
    return (done.stderr or f"ended with {done.returncode}") if done.returncode else None


def optimize(path, environment=None):
    """Merges beside the database and sweeps, as another process; what it says when it fails."""
    return tool(["optimize", path], environment)


class ToolStep:
    """`vidx optimize`, which changes nothing that can be seen."""

    name = "tool"

    def __init__(self, after):
        self.after = after

    def run(self, database):
        failed = optimize(database.execute("PRAGMA database_list").fetchone()[2])
        if failed:
            raise Wrong(failed)


class Step:
    """Statements (text, values) of one transaction; single ones run without BEGIN."""

    def __init__(self, name, statements, after, single=False):
        self.name, self.statements, self.after, self.single = name, statements, after, single

    def run(self, database):
        """Undoes what it did when it fails, as a careful program does."""
        try:
            if not self.single:
                database.execute("BEGIN IMMEDIATE")
            for text, values in self.statements:
                database.execute(text, values).fetchall()
            if not self.single:
                database.execute("COMMIT")
        except sqlite3.Error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise


def created():
    state = State()
    state.plain = {}
    return Step("create", [(text, ()) for text in SCHEMA], state)


class Chance:
    """Steps by chance, on the rows whose id has this remainder: several writers do not change each other's."""

    def __init__(self, random, remainder=0, writers=1, rows=40):
        self.random, self.remainder, self.writers, self.rows = random, remainder, writers, rows

    def vector(self):
        return tuple(float(self.random.randint(-9, 9)) for _ in range(DIMENSIONS))

    def row(self):
        return self.random.randrange(self.rows) * self.writers + self.remainder + 1

    def mine(self, rows):
        return [row for row in rows if (row - 1) % self.writers == self.remainder]

    def change(self, state):
        """One change of a row: its statement; `state` becomes what it is after it."""
        row, vector, kind = self.row(), self.vector(), self.random.choice("ab")
        what = self.random.randrange(8)
        if what < 3 or (what < 6 and row not in state.docs):
            state.docs[row] = (kind, vector)
            return "INSERT OR REPLACE INTO docs VALUES (?, ?, ?)", (row, kind, blob(vector))
        if what == 3:
            vector = None if self.random.random() < 0.3 else vector
            state.docs[row] = (state.docs[row][0], vector)
            return "UPDATE docs SET v = ? WHERE id = ?", (blob(vector), row)
        if what == 4:
            state.docs[row] = (kind, state.docs[row][1])
            return "UPDATE docs SET kind = ? WHERE id = ?", (kind, row)
        if what == 5:
            del state.docs[row]
            return "DELETE FROM docs WHERE id = ?", (row,)
        if state.plain is None:
            return "SELECT 1", ()
        if row in state.plain and what == 6:
            del state.plain[row]
            return "DELETE FROM plain WHERE rowid = ?", (row,)
        state.plain[row] = vector
        return "INSERT OR REPLACE INTO plain(rowid, vector) VALUES (?, ?)", (row, blob(vector))

    def changes(self, state):
        return [self.change(state) for _ in range(self.random.randint(1, 6))]

    def step(self, before):
        after = copy.deepcopy(before)
        what = self.random.randrange(20)
        if what < 9:
            return Step("change", self.changes(after), after)
        if what < 11:
            return Step("roll back", [*self.changes(copy.deepcopy(before)), ("ROLLBACK", ()), ("BEGIN", ())], before)
        if what < 13:
            first, undone = self.changes(after), copy.deepcopy(after)
            statements = [*first, ("SAVEPOINT s", ()), *self.changes(undone), ("ROLLBACK TO s", ()), ("RELEASE s", ())]
            return Step("savepoint", statements + self.changes(after), after)
        if what < 16:
            command = self.random.choice(("optimize", "merge = 3", "merge = 3"))
            statements = [*self.changes(after), (f"INSERT INTO doc_vectors(doc_vectors) VALUES ('{command}')", ())]
            return Step(command, statements + self.changes(after), after)
        if what < 17:
            return Step("rebuild", [("INSERT INTO doc_vectors(doc_vectors) VALUES ('rebuild')", ())], after)
        if self.writers > 1:
            return Step("change", self.changes(after), after)
        if what < 18:
            if before.plain is None:
                after.plain = {}
                return Step("create", [(PLAIN, ())], after)
            after.plain = None
            return Step("drop", [("DROP TABLE plain", ())], after)
        if what < 19:
            if after.plain is None:
                return Step("vacuum", [("VACUUM", ())], after, single=True)
            return Step("optimize", [("INSERT INTO plain(plain) VALUES ('optimize')", ())], after, single=True)
        return ToolStep(after)


def steps(random, count):
    """`created` and then so many by chance."""
    found = [created()]
    chance = Chance(random)
    while len(found) < count:
        found.append(chance.step(found[-1].after))
    return found


def distance(one, other):
    return sum((a - b) ** 2 for a, b in zip(one, other))


class Wrong(Exception):
    """The database does not hold what it should."""


def names(database):
    return {name for name, in database.execute("SELECT name FROM sqlite_schema")}


def read(database):
    """What the database holds; None before `created`."""
    found = names(database)
    if "docs" not in found:
        return None
    state = State()
    for row, kind, vector in database.execute("SELECT id, kind, v FROM docs"):
        state.docs[row] = (kind, None if vector is None else struct.unpack("<4f", vector))
    if "plain" in found:
        state.plain = {row: struct.unpack("<4f", v) for row, v in database.execute("SELECT rowid, vector FROM plain")}
    return state


def verify(database):
    """What the database holds, when each index agrees with its rows and nothing is damaged."""
    database.execute("BEGIN")
    state = read(database)
    if state is not None:
        indexed = {row: (kind, struct.unpack("<4f", vector)) for row, kind, vector in
                   database.execute("SELECT rowid, kind, vector FROM doc_vectors")}
        expected = {row: value for row, value in state.docs.items() if value[1] is not None}
        if indexed != expected:
            raise Wrong(f"the index holds {indexed}, the rows are {expected}")
        nearest(database, "doc_vectors", {row: vector for row, (_, vector) in expected.items()})
        if state.plain is not None:
            nearest(database, "plain", state.plain)
    database.execute("COMMIT")
    if state is not None:
        for index in ["doc_vectors"] + (["plain"] if state.plain is not None else []):
            database.execute(f"INSERT INTO {index}({index}) VALUES ('integrity-check')")
    answer = database.execute("PRAGMA integrity_check").fetchone()[0]
    if answer != "ok":
        raise Wrong(answer)
    return state


def nearest(database, index, vectors):
    """Searches, exactly and as it comes, against every vector."""
    query = (1.0, -2.0, 3.0, 0.5)
    expected = sorted((distance(query, vector), row) for row, vector in vectors.items())[:5]
    for exact in (0, 1):
        found = database.execute(
            f"SELECT distance * distance, rowid FROM {index} WHERE vector MATCH ? AND k = 5 AND exact = ? "
            "ORDER BY distance, rowid", (blob(query), exact)).fetchall()
        if len(found) != len(expected):
            raise Wrong(f"{index}: {len(found)} rows found, {len(expected)} are there")
        if exact and any(abs(a - b) > 1e-3 for (a, _), (b, _) in zip(found, expected)):
            raise Wrong(f"{index}: found {found} instead of {expected}")


def check(path, allowed):
    """Opens a database that was left behind, and goes on with it: it holds one of these states (None: nothing yet)."""
    database = connect(path, timeout=5)
    try:
        state = verify(database)
        if not any(state == one for one in allowed):
            raise Wrong(f"holds {state}\nallowed are {allowed}")
        return state
    finally:
        database.close()
