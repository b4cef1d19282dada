import os
import pathlib

import numpy as np

from .engine import LIKE, Configuration, Engine, Refused, modes, sweep
from .vidx import AIMS, ROOT


class Peer(Engine):
    """vidx as a loadable extension in SQL: a process of its own, since a library serves one SQLite."""

    name = "vidx_sql"
    distributions = ("apsw",)
    BUILD = {"index": "hnsw", "m": 16, "ef_construction": 200}
    MODES = ("columns", "filter", "rowid IN (SELECT ...)")

    def start(self):
        import apsw

        self.apsw = apsw
        self.path = str(pathlib.Path(os.environ.get("VIDX_LIBRARY", ROOT / ".build" / "release" / "libvidx.so")))

    def filtered_configurations(self, shape):
        settings = sweep("target_recall", AIMS)
        rest = modes(self.MODES[1:], settings, **{LIKE: self.MODES[0]})
        return [Configuration("HNSW auto", self.BUILD,
                              (*modes(self.MODES[:1], settings), *rest))]

    def configurations(self, shape):
        return [Configuration("HNSW auto", self.BUILD, sweep("target_recall", AIMS))]

    def build(self, base, shape, configuration, threads):
        self.database = self.apsw.Connection(f"{self.folder}/vectors.db")
        self.database.enable_load_extension(True)
        self.database.load_extension(self.path)
        self.database.execute("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
        words = ", ".join(f"{name} = {value}" for name, value in configuration.build.items())
        words = f"dimensions = {shape.dimensions}, metric = {'cosine' if shape.cosine else 'l2'}, {words}"
        if self.columns:
            from .vidx_rows import fill

            fill(self.database, self.columns, base)
            words += ", content = items, column = embedding, filter u, filter label"
        self.database.execute(f"CREATE VIRTUAL TABLE vectors USING vidx({words})")
        if not self.columns:
            with self.database:
                self.database.executemany("INSERT INTO vectors(rowid, vector) VALUES (?, ?)",
                                          ((row, vector.tobytes()) for row, vector in enumerate(base)))
        self.database.execute("INSERT INTO vectors(vectors) VALUES ('optimize')")

    def use(self, setting):
        self.mode, self.aim = setting.get("mode"), setting["target_recall"]

    def arguments(self, queries, k):
        return [np.ascontiguousarray(query, dtype=np.float32).tobytes() for query in queries]

    SEARCH = "SELECT rowid FROM vectors WHERE vector MATCH ? AND k = ? AND target_recall = ?"

    def search(self, query, k):
        return self.database.execute(self.SEARCH, (query, k, self.aim)).fetchall()

    def prepared(self, one):
        """-> the statement, and what is bound behind query, k and target_recall."""
        where, values = one.predicate()
        if self.mode == "columns":
            if one.join:
                raise Refused("columns have no joins: filter has")
            where, values = one.predicate(of="")
        elif self.mode == "filter":
            # Literals, as an application would write them: equal texts have their rows kept.
            for value in values:
                where = where.replace("?", str(value), 1)
            where, values = "filter = ?", (where,)
        else:
            rows, values = one.joined()
            where = f"rowid IN ({rows})"
        return f"{self.SEARCH} AND {where}", values

    def filtered_search(self, asked, k):
        query, (statement, values) = asked
        return self.database.execute(statement, (query, k, self.aim, *values)).fetchall()

    def ids(self, answer):
        return [row[0] for row in answer]

    def close(self):
        self.database.close()
