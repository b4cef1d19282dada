import numpy as np

from .engine import EF, Configuration, Engine, Refused, modes, sweep

PROBES = (1, 2, 3, 5, 8, 12, 18, 28, 40, 64, 96, 144)


class Peer(Engine):
    """Everything is made by faiss's own factory strings; `refine` adds the exact vectors behind it."""

    name = "faiss"
    distributions = ("faiss-cpu",)

    def start(self):
        import faiss

        self.library = faiss

    def configurations(self, shape):
        lists = shape.lists()
        graph = {"ef_construction": 200}
        refined = tuple({"ef": ef, "refine": refine} for refine in (1, 2, 4) for ef in EF if ef >= 10 * refine)
        coarse = tuple({"ef": ef, "refine": refine} for refine in (2, 4, 8, 16) for ef in EF if ef >= 10 * refine)
        probed = tuple({"probes": probes, "refine": refine} for refine in (2, 5, 10, 20) for probes in PROBES)
        rotate = f"RR{shape.dimensions},"
        return [
            Configuration("HNSW f32", {"factory": "HNSW16", **graph}, sweep("ef", EF)),
            Configuration("HNSW SQ8", {"factory": "HNSW16_SQ8", **graph}, sweep("ef", EF)),
            Configuration("HNSW SQ8, refined", {"factory": "HNSW16_SQ8,RFlat", **graph}, refined, slow=True),
            Configuration("HNSW SQ4, refined", {"factory": "HNSW16_SQ4,RFlat", **graph}, refined, slow=True),
            Configuration("HNSW f16", {"factory": "HNSW16_SQfp16", **graph}, sweep("ef", EF), slow=True),
            Configuration(
                "HNSW RaBitQ, refined", {"factory": f"{rotate}HNSW32,RaBitQ,RFlat", "l2": True, **graph}, coarse),
            Configuration(
                "HNSW RaBitQ 4 bits, refined",
                {"factory": f"{rotate}HNSW32,RaBitQ4,RFlat", "l2": True, **graph}, refined, slow=True),
            Configuration("IVFFlat", {"factory": f"IVF{lists},Flat"}, sweep("probes", PROBES)),
            Configuration(
                "IVFPQ fast-scan, refined", {"factory": f"IVF{lists},PQ{shape.dimensions // 4}x4fs,RFlat"}, probed),
            Configuration("IVF RaBitQ fast-scan, refined", {"factory": f"{rotate}IVF{lists},RaBitQfs,RFlat"}, probed),
            Configuration("Flat", {"factory": "Flat"}),
        ]

    def build(self, base, shape, configuration, threads):
        faiss, options = self.library, configuration.build
        faiss.omp_set_num_threads(threads)
        inner = shape.cosine and not options.get("l2")
        metric = faiss.METRIC_INNER_PRODUCT if inner else faiss.METRIC_L2
        try:
            self.index = faiss.index_factory(shape.dimensions, options["factory"], metric)
        except RuntimeError as error:
            raise Refused(f"index_factory {options['factory']!r}: {error}") from error
        self.refined = self.index if isinstance(self.index, faiss.IndexRefine) else None
        inside = faiss.downcast_index(self.refined.base_index) if self.refined else self.index
        if isinstance(inside, faiss.IndexPreTransform):
            inside = faiss.downcast_index(inside.index)
        self.inside = inside
        if hasattr(inside, "hnsw"):
            inside.hnsw.efConstruction = options["ef_construction"]
        if hasattr(inside, "cp"):
            inside.cp.spherical = inner
        self.index.train(base)
        self.index.add(base)
        faiss.omp_set_num_threads(1)

    def use(self, setting):
        self.setting, self.fresh = setting, "in the call" in setting.get("mode", "")
        if "ef" in setting:
            self.inside.hnsw.efSearch = setting["ef"]
        if "probes" in setting:
            self.inside.nprobe = setting["probes"]
        if self.refined:
            self.refined.k_factor = setting["refine"]

    def arguments(self, queries, k):
        return [queries[i : i + 1] for i in range(len(queries))]

    def search(self, query, k):
        return self.index.search(query, k)

    def ids(self, answer):
        return answer[1][0]

    def batch(self, queries, k, threads):
        self.library.omp_set_num_threads(threads)
        try:
            return self.index.search(queries, k)[1]
        finally:
            self.library.omp_set_num_threads(1)

    def filtered_configurations(self, shape):
        def ways(settings):
            ready = "ready-made bitmap"
            return modes((ready,), settings) + modes(("bitmap made in the call",), settings, like=ready)

        lists = shape.lists()
        probes = tuple(probes for probes in (*PROBES, 256, 512, lists) if probes <= lists)
        return [
            Configuration("HNSW f32", {"factory": "HNSW16", "ef_construction": 200}, ways(sweep("ef", EF))),
            Configuration("IVFFlat", {"factory": f"IVF{lists},Flat"}, ways(sweep("probes", probes))),
        ]

    def prepared(self, one):
        faiss = self.library
        bitmap = np.packbits(one.mask(self.columns), bitorder="little")
        chosen = faiss.IDSelectorBitmap(bitmap)
        if "ef" in self.setting:
            return faiss.SearchParametersHNSW(sel=chosen, efSearch=self.setting["ef"])
        return faiss.SearchParametersIVF(sel=chosen, nprobe=self.setting["probes"])

    def filtered_arguments(self, queries, k, filters):
        if self.fresh:
            return list(zip(self.arguments(queries, k), filters))
        return super().filtered_arguments(queries, k, filters)

    def filtered_search(self, asked, k):
        query, chosen = asked
        return self.index.search(query, k, params=self.prepared(chosen) if self.fresh else chosen)
