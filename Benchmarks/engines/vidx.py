import os
import pathlib

from .engine import EF, Configuration, Engine, Refused, sweep

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROBES = (1, 2, 3, 5, 8, 12, 18, 28, 40, 64, 96, 144)
# A new codec is one more word here; what the library refuses is reported and left out.
CODECS = ("auto", "f32", "f16", "int8", "int4", "rabitq")


class Peer(Engine):
    """Through python/vidx. Searches see the index as it was opened, as the peers' do (snapshot); "live" asks the
    database before each what has been committed."""

    name = "vidx"

    def start(self):
        # The library of the last build, also where the package has been installed before it.
        library = ROOT / ".build" / "release" / "libvidx.so"
        if library.exists():
            os.environ.setdefault("VIDX_LIBRARY", str(library))
        import vidx

        self.library = vidx

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

    def build(self, base, shape, configuration, threads):
        options = dict(configuration.build)
        path, snapshot = os.path.join(self.folder, "vectors.db"), options.pop("snapshot", True)
        try:
            self.library.build(base, path, metric="cosine" if shape.cosine else "l2", threads=threads, **options)
        except self.library.ArgumentError as error:
            raise Refused(str(error)) from error
        # Part of the build: after it a search can be asked.
        self.index = self.library.open(path, snapshot=snapshot)

    def use(self, setting):
        self.setting = dict(setting)

    def search(self, query, k):
        return self.index.search(query, k, **self.setting)

    def ids(self, answer):
        return answer[0]

    def batch(self, queries, k, threads):
        return self.index.search_batch(queries, k, threads=threads, **self.setting)[0]

    def close(self):
        self.index.close()
