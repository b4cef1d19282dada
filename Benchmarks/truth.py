"""The true neighbours, and recall against them: whoever is as near as the k-th counts as a hit."""

import os

import numpy as np

# Similarities (cosine) that differ by less are equal; squared distances (euclidean) relative to the k-th.
TOLERANCE = 1e-6


def blocks(rows, size):
    for start in range(0, rows, size):
        yield start, min(rows, start + size)


def nearness(base, rows, query, metric):
    """In double precision, larger is nearer: the inner product (of vectors of length 1), or minus the squared distance.
    """
    vectors = base[rows].astype(np.float64)
    if metric == "cosine":
        return vectors @ query.astype(np.float64)
    difference = vectors - query.astype(np.float64)
    return -np.einsum("ij,ij->i", difference, difference)


def kth_nearness(base, queries, k, metric, block=65536):
    """Nearness of the k-th neighbour of each query. Found with single-precision products, then computed anew in double
    for more candidates than needed, since the products round."""
    k = min(k, len(base))
    keep = min(len(base), 2 * k + 20)
    best = np.full((len(queries), keep), -np.inf, np.float32)
    ids = np.zeros((len(queries), keep), np.int64)
    for start, end in blocks(len(base), block):
        part = np.asarray(base[start:end])
        near = queries @ part.T
        if metric != "cosine":
            near = 2 * near - np.einsum("ij,ij->i", part, part)
        near = np.concatenate([best, near], axis=1)
        numbers = np.concatenate([ids, np.broadcast_to(np.arange(start, end), (len(queries), end - start))], axis=1)
        chosen = np.argpartition(-near, keep - 1, axis=1)[:, :keep]
        best, ids = np.take_along_axis(near, chosen, 1), np.take_along_axis(numbers, chosen, 1)
    kth = [np.sort(nearness(base, row, query, metric))[-k] for row, query in zip(ids, queries)]
    return np.array(kth)


class Truth:
    def __init__(self, base, queries, k, metric, cache=None):
        self.base, self.queries, self.metric, self.k = base, queries, metric, min(k, len(base))
        path = f"{cache}.k{k}.npy" if cache else None
        if path and os.path.exists(path):
            self.kth = np.load(path)
        else:
            self.kth = np.concatenate(
                [kth_nearness(base, queries[start:end], k, metric) for start, end in blocks(len(queries), 500)])
            if path:
                np.save(path, self.kth)
        scale = np.abs(self.kth) if metric != "cosine" else 1
        self.threshold = self.kth - TOLERANCE * scale

    def recall(self, ids):
        """Of the first len(ids) queries. Row numbers, -1 for none; the same row twice counts once."""
        found = 0
        for query, row in enumerate(ids):
            row = np.unique(row[row >= 0])
            near = nearness(self.base, row, self.queries[query], self.metric)
            found += min(self.k, int(np.sum(near >= self.threshold[query])))
        return found / (len(ids) * self.k)
