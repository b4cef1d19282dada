"""Power is lost at every write of a history of changes; what is left must hold what was committed."""

import os
import random
import shutil
import tempfile
import unittest

import calls
import disk
import model

STEPS = int(os.environ.get("VIDX_STEPS", 30))


def record(folder, journal, seed):
    """Runs steps and returns them and the calls, in which mark n stands behind the last call of step n."""
    os.makedirs(folder)
    log = folder + ".log"
    calls.root(folder)
    calls.log(log)
    database = model.connect(os.path.join(folder, "app.db"))
    database.execute(f"PRAGMA journal_mode = {journal}")
    # In rollback mode FULL does not synchronise the folder behind the end of the journal, SQLite says.
    database.execute(f"PRAGMA synchronous = {'FULL' if journal == 'WAL' else 'EXTRA'}")
    steps = model.steps(random.Random(seed), STEPS)
    for number, step in enumerate(steps):
        step.run(database)
        calls.mark(number)
    database.close()
    calls.mark(len(steps))
    calls.log("")
    calls.root("")
    found = list(calls.read(log))
    os.remove(log)
    return steps, found


@unittest.skipUnless(calls.is_loaded(), "scripts/check-reliability.sh preloads calls.c")
class PowerLossTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vidx-power-", dir=SHM)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def check(self, files, allowed, about):
        folder = os.path.join(self.folder, "left")
        disk.write(files, folder)
        try:
            model.check(os.path.join(folder, "app.db"), allowed)
        except Exception as error:
            raise AssertionError(f"{about}: {type(error).__name__}: {error}") from error
        finally:
            shutil.rmtree(folder)

    def lose(self, journal, seed):
        steps, found = record(os.path.join(self.folder, f"run{seed}"), journal, seed)
        states = [None] + [step.after for step in steps]
        chance, machine, done, images, last = random.Random(seed), disk.Disk(), 0, 0, {}
        self.assertGreater(len(found), 10 * STEPS)
        for number, call in enumerate(found):
            if call.operation == "#":
                done = call.offset + 1
                last.clear()
                continue
            machine.apply(call)
            allowed = states[done : done + 2] if done < len(states) else states[-1:]
            for name, choose in (("lost", disk.lost), ("kept", disk.kept), ("some", disk.some(chance))):
                files = machine.image(choose)
                if last.get(name) == files or "app.db" not in files:
                    continue
                last[name] = files
                step = steps[min(done, len(steps) - 1)]
                about = f"{journal}, seed {seed}, call {number} {call.operation} {call.name} in step {done}"
                self.check(files, allowed, f"{about} ({step.name}), writes not synchronised: {name}")
                images += 1
        self.assertGreater(images, 20 * STEPS)
        return images

    def test_write_ahead_log(self):
        for seed in SEEDS:
            self.lose("WAL", seed)

    def test_rollback_journal(self):
        for seed in SEEDS:
            self.lose("DELETE", seed)


SHM = "/dev/shm" if os.path.isdir("/dev/shm") else None
SEEDS = [int(seed) for seed in os.environ.get("VIDX_SEEDS", "1").split(",")]

if __name__ == "__main__":
    unittest.main()
