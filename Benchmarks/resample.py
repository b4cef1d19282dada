#!/usr/bin/env python3
"""More vectors like those there are, for measuring how speed and build time grow with their number.

Up to the number of real vectors: a random part of them. Beyond: all of them, and new ones. A new vector starts at a
real one `a`, drawn at random, and takes a Gaussian step within the span of the differences to its nearest distinct
neighbours b_1..b_m: x = a + STEP * sum(g_i (b_i - a)) / sqrt(m), g_i normal, then is brought to length 1. So steps are
as long as local distances and go where the data goes, not into all dimensions. As large a share of the new rows as of
the real ones repeats a real row exactly. The same n gives the same vectors.

    resample.py [NAME]     holds the method against the truth: half of the real vectors resampled to their number,
                           beside the real ones; quantiles of the cosine similarity of queries to neighbours 1, 10, 100
"""

import sys

import numpy as np

NEIGHBOURS = 8
# Chosen by main(): the similarities of queries to their neighbours come closest to the real ones.
STEP = 0.7
BLOCK = 4096


def distinct(vectors):
    """Distinct rows, in order of their first appearance."""
    _, first = np.unique(vectors.view(f"V{4 * vectors.shape[1]}"), return_index=True)
    return vectors[np.sort(first.ravel())]


def nearest(vectors, count, of):
    """Ordinals of the `count` nearest others of each vector that `of` names; vectors of length 1, distinct."""
    found = np.empty((len(of), count), np.int32)
    for start in range(0, len(of), BLOCK):
        asked = of[start : start + BLOCK]
        near = vectors[asked] @ vectors.T
        near[np.arange(len(asked)), asked] = -np.inf
        found[start : start + len(asked)] = np.argpartition(-near, count, axis=1)[:, :count]
    return found


def resampled(real, rows, step=STEP, others=None):
    """`rows` vectors of length 1, float32. `others`: nearest of all that is distinct(real), where they are known."""
    draw = np.random.default_rng(rows)
    if rows <= len(real):
        return real[np.sort(draw.choice(len(real), rows, replace=False))]
    seeds = distinct(real)
    repeats = round((rows - len(real)) * (1 - len(seeds) / len(real)))
    made = np.empty((rows, real.shape[1]), np.float32)
    made[: len(real)] = real
    fresh = rows - len(real) - repeats
    origins = draw.integers(len(seeds), size=fresh)
    if others is None:
        named, places = np.unique(origins, return_inverse=True)
        others = nearest(seeds, NEIGHBOURS, named)
    else:
        places = origins
    for start in range(0, fresh, BLOCK):
        chosen = origins[start : start + BLOCK]
        weights = draw.standard_normal((len(chosen), NEIGHBOURS)).astype(np.float32) * (step / NEIGHBOURS**0.5)
        origin = seeds[chosen]
        moved = origin * (1 - weights.sum(1, keepdims=True))
        moved += np.einsum("ij,ijk->ik", weights, seeds[others[places[start : start + BLOCK]]], optimize=True)
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        made[len(real) + start : len(real) + start + len(chosen)] = moved
    made[rows - repeats :] = made[draw.integers(len(real), size=repeats)]
    return made[draw.permutation(rows)]


def similarities(base, queries, ranks=(1, 10, 100)):
    near = np.concatenate([-np.partition(-(queries[i : i + 100] @ base.T), range(max(ranks)), axis=1)[:, :max(ranks)]
                           for i in range(0, len(queries), 100)])
    return {rank: np.quantile(near[:, rank - 1], (0.1, 0.25, 0.5, 0.75, 0.9)) for rank in ranks}


def main():
    import datasets

    if sys.argv[1:2] and sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    data = datasets.prepare(sys.argv[1] if sys.argv[1:] else datasets.available()[0])
    real, queries = np.asarray(data.base()), data.queries()
    half = real[np.sort(np.random.default_rng(2).choice(len(real), len(real) // 2, replace=False))]
    sets = {"real": real, "half of it": half}
    seeds = distinct(half)
    others = nearest(seeds, NEIGHBOURS, np.arange(len(seeds)))
    for step in (0.3, 0.5, 0.7, 0.9):
        sets[f"half, resampled, step {step}"] = resampled(half, len(real), step, others)
    for name, base in sets.items():
        for rank, quantiles in similarities(base, queries).items():
            print(f"{name:30} neighbour {rank:3}: " + " ".join(f"{value:.4f}" for value in quantiles), flush=True)


if __name__ == "__main__":
    main()
