import os

from .engine import EF, Configuration, Engine, Refused, sweep


class Peer(Engine):
    """DuckDB with its extension vss, which it fetches from its own server when it is first installed."""

    name = "duckdb_vss"
    distributions = ("duckdb",)

    def start(self):
        import duckdb

        self.library = duckdb

    def configurations(self, shape):
        return [Configuration("HNSW f32", {"m": 16, "ef_construction": 200}, sweep("ef", EF))]

    def build(self, base, shape, configuration, threads):
        options = configuration.build
        self.database = self.library.connect(os.path.join(self.folder, "vectors.duckdb"))
        run = self.database.execute
        run(f"SET threads = {threads}")
        try:
            run("INSTALL vss")
            run("LOAD vss")
        except self.library.Error as error:
            raise Refused(f"INSTALL vss: {error}") from error
        run("SET hnsw_enable_experimental_persistence = true")
        import pyarrow

        values = pyarrow.array(base.reshape(-1), type=pyarrow.float32())
        rows = pyarrow.table({  # noqa: F841  found by its name in the statement below
            "id": pyarrow.array(range(shape.rows)),
            "v": pyarrow.FixedSizeListArray.from_arrays(values, shape.dimensions)})
        kind = f"FLOAT[{shape.dimensions}]"
        run(f"CREATE TABLE vectors AS SELECT id, v::{kind} AS v FROM rows")
        metric, self.function = ("ip", "array_negative_inner_product") if shape.cosine else ("l2sq", "array_distance")
        run(f"CREATE INDEX graph ON vectors USING HNSW (v) WITH (metric = '{metric}', M = {options['m']}, "
            f"ef_construction = {options['ef_construction']})")
        self.statement = f"SELECT id FROM vectors ORDER BY {self.function}(v, ?::{kind}) LIMIT 10"

    def use(self, setting):
        self.database.execute(f"SET hnsw_ef_search = {setting['ef']}")

    def arguments(self, queries, k):
        assert k == 10
        return [[query.tolist()] for query in queries]

    def search(self, query, k):
        return self.database.execute(self.statement, query).fetchall()

    def ids(self, answer):
        return [row[0] for row in answer]
