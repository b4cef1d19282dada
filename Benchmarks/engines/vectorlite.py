from .engine import EF, Configuration, Engine, sweep


class Peer(Engine):
    """hnswlib in a virtual table of SQLite, through apsw."""

    name = "vectorlite"
    distributions = ("vectorlite-py", "apsw")

    def start(self):
        import apsw
        import vectorlite_py

        self.apsw, self.library = apsw, vectorlite_py

    def configurations(self, shape):
        return [Configuration("HNSW M=16", {"m": 16, "ef_construction": 200}, sweep("ef", EF))]

    def build(self, base, shape, configuration, threads):
        options = configuration.build
        self.database = self.apsw.Connection(":memory:")
        self.database.enable_load_extension(True)
        self.database.load_extension(self.library.vectorlite_path())
        metric = "ip" if shape.cosine else "l2"
        self.database.execute(
            f"CREATE VIRTUAL TABLE vectors USING vectorlite(v float32[{shape.dimensions}] {metric}, "
            f"hnsw(max_elements={shape.rows}, M={options['m']}, ef_construction={options['ef_construction']}))")
        if self.columns:
            from .vidx_rows import fill

            fill(self.database, self.columns)
        with self.database:
            self.database.executemany(
                "INSERT INTO vectors(rowid, v) VALUES (?, ?)",
                ((row, vector.tobytes()) for row, vector in enumerate(base)))

    def use(self, setting):
        self.statement = f"SELECT rowid FROM vectors WHERE knn_search(v, knn_param(?, ?, {setting['ef']}))"

    def arguments(self, queries, k):
        return [(query.tobytes(), k) for query in queries]

    def search(self, query, k):
        return self.database.execute(self.statement, query).fetchall()

    def ids(self, answer):
        return [row[0] for row in answer]

    def filtered_configurations(self, shape):
        return self.configurations(shape)

    def prepared(self, one):
        rows, values = one.joined()
        return f"{self.statement} AND rowid IN ({rows})", values

    def filtered_search(self, asked, k):
        (query, _), (statement, values) = asked
        return self.database.execute(statement, (query, k, *values)).fetchall()
