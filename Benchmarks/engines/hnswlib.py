from .engine import EF, Configuration, Engine, modes, sweep


class Peer(Engine):
    name = "hnswlib"
    distributions = ("hnswlib",)

    def start(self):
        import hnswlib

        self.library = hnswlib

    def configurations(self, shape):
        return [
            Configuration("HNSW M=16", {"m": 16, "ef_construction": 200}, sweep("ef", EF)),
            Configuration("HNSW M=32", {"m": 32, "ef_construction": 200}, sweep("ef", EF), slow=True),
        ]

    def build(self, base, shape, configuration, threads):
        options = configuration.build
        self.index = self.library.Index(space="ip" if shape.cosine else "l2", dim=shape.dimensions)
        self.index.init_index(max_elements=shape.rows, M=options["m"], ef_construction=options["ef_construction"])
        self.index.set_num_threads(threads)
        self.index.add_items(base)

    def use(self, setting):
        self.index.set_ef(setting["ef"])
        self.fresh = "in the call" in setting.get("mode", "")

    def search(self, query, k):
        return self.index.knn_query(query, k=k, num_threads=1)

    def ids(self, answer):
        return answer[0][0] if answer else []

    def batch(self, queries, k, threads):
        return self.index.knn_query(queries, k=k, num_threads=threads)[0]

    def filtered_configurations(self, shape):
        ready, efs = "callback on a ready-made mask", sweep("ef", EF)
        settings = modes((ready,), efs) + modes(("callback, mask made in the call",), efs, like=ready)
        return [Configuration("HNSW M=16", {"m": 16, "ef_construction": 200}, settings)]

    def prepared(self, one):
        """A lookup that the library calls for each label; and how many rows there are to find, since it throws away
        all when they are fewer than k."""
        mask = one.mask(self.columns)
        return mask.tobytes().__getitem__, int(mask.sum())

    def filtered_arguments(self, queries, k, filters):
        if self.fresh:
            return list(zip(queries, filters))
        return super().filtered_arguments(queries, k, filters)

    def filtered_search(self, asked, k):
        query, allowed = asked
        passes, count = self.prepared(allowed) if self.fresh else allowed
        try:
            return self.index.knn_query(query, k=min(k, count), num_threads=1, filter=passes) if count else None
        except RuntimeError:  # found fewer than it was asked for
            return None
