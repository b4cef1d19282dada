"""The engines by name: each is a module of this folder with a class Peer."""

import importlib

ALL = (
    "vidx",
    "vidx_sql",
    "hnswlib",
    "faiss",
    "svs",
    "scann",
    "usearch",
    "zvec",
    "qdrant_edge",
    "lancedb",
    "duckdb_vss",
    "sqlite_vec",
    "vectorlite",
    "milvus_lite",
    "turbovec",
    "pgvector",
)


def make(name):
    if name not in ALL:
        raise SystemExit(f"no engine named {name}; there are {', '.join(ALL)}")
    return importlib.import_module(f"engines.{name}").Peer()
