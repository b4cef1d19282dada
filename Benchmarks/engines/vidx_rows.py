#!/usr/bin/env python3
"""Makes a database with the rows that filters are about, and an index of vidx over their vectors, as an application
has it: content = 'items', with filter columns. A process of its own, since it loads the extension into apsw's SQLite.

    vidx_rows.py LIBRARY DATABASE BASE.npy COLUMNS.npz OPTIONS     OPTIONS: JSON, as of CREATE VIRTUAL TABLE
"""

import json
import os
import sys

import apsw
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from engines.filter import Columns  # noqa: E402


def fill(database, columns, vectors=None):
    """The rows and tables that filters are about, with their indexes; with the vectors of the rows, if given."""
    for statement in columns.statements(extra=", embedding BLOB" if vectors is not None else ""):
        database.execute(statement)
    marks = "?, ?, ?, ?"
    rows = columns.items()
    if vectors is not None:
        marks, rows = f"{marks}, ?", ((*row, vectors[row[0]].tobytes()) for row in rows)
    with database:
        database.executemany(f"INSERT INTO items VALUES ({marks})", rows)
        for name, _, joined in columns.tables():
            database.executemany(f"INSERT INTO {name} VALUES (?, ?)", joined)
    for statement in columns.indexes():
        database.execute(statement)
    database.execute("ANALYZE")


def main():
    library, path, base, columns, options = sys.argv[1:]
    vectors = np.load(base, mmap_mode="r")
    database = apsw.Connection(path)
    database.enable_load_extension(True)
    database.load_extension(library)
    database.execute("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
    fill(database, Columns.load(columns), vectors)
    words = {"dimensions": vectors.shape[1], "content": "items", "column": "embedding", **json.loads(options)}
    arguments = ", ".join(f"{name} = '{value}'" if isinstance(value, str) else f"{name} = {value}"
                          for name, value in words.items())
    database.execute(f"CREATE VIRTUAL TABLE vectors USING vidx({arguments}, filter u, filter label)")
    database.execute("INSERT INTO vectors(vectors) VALUES ('optimize')")
    database.close()


if __name__ == "__main__":
    main()
