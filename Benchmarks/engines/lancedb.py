import os

import numpy as np

from .engine import Configuration, Engine, Refused, sweep

PROBES = (1, 2, 4, 8, 16, 32)


class Peer(Engine):
    name = "lancedb"
    distributions = ("lancedb",)

    def start(self):
        import lancedb
        import pyarrow

        self.library, self.arrow = lancedb, pyarrow

    def configurations(self, shape):
        lists = shape.lists(1)
        refined = tuple({"probes": probes, "refine": refine} for refine in (2, 5) for probes in PROBES)
        graph = {"m": 16, "ef_construction": 200}
        return [
            Configuration("IVF_PQ, refined", {"index_type": "IVF_PQ", "num_partitions": lists,
                                              "num_sub_vectors": shape.dimensions // 8}, refined),
            Configuration("IVF_RQ, refined", {"index_type": "IVF_RQ", "num_partitions": lists}, refined, slow=True),
            Configuration("IVF_HNSW_SQ", {"index_type": "IVF_HNSW_SQ", "num_partitions": 1, **graph},
                          sweep("ef", (20, 40, 80, 160, 320), refine=2)),
            Configuration("IVF_FLAT", {"index_type": "IVF_FLAT", "num_partitions": lists},
                          sweep("probes", PROBES), slow=True),
        ]

    def build(self, base, shape, configuration, threads):
        os.environ["LANCE_CPU_THREADS"] = str(threads)
        arrow = self.arrow
        database = self.library.connect(os.path.join(self.folder, "lance"))
        values = arrow.array(np.asarray(base).reshape(-1), type=arrow.float32())
        vectors = arrow.FixedSizeListArray.from_arrays(values, shape.dimensions)
        named = {"u": self.columns.u, "label": self.columns.label} if self.columns else {}
        rows = arrow.table({"id": arrow.array(np.arange(shape.rows)), "vector": vectors,
                            **{name: arrow.array(values) for name, values in named.items()}})
        self.table = database.create_table("vectors", rows)
        self.metric = "dot" if shape.cosine else "l2"
        self.table.create_index(metric=self.metric, vector_column_name="vector", **configuration.build)
        for name, kind in (("u", "BTREE"), ("label", "BITMAP")) if named else ():
            self.table.create_scalar_index(name, index_type=kind)
        self.table.optimize()

    def use(self, setting):
        self.setting = setting

    def search(self, query, k, where=None):
        asked = self.table.search(query, vector_column_name="vector").distance_type(self.metric).limit(k).select(["id"])
        if "probes" in self.setting:
            asked = asked.nprobes(self.setting["probes"])
        if "ef" in self.setting:
            asked = asked.ef(self.setting["ef"])
        if "refine" in self.setting:
            asked = asked.refine_factor(self.setting["refine"])
        if where is not None:
            asked = asked.where(where, prefilter=True)
        return asked.to_arrow()

    def ids(self, answer):
        return answer["id"].to_numpy()

    def filtered_configurations(self, shape):
        refined = (*sweep("probes", (*PROBES, 64, 128), refine=5), {"probes": 128, "refine": 20},
                   {"probes": 128, "refine": 50})
        return [Configuration("IVF_PQ, refined", {"index_type": "IVF_PQ", "num_partitions": shape.lists(1),
                                                  "num_sub_vectors": shape.dimensions // 8}, refined)]

    def prepared(self, one):
        if one.join:
            raise Refused("no joins in a filter")
        return one.expression()

    def filtered_search(self, asked, k):
        return self.search(asked[0], k, asked[1])
