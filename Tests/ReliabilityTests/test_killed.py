"""Writers and a reader are killed at moments of chance, hundreds of times, on one database that goes on and on.

Each writer has rows of its own and tells over a pipe what it is about to commit and what is committed. Whoever opens
the files afterwards must find of each writer the last committed state, or the one that was under way.
"""

import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
import unittest

import model

ROUNDS = int(os.environ.get("VIDX_ROUNDS", 200))
WRITERS = 2
SHM = "/dev/shm" if os.path.isdir("/dev/shm") else None


def mine(state, number):
    """The part of a state that belongs to a writer."""
    part = model.State()
    part.docs = {row: value for row, value in state.docs.items() if (row - 1) % WRITERS == number}
    part.plain = {row: value for row, value in state.plain.items() if (row - 1) % WRITERS == number}
    return part


def steps_of(number, seed, before):
    """Without end: what writer `number` does in a round."""
    chance = model.Chance(random.Random(seed * WRITERS + number), number, WRITERS)
    while True:
        step = chance.step(before)
        yield step
        before = step.after


def write(path, number, seed, before, pipe):
    """A writer: one byte before each step, one after it."""
    database = model.connect(path, timeout=10)
    for step in steps_of(number, seed, before):
        os.write(pipe, b"b")
        while True:
            try:
                step.run(database)
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) and "busy" not in str(error):
                    raise
        os.write(pipe, b"e")


def read(path):
    """A reader: one state for each of its transactions, and the indexes agree with it."""
    database = model.connect(path, timeout=10)
    while True:
        database.execute("BEGIN")
        first = model.read(database)
        time.sleep(0.002)
        indexed = {row for row, in database.execute("SELECT rowid FROM doc_vectors")}
        if indexed != {row for row, (_, vector) in first.docs.items() if vector is not None}:
            raise model.Wrong("the index is of another state than the rows")
        if model.read(database) != first:
            raise model.Wrong("two states in one transaction")
        database.execute("COMMIT")


class Child:
    def __init__(self, body):
        self.reading, writing = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.close(self.reading)
            os.setpgid(0, 0)
            try:
                body(writing)
            except BaseException as error:
                os.write(writing, f"!{type(error).__name__}: {error}".encode()[:4000])
            os._exit(1)
        os.setpgid(self.process, 0)
        os.close(writing)

    def kill(self):
        """Everything it told. What it has started is killed, too: a `vidx optimize` would go on beside what follows."""
        os.killpg(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        with open(self.reading, "rb") as pipe:
            return pipe.read().decode()


class KilledTests(unittest.TestCase):
    def rounds(self, journal, settings=()):
        folder = tempfile.mkdtemp(prefix="vidx-killed-", dir=SHM)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        path = os.path.join(folder, "app.db")
        database = model.connect(path)
        database.execute(f"PRAGMA journal_mode = {journal}")
        model.created().run(database)
        for setting in settings:
            for index in ("doc_vectors", "plain"):
                database.execute(f"INSERT INTO {index}({index}) VALUES(?)", (setting,))
        database.close()
        states = [mine(model.created().after, number) for number in range(WRITERS)]
        chance, committed, under_way = random.Random(7), 0, 0
        for seed in range(ROUNDS):
            children = [Child(lambda pipe, n=n: write(path, n, seed, states[n], pipe)) for n in range(WRITERS)]
            reader = Child(lambda pipe: read(path))
            time.sleep(chance.choice((0.003, 0.01, 0.03, 0.06)) * (0.5 + chance.random()))
            told = [child.kill() for child in children]
            self.assertEqual(reader.kill(), "")
            database = model.connect(path, timeout=5)
            held = model.verify(database)
            database.close()
            for number, text in enumerate(told):
                self.assertNotIn("!", text)
                done = text.count("e")
                committed += done
                series = steps_of(number, seed, states[number])
                reached = [states[number]] + [next(series).after for _ in range(done + 1)]
                allowed = reached[done : done + 1] + (reached[done + 1 :] if text.endswith("b") else [])
                found = mine(held, number)
                self.assertIn(found, allowed, f"round {seed}, writer {number}, {done} steps committed")
                under_way += found != reached[done]
                states[number] = found
        self.assertGreater(committed, ROUNDS)
        return committed, under_way

    def test_write_ahead_log(self):
        self.rounds("WAL")

    def test_rollback_journal(self):
        self.rounds("DELETE")

    def test_merges_in_the_background(self):
        """Each writer has a thread that merges beside it (until a step drops the index), and that dies with it."""
        for journal in ("WAL", "DELETE"):
            with self.subTest(journal=journal):
                self.rounds(journal, ("merge_after = 4", "maintenance = background"))


if __name__ == "__main__":
    unittest.main()
