"""Vector files as people have them: .npy, ann-benchmarks' .hdf5, and the .fvecs, .bvecs and .ivecs of TEXMEX."""

import os
import re

import numpy as np

ELEMENTS = {"fvecs": np.float32, "bvecs": np.uint8, "ivecs": np.int32}


def vecs(path):
    """Rows of a .fvecs, .bvecs or .ivecs file, mapped: each row is its dimension as an int32, then its elements."""
    element = np.dtype(ELEMENTS[path.rsplit(".", 1)[1]])
    size = os.path.getsize(path)
    if size < 4:
        raise ValueError(f"{path}: empty")
    dimensions = int(np.fromfile(path, "<i4", count=1)[0])
    row = 4 + dimensions * element.itemsize
    if dimensions <= 0 or size % row:
        raise ValueError(f"{path}: {size} bytes are no rows of {dimensions} elements")
    raw = np.memmap(path, np.uint8, "r").reshape(-1, row)
    heads = np.ascontiguousarray(raw[:, :4]).view("<i4")
    if (heads != dimensions).any():
        raise ValueError(f"{path}: rows differ in dimension")
    if element.itemsize == 1:
        return raw[:, 4:]
    return np.memmap(path, element.newbyteorder("<"), "r").reshape(-1, 1 + dimensions)[:, 1:]


def hdf5(path):
    """-> base, queries, metric of an ann-benchmarks file."""
    import h5py

    with h5py.File(path, "r") as file:
        distance = file.attrs["distance"]
        distance = distance.decode() if isinstance(distance, bytes) else str(distance)
        metrics = {"angular": "cosine", "euclidean": "euclidean"}
        if distance not in metrics:
            raise ValueError(f"{path}: distance {distance}; angular and euclidean can be measured")
        return np.asarray(file["train"]), np.asarray(file["test"]), metrics[distance]


def query_file(base):
    """The file of queries that belongs to a base file: sift_base.fvecs -> sift_query.fvecs."""
    folder, name = os.path.split(base)
    tried = [re.sub("base|learn", word, name) for word in ("query", "queries")]
    for other in tried:
        if other != name and os.path.exists(os.path.join(folder, other)):
            return os.path.join(folder, other)
    raise ValueError(f"{base}: no {' or '.join(tried)} beside it")


def read(path):
    """-> base, queries, metric (None: not said) of a folder with base.npy and queries.npy, or of a file."""
    if os.path.isdir(path):
        return *(np.load(os.path.join(path, f"{name}.npy"), mmap_mode="r") for name in ("base", "queries")), None
    if path.endswith((".hdf5", ".h5")):
        return hdf5(path)
    if path.endswith(".npy"):
        return np.load(path, mmap_mode="r"), np.load(query_file(path), mmap_mode="r"), None
    if path.endswith((".fvecs", ".bvecs")):
        return vecs(path), vecs(query_file(path)), "euclidean"
    raise ValueError(f"{path}: a folder with base.npy and queries.npy, or .npy, .hdf5, .fvecs, .bvecs are read")
