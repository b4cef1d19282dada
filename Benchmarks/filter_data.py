"""The cells of filtered search: which rows pass for which query, the columns that say so, and the true neighbours."""

import gzip
import json
import os
from dataclasses import dataclass

import numpy as np

import datasets
from engines.filter import GRAIN, Columns, Filter
from filter_options import CELLS
from truth import TOLERANCE, blocks, kth_nearness, nearness

# Shares of rows that a filter on the uniform column passes; of each, so many different filters.
UNIFORM = {"50 %": 0.5, "10 %": 0.1, "1 %": 0.01, "0.1 %": 0.001, "0.01 %": 0.0001}
POOL = 8
# Where rows bring no labels, these many clusters are.
CLUSTERS, LLOYD_STEPS, SAMPLE = 20, 12, 20_000
# Where rows bring no conversations, so many rows in turn are one.
TURNS = 18


def clusters(base, queries, count=CLUSTERS):
    """Labels of rows and of queries: the nearest of `count` centres, by Lloyd's algorithm on a sample."""
    draw = np.random.default_rng(5)
    sample = np.asarray(base[np.sort(draw.choice(len(base), min(SAMPLE, len(base)), replace=False))])
    centres = sample[draw.choice(len(sample), min(count, len(sample)), replace=False)].copy()

    def nearest(vectors):
        return np.argmax(vectors @ centres.T - 0.5 * np.einsum("ij,ij->i", centres, centres), axis=1)

    for _ in range(LLOYD_STEPS):
        labels = nearest(sample)
        for label in range(len(centres)):
            if (labels == label).any():
                centres[label] = sample[labels == label].mean(0)
    return np.concatenate([nearest(np.asarray(base[s:e])) for s, e in blocks(len(base), 65536)]), nearest(queries)


def turns(name):
    """Of the conversation turns: (domain, conversation) of each row and of each query."""
    def read(part):
        with gzip.open(os.path.join(datasets.SHARED, "sgd", f"{part}.jsonl.gz"), "rt", encoding="utf-8") as lines:
            found = [json.loads(line) for line in lines]
        return [(one["services"][0].split("_")[0], one["dialogue_id"]) for one in found]

    base = read("base")
    if name == "sgd384":
        return base, read("queries")
    kept, asked = datasets.held_out([conversation for _, conversation in base])
    return [base[row] for row in kept], [base[row] for row in asked]


def labels(data):
    """-> label of each row, conversation of each row, label of each query (-1: no row has it)."""
    if data.name in ("sgd384", "sgd1536"):
        rows, asked = turns(data.name)
        names, of_rows = np.unique([domain for domain, _ in rows], return_inverse=True)
        number = {name: label for label, name in enumerate(names)}
        conversations = np.unique([conversation for _, conversation in rows], return_inverse=True)[1]
        return of_rows, conversations, np.array([number.get(domain, -1) for domain, _ in asked])
    of_rows, of_queries = clusters(data.base(), data.queries())
    return of_rows, np.arange(len(of_rows)) // TURNS, of_queries


def make_columns(of_rows, conversations):
    """`u` and `signal` go with nothing; `subject` follows the label, as a domain of a conversation does."""
    draw = np.random.default_rng(4)
    count = int(conversations.max()) + 1
    first = np.full(count, len(of_rows), np.int64)
    np.minimum.at(first, conversations, np.arange(len(of_rows)))
    return Columns(
        u=draw.integers(GRAIN, size=len(of_rows)), label=of_rows.astype(np.int64),
        conversation=conversations.astype(np.int64), tier=draw.integers(2, size=count),
        subject=of_rows[first].astype(np.int64) % 5, signal=draw.integers(GRAIN, size=count))


def of_uniform(share, number):
    width = max(1, round(share * GRAIN))
    low = number * (GRAIN - width) // POOL
    return Filter("u", low, low + width)


def filters(cell, query_labels, present):
    """The filter of each query of a cell; `present` are the labels that rows have."""
    count = len(query_labels)
    if cell in UNIFORM:
        return [of_uniform(UNIFORM[cell], number % POOL) for number in range(count)]
    if cell == "near":
        return [Filter("label", int(label), int(label) + 1) for label in query_labels]
    draw = np.random.default_rng(6)
    if cell == "far":
        others = [draw.choice(present[present != label]) for label in query_labels]
        return [Filter("label", int(label), int(label) + 1) for label in others]
    if cell == "join":
        return [Filter(join=(number % 2, number % 5, GRAIN // 2)) for number in range(count)]
    raise SystemExit(f"no cell named {cell}; there are {', '.join(CELLS)}")


@dataclass
class Cell:
    """Queries with their filters, and for each k the distances that count. A query may pass fewer than k rows: then
    it wants all of them."""

    name: str
    filters: list
    base: np.ndarray
    queries: np.ndarray
    metric: str
    columns: Columns
    cache: str = None

    def __post_init__(self):
        self.masks = {one: one.mask(self.columns) for one in set(self.filters)}
        self.passing = np.array([int(self.masks[one].sum()) for one in self.filters])
        self.share = float(self.passing.mean() / len(self.base))
        self.known = {}

    def thresholds(self, k):
        """For each query the nearness that a hit has at least; of no meaning where nothing passes."""
        if k not in self.known:
            path = f"{self.cache}.{self.name.replace(' %', '')}.k{k}.npy" if self.cache else None
            if path and os.path.exists(path):
                kth = np.load(path)
            else:
                kth = self.kth(k)
                if path:
                    np.save(path, kth)
            scale = np.abs(kth) if self.metric != "cosine" else 1
            self.known[k] = kth - TOLERANCE * scale
        return self.known[k]

    def kth(self, k):
        found = np.zeros(len(self.filters))
        for one, mask in self.masks.items():
            asked = np.array([number for number, other in enumerate(self.filters) if other == one])
            if mask.any():
                rows = np.asarray(self.base[np.flatnonzero(mask)])
                found[asked] = kth_nearness(rows, self.queries[asked], k, self.metric)
        return found

    def recall(self, ids, k):
        """Of the first len(ids) queries: rows found of all that were wanted. A row that does not pass is an error."""
        thresholds, found, wanted = self.thresholds(k), 0, 0
        for query, row in enumerate(ids):
            row = np.unique(row[row >= 0])
            if not self.masks[self.filters[query]][row].all():
                raise AssertionError(f"{self.name}: query {query} was answered with rows that do not pass")
            wants = min(k, int(self.passing[query]))
            near = nearness(self.base, row, self.queries[query], self.metric)
            found += min(wants, int(np.sum(near >= thresholds[query])))
            wanted += wants
        return found / wanted if wanted else 1.0


class Filtered:
    """A data set with columns and cells, kept beside it."""

    def __init__(self, data, count):
        self.data = data
        self.folder = os.path.join(data.folder, f"filters-{count}")
        self.columns_path = os.path.join(self.folder, "columns.npz")
        self.query_path = os.path.join(self.folder, "queries.npy")
        label_path = os.path.join(self.folder, "labels.npy")
        if not os.path.exists(label_path):
            os.makedirs(self.folder, exist_ok=True)
            of_rows, conversations, of_queries = labels(data)
            make_columns(of_rows, conversations).save(self.columns_path)
            # In random order: slow engines answer the first of them only.
            asked = np.flatnonzero(np.isin(of_queries, of_rows))
            asked = np.random.default_rng(8).permutation(asked)[:count]
            np.save(self.query_path, data.queries()[asked])
            np.save(label_path, of_queries[asked])
        self.columns, self.queries = Columns.load(self.columns_path), np.load(self.query_path)
        self.query_labels = np.load(label_path)

    def cell(self, name):
        chosen = filters(name, self.query_labels, np.unique(self.columns.label))
        return Cell(name, chosen, self.data.base(), self.queries, self.data.shape.metric, self.columns,
                    os.path.join(self.folder, "truth"))
