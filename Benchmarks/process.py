"""Starts workers and talks to them."""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    """An engine could not do what was asked: `refused` when its library said so by design."""

    def __init__(self, reason, refused=False):
        super().__init__(reason)
        self.refused = refused


class Process:
    """One worker. Its standard error goes to a log beside its scratch folder."""

    def __init__(self, engine, scratch, label="", timeout=3600):
        self.engine, self.timeout = engine, timeout
        os.makedirs(scratch, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix=f"{engine}-", dir=scratch)
        self.log = open(os.path.join(scratch, f"{engine}{label}.log"), "w", encoding="utf-8")  # noqa: SIM115
        # One thread unless the engine is told otherwise through its own interface.
        environment = dict(os.environ, OPENBLAS_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3")
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "worker.py"), engine, self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment)

    def ask(self, do, timeout=None, **arguments):
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self.ending()) from None
        ready, _, _ = select.select([self.process.stdout], [], [], timeout or self.timeout)
        if not ready:
            self.kill()
            raise Failed(f"no answer to {do} within {timeout or self.timeout} s")
        line = self.process.stdout.readline()
        if not line:
            raise Failed(self.ending())
        answer = json.loads(line)
        if "refused" in answer:
            raise Failed(answer["refused"], refused=True)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def ending(self):
        """Why the process ended, from its log's last words."""
        code = self.process.wait()
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        return f"ended with {code}" + (f": {lines[-1][:200]}" if lines else "")

    def pin(self, core):
        """The process and all its threads onto one core; a server's processes onto another, as its client waits."""
        others = sorted(os.sched_getaffinity(0) - {core}) or [core]
        pins = [(self.process.pid, core)] + [(pid, others[0]) for pid in self.ask("pids")["pids"]]
        for pid, target in pins:
            try:
                for thread in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(thread), {target})
            except (ProcessLookupError, FileNotFoundError):
                continue  # ended meanwhile

    def unpin(self):
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setaffinity(int(thread), os.sched_getaffinity(0))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def quit(self):
        try:
            self.ask("quit", timeout=60)
            self.process.stdin.close()
            self.process.wait(timeout=60)
        except (Failed, OSError, subprocess.TimeoutExpired):
            self.kill()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
