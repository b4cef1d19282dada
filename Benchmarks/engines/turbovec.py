import numpy as np

from .engine import Configuration, Engine, Refused


class Peer(Engine):
    """A scan of 2- or 4-bit codes; it keeps no vectors, so nothing is refined."""

    name = "turbovec"
    distributions = ("turbovec",)

    def start(self):
        import turbovec

        self.library = turbovec

    def configurations(self, shape):
        return [Configuration(f"{bits} bits", {"bits": bits}) for bits in (4, 2)]

    def build(self, base, shape, configuration, threads):
        if not shape.cosine:
            raise Refused("inner products only")
        self.index = self.library.TurboQuantIndex(dim=shape.dimensions, bit_width=configuration.build["bits"])
        rows = np.random.default_rng(1).choice(shape.rows, min(shape.rows, 4096), replace=False)
        self.index.calibrate(np.ascontiguousarray(base[np.sort(rows)]))
        self.index.add(base)
        self.index.prepare()

    def arguments(self, queries, k):
        return [queries[i : i + 1] for i in range(len(queries))]

    def search(self, query, k):
        return self.index.search(query, k)

    def ids(self, answer):
        return answer[1][0]

    def batch(self, queries, k, threads):
        return self.index.search(queries, k)[1]
