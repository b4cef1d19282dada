"""Runs a command some times: timed.py RUNS COMMAND..., prints [[seconds, peak resident megabytes], ...].

A process of its own that imports little, because a process begins with the peak of the one that started it.
"""

import json
import os
import subprocess
import sys
import time


def timed(command):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{command} failed with {status}")
    return seconds, usage.ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps([timed(sys.argv[2:]) for _ in range(int(sys.argv[1]))]))
