from .engine import Configuration, Engine, Refused, modes


class Peer(Engine):
    """Scans of a vec0 table: of the vectors, or of bits with exact distances of the best. Through apsw, which
    can load extensions where Python's own sqlite3 was built without."""

    name = "sqlite_vec"
    distributions = ("sqlite-vec", "apsw")

    def start(self):
        import apsw
        import sqlite_vec

        self.apsw, self.library = apsw, sqlite_vec

    def configurations(self, shape):
        kinds = [Configuration("Flat f32", {})]
        if shape.cosine:
            kinds.append(Configuration("1 bit, rescored", {"bits": True},
                                       tuple({"candidates": count} for count in (20, 40, 80, 160, 320, 640))))
        return kinds

    def build(self, base, shape, configuration, threads):
        self.database = self.apsw.Connection(f"{self.folder}/vectors.db")
        self.database.enable_load_extension(True)
        self.database.load_extension(self.library.loadable_path())
        self.database.execute("PRAGMA cache_size = -1000000")
        # Vectors have length 1 where the metric is cosine, and L2 ranks them alike.
        bits = configuration.build.get("bits")
        columns = f"v float[{shape.dimensions}]" + (f", b bit[{shape.dimensions}]" if bits else "")
        columns += ", u integer, label integer" if self.columns else ""
        self.database.execute(f"CREATE VIRTUAL TABLE vectors USING vec0({columns})")
        if self.columns:
            self.fill(base)
            self.bits = None
            return
        insert = "INSERT INTO vectors(rowid, v) VALUES (?, ?)"
        if bits:
            insert = "INSERT INTO vectors(rowid, v, b) VALUES (?1, ?2, vec_quantize_binary(?2))"
        with self.database:
            self.database.executemany(insert, ((row, vector.tobytes()) for row, vector in enumerate(base)))
        self.bits = bits

    def fill(self, base):
        """Metadata columns beside the vectors, and the rows as SQLite has them."""
        from .vidx_rows import fill

        fill(self.database, self.columns)
        with self.database:
            self.database.executemany(
                "INSERT INTO vectors(rowid, v, u, label) VALUES (?, ?, ?, ?)",
                ((row, base[row].tobytes(), u, label) for row, u, label, _ in self.columns.items()))

    def use(self, setting):
        self.mode = setting.get("mode")
        self.statement = "SELECT rowid FROM vectors WHERE v MATCH ?1 AND k = ?2 ORDER BY distance"
        if self.bits:
            self.statement = f"""
                WITH near AS MATERIALIZED (
                  SELECT rowid, v FROM vectors WHERE b MATCH vec_quantize_binary(?1) AND k = {setting['candidates']})
                SELECT rowid FROM near ORDER BY vec_distance_L2(v, ?1) LIMIT ?2"""

    def arguments(self, queries, k):
        return [query.tobytes() for query in queries]

    def search(self, query, k):
        return self.database.execute(self.statement, (query, k)).fetchall()

    def ids(self, answer):
        return [row[0] for row in answer]

    def filtered_configurations(self, shape):
        return [Configuration("Flat f32", {}, modes(("metadata columns", "rowid IN (SELECT ...)"), ({},)))]

    def prepared(self, one):
        if self.mode == "metadata columns":
            if one.join:
                raise Refused("metadata columns have no joins")
            where, values = one.predicate(of="")
        else:
            rows, values = one.joined()
            where = f"rowid IN ({rows})"
        return f"SELECT rowid FROM vectors WHERE v MATCH ? AND k = ? AND {where} ORDER BY distance", values

    def filtered_search(self, asked, k):
        query, (statement, values) = asked
        return self.database.execute(statement, (query, k, *values)).fetchall()
