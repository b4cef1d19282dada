"""Raw results: one JSON object a line. `kind` says what it is: build, point, failure, batch, scaling, startup, target,
filter, peer; of filters.py: filtered, filter_build, filter_refused, filter_failure; of shapes.py: shape. All carry the
run they belong to, the data set, the date, the commit and the machine."""

import datetime
import json
import os
import platform
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, ".build", "bench")


def commit():
    """Short hash, with a + when tracked files differ from it."""
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


def machine():
    """Facts that decide speed, and the load at the start: figures taken beside others' work are not worth much."""
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        fields = dict(map(str.strip, line.split(":", 1)) for line in cpuinfo if ":" in line)
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        total = int(next(line for line in meminfo if line.startswith("MemTotal")).split()[1])
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_vpopcntdq")
    flags = [flag for flag in wanted if flag in fields.get("flags", "").split()]
    return {
        "cpu": fields.get("model name", platform.machine()), "family": fields.get("cpu family"),
        "model": fields.get("model"), "cores": len(os.sched_getaffinity(0)), "isa": flags,
        "memory_gb": round(total / 2**20, 1), "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
    }


class Writer:
    """Appends lines to a file; each is on the disk when the next thing is measured."""

    def __init__(self, path, **common):
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        self.file = open(path, "a", encoding="utf-8")  # noqa: SIM115
        now = datetime.datetime.now(datetime.timezone.utc)
        self.common = {
            "run": f"{now:%Y%m%dT%H%M%S}-{os.getpid()}", "date": f"{now:%Y-%m-%d}", "commit": commit(),
            "machine": machine(), **common}

    def write(self, kind, **fields):
        self.file.write(json.dumps({"kind": kind, **fields, **self.common}) + "\n")
        self.file.flush()


def read(paths):
    lines = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines += [json.loads(line) for line in file if line.strip()]
    return lines
