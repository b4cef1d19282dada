from .engine import EF, Configuration, Engine, Refused, sweep


class Peer(Engine):
    name = "usearch"
    distributions = ("usearch",)

    def start(self):
        import usearch.index

        self.library = usearch.index

    def configurations(self, shape):
        graph = {"connectivity": 16, "expansion_add": 200}
        return [
            Configuration(f"HNSW {kind}", {"dtype": kind, **graph}, sweep("ef", EF), slow=kind == "bf16")
            for kind in ("f32", "f16", "bf16", "i8")
        ]

    def build(self, base, shape, configuration, threads):
        options = dict(configuration.build)
        if options["dtype"] == "i8" and not shape.cosine:
            raise Refused("i8 holds elements from -1 to 1")
        # i8 wants the cosine: inner products of its codes are not to scale.
        metric = "l2sq" if not shape.cosine else "cos" if options["dtype"] == "i8" else "ip"
        self.index = self.library.Index(ndim=shape.dimensions, metric=metric, **options)
        self.index.add(range_of(shape.rows), base, threads=threads)

    def use(self, setting):
        self.index.expansion_search = setting["ef"]

    def search(self, query, k):
        return self.index.search(query, k, threads=1)

    def ids(self, answer):
        return answer.keys

    def batch(self, queries, k, threads):
        return self.index.search(queries, k, threads=threads).keys


def range_of(rows):
    import numpy as np

    return np.arange(rows, dtype=np.uint64)
