#!/usr/bin/env python3
"""Data sets by name, brought into the form the engines get: float32, length 1 where the metric is cosine.

    sgd384                  conversation turns (../shared/data/sgd, or VIDX_BENCH_SHARED)
    sgd1536                 the same turns with their context; 250 dialogues held out, four turns of each are queries
    demo                    the demo's 10,000 packages
    resampled:n=1000000     n vectors from sgd384 (from demo without it); see resample.py
    PATH                    a folder with base.npy and queries.npy, ann-benchmarks .hdf5, .fvecs, .bvecs

Options follow a colon: n=ROWS (of resampled), of=NAME (what is resampled), dimensions=D (projected onto D random
orthonormal directions), rows=N (N of the rows, drawn at random), metric=cosine|euclidean.
`datasets.py NAME...` prepares them and prints what is in them; `datasets.py --available` lists those of `make bench`.
"""

import gzip
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np

import readers
from engines.engine import Shape
from results import FOLDER, ROOT
from truth import Truth

SHARED = os.environ.get("VIDX_BENCH_SHARED", os.path.join(ROOT, "..", "shared", "data"))
HELD_OUT_DIALOGUES, TURNS_OF_EACH = 250, 4


@dataclass(frozen=True)
class Dataset:
    name: str
    shape: Shape
    folder: str

    @property
    def base_path(self):
        return os.path.join(self.folder, "base.npy")

    @property
    def query_path(self):
        return os.path.join(self.folder, "queries.npy")

    def base(self):
        return np.load(self.base_path, mmap_mode="r")

    def queries(self):
        return np.load(self.query_path)

    def truth(self, k):
        return Truth(self.base(), self.queries(), k, self.shape.metric, cache=os.path.join(self.folder, "truth"))

    def facts(self):
        return {"dataset": self.name, **self.shape.__dict__, "queries": len(self.queries())}


def normalised(vectors):
    """Length 1; zero vectors stay."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def available():
    """The data sets of `make bench` on this machine."""
    return ["sgd384", "sgd1536"] if os.path.isdir(os.path.join(SHARED, "sgd")) else ["demo"]


def context1536():
    """make_context1536.py makes vectors of whole dialogues, so queries are held out of them, by whole dialogues."""
    source, folder = os.path.join(SHARED, "sgd"), os.path.join(FOLDER, "data")
    path = os.path.join(folder, "context1536.npy")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        script = os.path.join(SHARED, "make_context1536.py")
        subprocess.run([sys.executable, script, "base", "--dir", source, "--out", path], check=True)
    vectors = np.load(path, mmap_mode="r")
    with gzip.open(os.path.join(source, "base.jsonl.gz"), "rt", encoding="utf-8") as lines:
        kept, asked = held_out([json.loads(line)["dialogue_id"] for line in lines])
    return vectors[kept], vectors[asked], "cosine"


def held_out(names):
    """-> rows that stay, rows that are queries; `names` has the dialogue of each row."""
    _, starts, counts = np.unique(names, return_index=True, return_counts=True)
    draw = np.random.default_rng(1536)
    held = draw.choice(len(starts), HELD_OUT_DIALOGUES, replace=False)
    kept, asked = np.ones(len(names), bool), []
    for dialogue in held:
        start, count = starts[dialogue], counts[dialogue]
        kept[start : start + count] = False
        asked += list(start + draw.choice(count, min(TURNS_OF_EACH, count), replace=False))
    return np.flatnonzero(kept), np.sort(asked)


def source(name, options):
    """-> base, queries, metric"""
    if name == "sgd384":
        return *readers.read(os.path.join(SHARED, "sgd"))[:2], "cosine"
    if name == "sgd1536":
        return context1536()
    if name == "demo":
        folder = os.path.join(ROOT, "datasets", "debian-packages")
        return *(np.load(os.path.join(folder, f"{part}.npy")) for part in ("packages", "queries")), "cosine"
    if name == "resampled":
        from resample import resampled

        of = options.pop("of", None) or ("sgd384" if available()[0] == "sgd384" else "demo")
        base, queries, metric = source(of, {})
        return resampled(normalised(base), int(options.pop("n", 1_000_000))), queries, metric
    if os.path.exists(name):
        return readers.read(name)
    raise SystemExit(f"no data set named {name}, and no such file; Benchmarks/datasets.py --help lists them")


def projected(vectors, dimensions):
    """Onto the first `dimensions` of an orthonormal basis drawn at random: the same one for base and queries."""
    full = vectors.shape[1]
    if dimensions > full:
        raise SystemExit(f"dimensions={dimensions}: there are {full}")
    basis, _ = np.linalg.qr(np.random.default_rng(7).standard_normal((full, full)).astype(np.float32))
    return np.asarray(vectors, np.float32) @ basis[:, :dimensions]


def prepare(spec):
    """Makes the files of a data set, once, and returns it."""
    name, _, rest = spec.partition(":")
    options = dict(word.split("=", 1) for word in rest.split(",") if word)
    label = os.path.basename(name.rstrip("/")).rsplit(".", 1)[0] + (f"-{rest.replace(',', '-')}" if rest else "")
    folder = os.path.join(FOLDER, "data", re.sub(r"[^A-Za-z0-9._=-]", "_", label))
    facts = os.path.join(folder, "shape.json")
    if not os.path.exists(facts):
        os.makedirs(folder, exist_ok=True)
        base, queries, metric = source(name, options)
        metric = options.pop("metric", None) or metric or "cosine"
        if rows := int(options.pop("rows", 0)):
            chosen = np.sort(np.random.default_rng(rows).choice(len(base), rows, replace=False))
            base = np.asarray(base)[chosen]
        if dimensions := int(options.pop("dimensions", 0)):
            base, queries = projected(base, dimensions), projected(queries, dimensions)
        if options:
            raise SystemExit(f"{spec}: no option named {', '.join(options)}")
        form = normalised if metric == "cosine" else lambda vectors: np.ascontiguousarray(vectors, dtype=np.float32)
        for part, vectors in (("base", base), ("queries", queries)):
            np.save(os.path.join(folder, f"{part}.npy"), form(vectors))
        with open(facts, "w", encoding="utf-8") as file:
            json.dump({"rows": len(base), "dimensions": int(base.shape[1]), "metric": metric}, file)
    with open(facts, encoding="utf-8") as file:
        return Dataset(label, Shape(**json.load(file)), folder)


def main():
    if sys.argv[1:] == ["--available"]:
        print(*available(), sep="\n")
        return
    if not sys.argv[1:] or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    for spec in sys.argv[1:]:
        data = prepare(spec)
        distinct = len(np.unique(data.base().view(f"V{4 * data.shape.dimensions}")))
        print(json.dumps({**data.facts(), "distinct": distinct, "folder": data.folder}))


if __name__ == "__main__":
    main()
