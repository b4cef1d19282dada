import itertools
import json
import os
import pathlib
import subprocess
import sys

from .engine import ALL, EF, LIKE, Configuration, Engine, Refused, modes, sweep

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROBES = (1, 2, 3, 5, 8, 12, 18, 28, 40, 64, 96, 144)
# Recalls asked for under a filter. Lists find more than is asked for, so this begins low; ef_search would ask for 0.95.
AIMS = (0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995)
# A new codec is one more word here; what the library refuses is reported and left out.
CODECS = ("auto", "f32", "f16", "int8", "int4", "rabitq")


class Peer(Engine):
    """Through python/vidx. Searches see the index as it was opened, as the peers' do (snapshot); "live" asks the
    database before each what has been committed."""

    name = "vidx"
    fresh = itertools.count()
    # Whether searches take a plan by name.
    plans = True

    def start(self):
        # The library of the last build, also where the package has been installed before it.
        library = ROOT / ".build" / "release" / "libvidx.so"
        if library.exists():
            os.environ.setdefault("VIDX_LIBRARY", str(library))
        import vidx

        self.library = vidx
        self.plans = "plan=" in vidx.Index.search.__text_signature__

    def version(self):
        return self.library.__version__

    def configurations(self, shape):
        efs = sweep("ef_search", EF)
        lists = {"lists": shape.lists()}
        graphs = [
            Configuration(f"HNSW {codec}", {"type": "hnsw", "codec": codec, "m": 16, "ef_construction": 200}, efs)
            for codec in CODECS
        ]
        cells = [
            Configuration(f"IVF {codec}", {"type": "ivfflat", "codec": codec, **lists}, sweep("probes", PROBES),
                          slow=codec not in ("auto", "f32"))
            for codec in CODECS
        ]
        scans = [
            Configuration(f"Flat {codec}", {"type": "flat", "codec": codec}, slow=codec not in ("auto", "f32"))
            for codec in CODECS
        ]
        aimed = Configuration("HNSW auto, target recall", graphs[0].build,
                              sweep("target_recall", (0.85, 0.9, 0.93, 0.95, 0.965, 0.98, 0.985, 0.99, 0.995, 0.998)))
        live = Configuration("HNSW auto, live", {**graphs[0].build, "snapshot": False}, efs, slow=True)
        return [*graphs, aimed, live, *cells, *scans]

    def filtered_configurations(self, shape):
        """Modes: filter columns of the index, with the planner's choice of plan at each setting and at the defaults;
        SQL that is resolved to a row set once, or anew in each call; each plan by itself, at the same settings."""
        declared, sql = "declared columns", ("cached row set", "ad hoc predicate")

        def ways(settings, *plans):
            every = [{}, {"target_recall": 0.95}, {"target_recall": 0.99}]
            return (*modes((declared,), settings), *modes(sql, settings, **{LIKE: declared}),
                    *modes(("declared columns, target recall",), every, **{ALL: True}),
                    *modes(("plan: exact",), [{"exact": True}]),
                    *(setting for plan in plans if self.plans
                      for setting in modes((f"plan: {plan}",), settings, plan=plan)))

        return [
            Configuration("HNSW auto", {"type": "hnsw", "m": 16, "ef_construction": 200},
                          ways(sweep("target_recall", AIMS), "graph", "lists")),
            Configuration("IVF auto", {"type": "ivfflat", "lists": shape.lists()},
                          ways(sweep("target_recall", AIMS), "lists")),
        ]

    def build_rows(self, base, shape, options, path):
        """The index over a table of rows, with the columns and tables that filters are about beside it."""
        self.columns.save(columns := os.path.join(self.folder, "columns.npz"))
        words = {"metric": "cosine" if shape.cosine else "l2", "index": options.pop("type"), **options}
        script = pathlib.Path(__file__).with_name("vidx_rows.py")
        done = subprocess.run(
            [sys.executable, script, self.library.library_path, path, base.filename, columns, json.dumps(words)],
            stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError(f"{script.name}: {done.stderr.strip().splitlines()[-1]}")

    def build(self, base, shape, configuration, threads):
        options = dict(configuration.build)
        path, snapshot = os.path.join(self.folder, "vectors.db"), options.pop("snapshot", True)
        try:
            if self.columns:
                self.build_rows(base, shape, options, path)
            else:
                self.library.build(base, path, metric="cosine" if shape.cosine else "l2", threads=threads,
                                   **options)
        except self.library.ArgumentError as error:
            raise Refused(str(error)) from error
        # Part of the build: after it a search can be asked.
        self.index = self.library.open(path, snapshot=snapshot)

    def use(self, setting):
        self.setting = {name: value for name, value in setting.items() if name not in ("mode", LIKE, ALL)}
        self.mode = setting.get("mode", "")

    def search(self, query, k):
        return self.index.search(query, k, **self.setting)

    def ids(self, answer):
        return answer[0]

    def batch(self, queries, k, threads):
        return self.index.search_batch(queries, k, threads=threads, **self.setting)[0]

    def prepared(self, one):
        """Keywords of search()."""
        if self.mode.startswith(("declared", "plan")):
            if not one.join:
                value = one.low if one.high == one.low + 1 else range(one.low, one.high)
                return {"filter": {one.column: value}}
            if self.mode == "declared columns":
                raise Refused("columns have no joins: SQL has")
        where, values = one.predicate()
        if self.mode == "ad hoc predicate":  # a value that differs in each call
            rows = one.joined()[0] if one.join else None
            where = f"items.id IN ({rows} AND ? IS NOT NULL)" if rows else f"{where} AND ? IS NOT NULL"
        return {"where": where, "parameters": values}

    def filtered_arguments(self, queries, k, filters):
        ready = {one: {**self.prepared(one), **self.setting} for one in set(filters)}
        return [(query, ready[one]) for query, one in zip(queries, filters)]

    def filtered_search(self, asked, k):
        query, words = asked
        if self.mode == "ad hoc predicate":
            words = {**words, "parameters": (*words["parameters"], next(self.fresh))}
        return self.index.search(query, k, **words)

    def told(self):
        said = self.index.last_search()
        return {"plan": said["plan"], **{
            name: int(said[name]) for name in (
                "exact", "complete", "rows_scored", "rows_yielded", "rows_checked", "distance_computations")}}

    def close(self):
        self.index.close()
