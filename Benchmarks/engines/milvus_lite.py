import os

from .engine import EF, Configuration, Engine, Refused, sweep


class Peer(Engine):
    """Milvus Lite through pymilvus: a server of its own that the client talks to."""

    name = "milvus_lite"
    distributions = ("milvus-lite", "pymilvus")

    def start(self):
        import milvus_lite  # noqa: F401
        import pymilvus

        self.library = pymilvus

    def configurations(self, shape):
        probes = sweep("nprobe", (1, 4, 16, 64))
        return [
            Configuration("HNSW", {"index": "HNSW", "M": 16, "efConstruction": 200}, sweep("ef", EF[::2])),
            Configuration("HNSW SQ8", {"index": "HNSW_SQ", "M": 16, "efConstruction": 200, "sq_type": "SQ8"},
                          sweep("ef", EF[::2]), slow=True),
            Configuration("IVF_FLAT", {"index": "IVF_FLAT", "nlist": shape.lists(2)}, probes, slow=True),
        ]

    def build(self, base, shape, configuration, threads):
        pymilvus, options = self.library, dict(configuration.build)
        self.client = pymilvus.MilvusClient(os.path.join(self.folder, "milvus.db"))
        schema = self.client.create_schema(auto_id=False)
        schema.add_field("id", pymilvus.DataType.INT64, is_primary=True)
        schema.add_field("v", pymilvus.DataType.FLOAT_VECTOR, dim=shape.dimensions)
        columns = self.columns
        for name in ("u", "label") if columns else ():
            schema.add_field(name, pymilvus.DataType.INT64)
        self.metric = "IP" if shape.cosine else "L2"
        index = self.client.prepare_index_params()
        index.add_index("v", index_type=options.pop("index"), metric_type=self.metric, params=options)
        self.client.create_collection("vectors", schema=schema)
        for start in range(0, shape.rows, 2000):
            rows = range(start, min(shape.rows, start + 2000))
            named = [{"u": int(columns.u[row]), "label": int(columns.label[row])} if columns else {} for row in rows]
            self.client.insert("vectors", [{"id": row, "v": base[row], **more} for row, more in zip(rows, named)])
        self.client.flush("vectors")
        try:
            self.client.create_index("vectors", index)
            self.client.load_collection("vectors")
        except pymilvus.MilvusException as error:
            raise Refused(str(error)) from error

    def use(self, setting):
        self.setting = {"metric_type": self.metric, "params": setting}

    def arguments(self, queries, k):
        return [query.tolist() for query in queries]

    def search(self, query, k):
        return self.client.search("vectors", [query], limit=k, search_params=self.setting)

    def ids(self, answer):
        return [hit["id"] for hit in answer[0]]

    def filtered_configurations(self, shape):
        return [Configuration("HNSW", {"index": "HNSW", "M": 16, "efConstruction": 200}, sweep("ef", EF[::2]))]

    def prepared(self, one):
        if one.join:
            raise Refused("no joins in a filter")
        return one.expression(both="and", equal="==")

    def filtered_search(self, asked, k):
        return self.client.search(
            "vectors", [asked[0]], limit=k, search_params=self.setting, filter=asked[1])

    def close(self):
        self.client.close()
