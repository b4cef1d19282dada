"""Every file call of a history fails once, the disk fills up at each, writes come up short, the process is killed.

After an error the database holds what it held before the step, or, where SQLite had written the commit already, what it
should hold after it; the same connection goes on, and so does who opens the files later.
"""

import errno
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import unittest

import calls
import model

STEPS = int(os.environ.get("VIDX_STEPS", 14))
SEEDS = [int(seed) for seed in os.environ.get("VIDX_SEEDS", "1").split(",")]
SHM = "/dev/shm" if os.path.isdir("/dev/shm") else None


def history(database, steps, reached):
    """Runs the steps; one that fails is looked at and run again. `reached(state)` hears of each."""
    for step in steps:
        before = reached.state
        try:
            step.run(database)
        except sqlite3.Error:
            calls.fail(calls.NONE)
            held = model.read(database)
            if held != before and held != step.after:
                raise model.Wrong(f"{step.name} failed and left {held}\nbefore {before}\nafter {step.after}") from None
            if held != step.after or before == step.after:
                step.run(database)
        reached.state = step.after


class Reached:
    state = None


@unittest.skipUnless(calls.is_loaded(), "scripts/check-reliability.sh preloads calls.c")
class FaultTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vidx-faults-", dir=SHM)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def child(self, body):
        """Runs `body` in a process of its own; what it raises, as text, or the signal that ended it."""
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reading)
            try:
                body()
            except BaseException as error:
                os.write(writing, f"{type(error).__name__}: {error}".encode()[:60000])
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            text = pipe.read().decode()
        _, status = os.waitpid(process, 0)
        return text or (signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else None)

    def once(self, journal, steps, number, code, how):
        """One run with one call failing. Returns whether that call came."""
        folder = os.path.join(self.folder, "run")
        os.makedirs(folder)
        path = os.path.join(folder, "app.db")
        told = os.path.join(self.folder, "reached")

        def body():
            calls.root(folder)
            database = model.connect(path)
            database.execute(f"PRAGMA journal_mode = {journal}")
            reached = Reached()
            calls.fail(number, code, how)
            try:
                history(database, steps, reached)
            finally:
                came = calls.failed()
                calls.fail(calls.NONE)
                calls.root("")
            if not came:
                with open(told, "w") as file:
                    file.write("all")
            if model.verify(database) != steps[-1].after:
                raise model.Wrong("the connection sees another state than it wrote")
            database.close()

        try:
            ended = self.child(body)
            about = f"{journal}, call {number}, errno {errno.errorcode.get(code)}, how {how}"
            if how == calls.KILL and ended == "SIGKILL":
                model.check(path, [None] + [step.after for step in steps])
                return True
            self.assertIsNone(ended, about)
            model.check(path, [steps[-1].after])
            if os.path.exists(told):
                os.remove(told)
                return False
            return True
        except model.Wrong as error:
            raise AssertionError(f"{about}: {error}") from error
        finally:
            shutil.rmtree(folder)

    def all(self, journal, code, how, every=1):
        for seed in SEEDS:
            steps = model.steps(random.Random(seed), STEPS)
            number = seed % every
            while self.once(journal, steps, number, code, how):
                number += every
            self.assertGreater(number, 10 * STEPS)

    def test_input_and_output_errors(self):
        self.all("WAL", errno.EIO, calls.ONCE)

    def test_input_and_output_errors_with_a_rollback_journal(self):
        self.all("DELETE", errno.EIO, calls.ONCE, every=3)

    def test_full_disk(self):
        self.all("WAL", errno.ENOSPC, calls.FROM_HERE)

    def test_full_disk_with_a_rollback_journal(self):
        self.all("DELETE", errno.ENOSPC, calls.FROM_HERE, every=3)

    def test_interrupted_calls(self):
        self.all("WAL", errno.EINTR, calls.ONCE)

    def test_killed(self):
        self.all("WAL", 0, calls.KILL)

    def test_killed_with_a_rollback_journal(self):
        self.all("DELETE", 0, calls.KILL, every=3)

    def test_short_writes(self):
        steps = model.steps(random.Random(1), 2 * STEPS)
        self.assertTrue(self.once("WAL", steps, 0, 0, calls.SHORT))


if __name__ == "__main__":
    unittest.main()
