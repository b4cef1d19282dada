"""Every file call of a history fails once, the disk fills up at each, writes come up short, the process is killed.

After an error the database holds what it held before the step, or, where SQLite had written the commit already, what it
should hold after it; the same connection goes on, and so does who opens the files later.
"""

import copy
import errno
import json
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


def history(database, steps, told):
    """Runs the steps; one that fails is looked at and run again. `told(byte)` hears when each begins and ends."""
    before = None
    for step in steps:
        told(b"b")
        try:
            step.run(database)
        except sqlite3.Error:
            calls.fail(calls.NONE)
            held = model.read(database)
            if held != before and held != step.after:
                raise model.Wrong(f"{step.name} failed and left {held}\nbefore {before}\nafter {step.after}") from None
            if held != step.after or before == step.after:
                step.run(database)
        told(b"e")
        before = step.after


@unittest.skipUnless(calls.is_loaded(), "scripts/check-reliability.sh preloads calls.c")
class FaultTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vidx-faults-", dir=SHM)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def child(self, body):
        """Runs `body(told)` in a process of its own. What it told, and the signal that ended it or what it raised."""
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reading)
            try:
                body(lambda byte: os.write(writing, byte))
            except BaseException as error:
                os.write(writing, f"!{type(error).__name__}: {error}".encode()[:60000])
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            text, _, error = pipe.read().decode().partition("!")
        _, status = os.waitpid(process, 0)
        return text, error or (signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else None)

    def once(self, journal, steps, number, code, how):
        """One run with one call failing. Returns whether that call came."""
        folder = os.path.join(self.folder, "run")
        os.makedirs(folder)
        path = os.path.join(folder, "app.db")
        states = [None] + [step.after for step in steps]

        def body(told):
            calls.root(folder)
            database = model.connect(path)
            database.execute(f"PRAGMA journal_mode = {journal}")
            calls.fail(number, code, how)
            try:
                history(database, steps, told)
            finally:
                came = calls.failed()
                calls.fail(calls.NONE)
                calls.root("")
            if model.verify(database) != steps[-1].after:
                raise model.Wrong("the connection sees another state than it wrote")
            database.close()
            told(b"f" if came else b"n")

        about = f"{journal}, call {number}, errno {errno.errorcode.get(code)}, how {how}"
        try:
            text, ended = self.child(body)
            if how == calls.KILL and ended == "SIGKILL":
                done = text.count("e")
                model.check(path, states[done : done + (2 if text.endswith("b") else 1)])
                return True
            self.assertIsNone(ended, about)
            model.check(path, states[-1:])
            return text.endswith("f")
        except model.Wrong as error:
            raise AssertionError(f"{about}: {error}") from error
        finally:
            shutil.rmtree(folder)

    def all(self, journal, code, how):
        for seed in SEEDS:
            # What the tool does is tested below: calls of another process are counted by themselves.
            steps = [step for step in model.steps(random.Random(seed), STEPS) if step.name != "tool"]
            number = 0
            while self.once(journal, steps, number, code, how):
                number += 1
            self.assertGreater(number, 10 * STEPS)

    def test_input_and_output_errors(self):
        self.all("WAL", errno.EIO, calls.ONCE)

    def test_input_and_output_errors_with_a_rollback_journal(self):
        self.all("DELETE", errno.EIO, calls.ONCE)

    def test_full_disk(self):
        self.all("WAL", errno.ENOSPC, calls.FROM_HERE)

    def test_full_disk_with_a_rollback_journal(self):
        self.all("DELETE", errno.ENOSPC, calls.FROM_HERE)

    def test_interrupted_calls(self):
        self.all("WAL", errno.EINTR, calls.ONCE)

    def test_interrupted_calls_with_a_rollback_journal(self):
        self.all("DELETE", errno.EINTR, calls.ONCE)

    def test_killed(self):
        self.all("WAL", 0, calls.KILL)

    def test_killed_with_a_rollback_journal(self):
        self.all("DELETE", 0, calls.KILL)

    def test_short_writes(self):
        steps = model.steps(random.Random(1), 2 * STEPS)
        self.assertTrue(self.once("WAL", steps, 0, 0, calls.SHORT))

    def test_the_tool_merging_and_sweeping(self):
        """Each call of a `vidx optimize` that has much to do fails, or is its last."""
        self.all_of_the_tool(lambda state: (["optimize"], state))

    def test_the_tool_changing_an_index_over(self):
        """The same of a `vidx reindex` with other vectors, which leaves the old index or the new one."""
        def vectors(state):
            after = copy.deepcopy(state)
            after.plain = {row: tuple(7.0 - x for x in vector) for row, vector in state.plain.items()}
            file = os.path.join(self.folder, "new.jsonl")
            with open(file, "w") as lines:
                for row, vector in after.plain.items():
                    lines.write(json.dumps({"id": row, "vector": vector}) + "\n")
            return ["reindex", "--index", "plain", "--model", "b", "--vectors", file], after

        self.all_of_the_tool(vectors)

    def test_the_tool_making_an_index_on_a_table_anew(self):
        self.all_of_the_tool(
            lambda state: (["reindex", "--index", "doc_vectors", "--model", "b", "--type", "flat"], state))

    def all_of_the_tool(self, work):
        """`work(state)` is the tool's arguments but for the database, and the state that they lead to."""
        for journal in ("WAL", "DELETE"):
            for code, how in ((errno.EIO, calls.ONCE), (errno.ENOSPC, calls.FROM_HERE), (0, calls.KILL)):
                number = 0
                while self.tool_once(journal, number, code, how, work):
                    number += 1
                self.assertGreater(number, 40)

    def tool_once(self, journal, number, code, how, work):
        folder, told = os.path.join(self.folder, "run"), os.path.join(self.folder, "told")
        os.makedirs(folder)
        path = os.path.join(folder, "app.db")
        database = model.connect(path)
        database.execute(f"PRAGMA journal_mode = {journal}")
        steps = model.steps(random.Random(4), 12)
        for step in steps:
            step.run(database)
        database.close()
        before = steps[-1].after
        (command, *arguments), after = work(before)
        arguments = [command, path, *arguments]
        faults = {"VIDX_CALLS_ROOT": folder, "VIDX_CALLS_FAIL": f"{number},{code},{how}", "VIDX_CALLS_TOLD": told}
        about = f"{journal}, call {number} of the tool, errno {errno.errorcode.get(code)}, how {how}"
        try:
            failed = model.tool(arguments, faults)
            model.check(path, [before, after] if failed else [after])
            self.assertIsNone(model.tool(arguments), about)
            self.assertIsNone(model.optimize(path), about)
            model.check(path, [after])
            self.assertLessEqual(len(os.listdir(path + "-vidx")), 2, about)
            return os.path.exists(told)
        except model.Wrong as error:
            raise AssertionError(f"{about}: {error}") from error
        finally:
            shutil.rmtree(folder)
            if os.path.exists(told):
                os.remove(told)


if __name__ == "__main__":
    unittest.main()
