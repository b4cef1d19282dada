from .engine import EF, Configuration, Engine, sweep


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

    def search(self, query, k):
        return self.index.knn_query(query, k=k, num_threads=1)

    def ids(self, answer):
        return answer[0][0]

    def batch(self, queries, k, threads):
        return self.index.knn_query(queries, k=k, num_threads=threads)[0]
