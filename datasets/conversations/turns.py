"""Where the turns come from: conversation turns with embeddings if they are there, else the demo's packages.

Both give Turns: whole dialogues, one after the other.
"""

import gzip
import json
import os
from dataclasses import dataclass

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = os.path.join(HERE, "..", "debian-packages")


@dataclass
class Turns:
    """Parallel arrays and lists, one entry a turn; `vectors` is (turns, 384) float32, every row of length 1."""

    dialogue: np.ndarray
    number: np.ndarray
    roles: list
    services: list
    texts: list
    labels: list
    vectors: np.ndarray

    def __len__(self):
        return len(self.texts)

    def chosen(self, rows):
        """These rows only, in their order."""
        def few(values):
            return [values[row] for row in rows]
        return Turns(self.dialogue[rows], self.number[rows], few(self.roles), few(self.services), few(self.texts),
                     few(self.labels), self.vectors[rows])


def normalised(vectors):
    vectors = np.asarray(vectors, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def of_dialogues(folder):
    """base.jsonl.gz and base.npy: real turns, a fifth of them exact duplicates. Row i is turn i + 1."""
    with gzip.open(os.path.join(folder, "base.jsonl.gz"), "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    vectors = normalised(np.load(os.path.join(folder, "base.npy")))
    if len(rows) != len(vectors):
        raise SystemExit(f"{folder}: {len(rows)} turns and {len(vectors)} vectors: they belong to different versions")
    names = {name: number for number, name in enumerate(dict.fromkeys(row["dialogue_id"] for row in rows))}
    return Turns(
        np.array([names[row["dialogue_id"]] for row in rows]), np.array([row["turn_number"] for row in rows]),
        [row["role"] for row in rows], [row["services"] for row in rows], [row["text"] for row in rows],
        [row["active_intent"] or "none" for row in rows], vectors)


def of_packages(generator):
    """10,000 turns of nothing but the repository: packages of one section, 6 to 14 of them, are a dialogue. Every
    seventh turn is one of 60 stock phrases, as real dialogues have them: same text, same vector."""
    with open(os.path.join(PACKAGES, "packages.jsonl"), encoding="utf-8") as file:
        packages = [json.loads(line) for line in file]
    vectors = normalised(np.load(os.path.join(PACKAGES, "packages.npy")))
    stock = generator.choice(len(packages), 60, replace=False)
    source = np.arange(len(packages))
    copies = generator.random(len(packages)) < 1 / 7
    source[copies] = generator.choice(stock, copies.sum())
    order = np.array(sorted(range(len(packages)), key=lambda row: (packages[row]["section"], row)))
    dialogue, number = np.zeros(len(order), dtype=np.int64), np.zeros(len(order), dtype=np.int64)
    current, length = -1, 0
    for place, row in enumerate(order):
        new = place == 0 or packages[row]["section"] != packages[order[place - 1]]["section"]
        if new or length == 0:
            current, length, turn = current + 1, int(generator.integers(6, 15)), 0
        dialogue[place], number[place] = current, turn
        turn, length = turn + 1, length - 1
    taken = [packages[row] for row in source[order]]
    return Turns(
        dialogue, number, ["user" if turn % 2 == 0 else "assistant" for turn in number],
        [[packages[row]["section"]] for row in order], [one["description"] for one in taken],
        [one["priority"] for one in taken], vectors[source[order]])


def load(folder, rows, generator):
    """Turns of a folder like ../shared/data/sgd, or of the packages where `folder` is None; about `rows` of them in
    whole dialogues drawn at random, all where it is None."""
    turns = of_dialogues(folder) if folder else of_packages(generator)
    if rows is None or rows >= len(turns):
        return turns
    lengths = np.bincount(turns.dialogue)
    drawn = generator.permutation(len(lengths))
    kept = np.zeros(len(lengths), dtype=bool)
    kept[drawn[: 1 + np.searchsorted(np.cumsum(lengths[drawn]), rows)]] = True
    return turns.chosen(np.flatnonzero(kept[turns.dialogue]))
