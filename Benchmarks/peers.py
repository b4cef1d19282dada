#!/usr/bin/env python3
"""Installs the peers of requirements.txt into .venv, one after the other; says which did not install, and goes on.

What has been installed from the same lines before is left alone. peers.py [PEER...] installs those only. vidx's own
package, ./python, is installed again when it or the library of `make build` has changed.
"""

import json
import os
import re
import subprocess
import sys
import time

from results import ROOT

VENV = os.path.join(ROOT, ".venv")
STATE = os.path.join(VENV, "peers.json")
OWN = "the harness"


def groups(text):
    """Requirements by peer: those above the first group are the harness's own."""
    found, name = {OWN: []}, OWN
    for line in text.splitlines():
        head = re.fullmatch(r"# ([a-z_]+)(:.*)?", line)
        if head:
            name = head[1]
            found[name] = []
        elif line.strip() and not line.startswith("#"):
            found[name].append(line.strip())
    return found


def stamp(folder):
    """Changes when a file of our package does, or the library that goes into it."""
    files = [os.path.join(ROOT, ".build", "release", "libvidx.so")]
    files += [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names
              if name.endswith((".py", ".c", ".toml"))]
    return max((os.path.getmtime(file) for file in files if os.path.exists(file)), default=0)


def install(requirements, constraints):
    """-> None, or why not: the last lines of pip's complaint."""
    pip = [os.path.join(VENV, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "--constraint", constraints, *requirements], capture_output=True, text=True)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return " ".join([line for line in lines if line.upper().startswith("ERROR")] or lines[-3:])[:500]


def main():
    with open(os.path.join(ROOT, "Benchmarks", "requirements.txt"), encoding="utf-8") as file:
        wanted = groups(file.read())
    package = os.path.join(ROOT, "python")
    if os.path.isdir(package):
        wanted["vidx"] = [package]
    if not os.path.exists(os.path.join(VENV, "bin", "pip")):
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    state = {}
    if os.path.exists(STATE):
        with open(STATE, encoding="utf-8") as file:
            state = json.load(file)
    constraints = os.path.join(VENV, "constraints.txt")
    with open(constraints, "w", encoding="utf-8") as file:
        file.write("\n".join(wanted[OWN]) + "\n")  # no peer moves NumPy
    for name, requirements in wanted.items():
        chosen = not sys.argv[1:] or name in sys.argv[1:] or name == OWN
        entry = {"requirements": requirements, "problem": None, "stamp": stamp(package) if name == "vidx" else 0}
        if not chosen or state.get(name) == entry:
            continue
        start = time.monotonic()
        problem = install([*(["--force-reinstall", "--no-deps"] if name == "vidx" else []), *requirements], constraints)
        state[name] = {**entry, "problem": problem}
        outcome = f"NOT INSTALLED: {problem}" if problem else f"{time.monotonic() - start:.0f} s"
        print(f"{name}: {outcome}", flush=True)
        with open(STATE, "w", encoding="utf-8") as file:
            json.dump(state, file, indent=1)
    if state[OWN]["problem"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
