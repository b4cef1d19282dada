#!/usr/bin/env python3
"""Makes an SQLite database of conversations, with schema.sql: real turns where they are, else the demo's packages.

    make.py app.db                                    10,000 messages of nothing but the repository
    make.py app.db --data ../shared/data/sgd          84,594 messages: conversation turns with their embeddings
    make.py app.db --rows 3000 --index hnsw           fewer, and indexes over the three columns of embeddings

The environment variable VIDX_SGD stands for --data; `--data packages` means the repository's in spite of it. What the
text does not have is drawn from a generator with a seed: the same arguments make the same rows. README.md says what is
correlated with the vectors and what is not.
"""

import argparse
import datetime
import json
import os
import re
import sqlite3
import subprocess
import uuid

import numpy as np

import turns as sources

HERE = os.path.dirname(os.path.abspath(__file__))
VIDX = os.environ.get("VIDX", os.path.join(HERE, "..", "..", ".build", "release", "vidx"))
INDEXES = {"message_vectors": "messages", "execution_vectors": "executions", "memory_vectors": "memories"}
CLUSTERS = 64
FIRST_DAY, DAYS = datetime.datetime(2024, 1, 1), 730


def clusters(vectors, generator):
    """A number below CLUSTERS for each vector: five rounds of k-means over at most 20,000 of them."""
    sample = vectors[generator.permutation(len(vectors))[:20_000]]
    centres = sample[:CLUSTERS].copy()
    for _ in range(5):
        nearest = np.argmax(sample @ centres.T, axis=1)
        for number in range(len(centres)):
            members = sample[nearest == number]
            if len(members):
                centres[number] = sources.normalised(members.sum(axis=0, keepdims=True))[0]
    return np.argmax(vectors @ centres.T, axis=1)


class Maker:
    """The rows of every table, drawn in this order; a change of the order changes all that follows."""

    def __init__(self, turns, generator):
        self.turns, self.random = turns, generator
        self.cluster = clusters(turns.vectors, generator)
        self.first = np.flatnonzero(np.r_[True, np.diff(turns.dialogue) != 0])  # first turn of each conversation
        self.conversation = np.cumsum(np.r_[True, np.diff(turns.dialogue) != 0])  # of each turn, counted from 1
        self.domains = [re.sub(r"_\d+$", "", turns.services[row][0]) for row in self.first]
        count = len(self.first)
        self.start = generator.integers(0, DAYS * 86_400, count)
        self.level = generator.choice(4, count, p=(0.15, 0.25, 0.2, 0.4))
        self.user = self.users()

    def users(self):
        """One for about 40 conversations, each at home in a domain: seven tenths of a domain's conversations are those
        of its users, the others anybody's."""
        count = max(20, len(self.first) // 40)
        names = sorted(set(self.domains))
        sizes = np.array([self.domains.count(name) for name in names])
        home = self.random.choice(len(names), count, p=sizes / sizes.sum())
        at_home = {name: np.flatnonzero(home == number) + 1 for number, name in enumerate(names)}
        everybody = np.arange(count) + 1
        found = []
        for domain in self.domains:
            own = at_home[domain] if self.random.random() < 0.7 and len(at_home[domain]) else everybody
            found.append(int(self.random.choice(own)))
        return found

    def uuid(self):
        return str(uuid.UUID(bytes=self.random.bytes(16), version=4))

    def maybe(self, value, missing):
        """NULL with that probability."""
        return None if self.random.random() < missing else value

    def share(self, mean, deviation, low=0.0, high=1.0, digits=3):
        return round(float(np.clip(self.random.normal(mean, deviation), low, high)), digits)

    def time(self, row, seconds=0):
        """Of a turn: 45 seconds after the one before."""
        start = self.start[self.conversation[row] - 1] + 45 * self.turns.number[row] + seconds
        return str(FIRST_DAY + datetime.timedelta(seconds=int(start)))

    def conversations(self):
        for number, row in enumerate(self.first):
            tier = ("cold", "warm", "hot")[int(self.start[number] * 3 // (DAYS * 86_400))]
            yield (number + 1, self.uuid(), f"phase_{self.level[number] + 1}", self.time(row),
                   "support" if self.random.random() < 0.2 else "task", json.dumps(self.turns.services[row]),
                   json.dumps({"source": "dialogue", "priority": int(self.random.integers(1, 6))}), tier)

    def messages(self):
        """Quality and engineered contexts follow the cluster of the vector, with noise; models follow nothing."""
        quality = self.random.normal(0.55, 0.2, CLUSTERS)
        engineered = self.random.beta(0.7, 1.0, CLUSTERS)
        for row, text in enumerate(self.turns.texts):
            group = self.cluster[row]
            context = json.dumps({"turns": int(self.random.integers(1, 9)), "cluster": int(group)})
            yield (row + 1, int(self.conversation[row]), int(self.turns.number[row]), self.turns.roles[row], text,
                   self.maybe(f"model-{self.random.choice(3)}", 0.1),
                   context if self.random.random() < engineered[group] else None,
                   self.maybe(self.share(quality[group], 0.15), 0.03), self.time(row),
                   self.maybe(self.turns.vectors[row].tobytes(), 0.005))

    def phase_1(self):
        for number, domain in enumerate(self.domains):
            if self.random.random() < 0.95:
                services = self.turns.services[self.first[number]]
                yield number + 1, domain, json.dumps(services[1:]), int(self.random.random() < 0.6)

    def phase_3(self):
        """Learning signals follow the domain, rounded to hundredths: many are equal."""
        names = sorted(set(self.domains))
        signal = dict(zip(names, self.random.uniform(-0.1, 0.7, len(names))))
        for number in np.flatnonzero(self.level >= 2):
            for iteration in range(1, 1 + int(self.random.choice(3, p=(0.5, 0.3, 0.2))) + 1):
                metrics = {"relevance": self.share(0.6, 0.2), "completeness": self.share(0.5, 0.2)}
                yield (int(number) + 1, iteration, f"context {iteration} of conversation {number + 1}",
                       json.dumps(metrics),
                       self.maybe(self.share(signal[self.domains[number]], 0.3, -1.0, 1.0, digits=2), 0.05),
                       self.time(self.first[number], 3600 * iteration))

    def phase_4(self):
        for number in np.flatnonzero(self.level == 3):
            yield (int(number) + 1, self.user[number], "ABC"[self.random.choice(3)],
                   self.maybe(self.share(0.6, 0.2), 0.1))

    def executions(self):
        """Of every fourth turn and its answer; six tenths of the repositories follow the cluster of the turn."""
        home = self.random.integers(0, 40, CLUSTERS)
        for row in self.starting(0):
            repo = home[self.cluster[row]] if self.random.random() < 0.6 else self.random.integers(0, 40)
            yield (self.uuid(), self.time(row, 5), self.turns.labels[row], self.maybe(f"repo-{repo:02}", 0.3),
                   ("small", "medium", "large")[self.random.choice(3, p=(0.6, 0.3, 0.1))],
                   ("shared", "dedicated")[self.random.choice(2, p=(0.8, 0.2))], int(self.random.random() < 0.85),
                   round(float(self.random.lognormal(1, 1)), 3), self.maybe(self.share(0.6, 0.2), 0.05),
                   self.together(row, row + 1))

    def memories(self):
        """Of every fourth turn and the one before it; half of them never expire."""
        layers = ("episodic", "semantic", "procedural", "working")
        for row in self.starting(2):
            kept = int(self.random.integers(86_400, 400 * 86_400))
            yield (self.uuid(), self.user[self.conversation[row] - 1],
                   layers[self.random.choice(4, p=(0.5, 0.3, 0.15, 0.05))], self.turns.texts[row],
                   self.maybe(self.share(0.5, 0.25), 0.05), int(self.random.zipf(2.0) - 1) % 10_000,
                   self.maybe(self.time(row, kept), 0.5), self.together(row, row - 1))

    def starting(self, remainder):
        return np.flatnonzero(self.turns.number % 4 == remainder)

    def together(self, row, other):
        """The mean of two turns of one conversation, at length 1; the turn itself where there is no other."""
        vectors = self.turns.vectors
        if not 0 <= other < len(vectors) or self.conversation[other] != self.conversation[row]:
            return vectors[row].tobytes()
        return sources.normalised((vectors[row] + vectors[other])[None])[0].tobytes()


def fill(database, maker):
    """Tables whose rows bring no id of their own are numbered from 1."""
    tables = {"conversations": maker.conversations, "messages": maker.messages,
              "phase_1_conversations": maker.phase_1, "phase_3_feedback": maker.phase_3,
              "phase_4_production": maker.phase_4, "executions": maker.executions, "memories": maker.memories}
    for table, rows in tables.items():
        columns = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
        if table not in ("conversations", "messages"):
            columns.remove("id")
        marks = ", ".join("?" * len(columns))
        database.executemany(f"INSERT INTO {table}({', '.join(columns)}) VALUES ({marks})", rows())


def make(path, data=None, rows=None, seed=1):
    """Makes the database; refuses a path that is there. -> rows by table."""
    if os.path.exists(path):
        raise SystemExit(f"make.py: {path} is there already: remove it, and {path}-vidx beside it, or name another")
    generator = np.random.default_rng(seed)
    maker = Maker(sources.load(data, rows, generator), generator)
    database = sqlite3.connect(path)
    with open(os.path.join(HERE, "schema.sql"), encoding="utf-8") as file:
        database.executescript(file.read())
    fill(database, maker)
    broken = database.execute("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise SystemExit(f"make.py: {len(broken)} rows refer to rows that are not there: {broken[:3]}")
    database.execute("ANALYZE")
    database.commit()
    names = [name for (name,) in database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rootpage")]
    counts = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
    database.close()
    return counts


def index(path, kind, suffix="", vidx=VIDX, options=()):
    """An index of that kind over each column of embeddings, named message_vectors, execution_vectors, memory_vectors
    and the suffix."""
    for name, table in INDEXES.items():
        subprocess.run([vidx, "build", path, "--index", name + suffix, "--table", table, "--column", "embedding",
                        "--type", kind, *options], check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("--data", default=os.environ.get("VIDX_SGD", "packages"))
    parser.add_argument("--rows", type=int, help="about this many messages, in whole conversations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--index", choices=("flat", "ivfflat", "hnsw"), help="the kind of index to make, if any")
    options = parser.parse_args()
    data = None if options.data == "packages" else options.data
    print(json.dumps(make(options.database, data, options.rows, options.seed)))
    if options.index:
        index(options.database, options.index)


if __name__ == "__main__":
    main()
