import os

import numpy as np

from .engine import EF, Configuration, Engine, Refused, sweep

PROBES = (1, 2, 3, 5, 8, 12, 18, 28, 40, 64, 96, 144)


class Peer(Engine):
    """Collections on disk, opened for reading and asked through query_internal_ids, its quickest way."""

    name = "zvec"
    distributions = ("zvec",)

    def start(self):
        import zvec

        self.library = zvec

    def configurations(self, shape):
        graph = {"m": 16, "ef_construction": 200}
        memory = {"use_contiguous_memory": True}
        refined = tuple({"ef": ef, "refine": refine} for refine in (0, 2) for ef in EF)
        return [
            Configuration("HNSW f32", {"index": "Hnsw", **graph, **memory}, sweep("ef", EF)),
            Configuration("HNSW f16", {"index": "Hnsw", "quantize_type": "FP16", **graph, **memory},
                          refined, slow=True),
            Configuration("HNSW int8, refined", {"index": "Hnsw", "quantize_type": "INT8", **graph, **memory}, refined),
            Configuration("HNSW RaBitQ", {"index": "HnswRabitq", "total_bits": 7, **graph}, refined),
            Configuration("Vamana f32", {"index": "Vamana", "max_degree": 32, "search_list_size": 200, **memory},
                          sweep("ef", EF), slow=True),
            Configuration("Vamana int8, refined", {"index": "Vamana", "max_degree": 32, "search_list_size": 200,
                                                   "quantize_type": "INT8", **memory}, refined, slow=True),
            Configuration("IVF f32", {"index": "IVF", "n_list": shape.lists(2)}, sweep("probes", PROBES), slow=True),
            Configuration("IVF RaBitQ, refined", {"index": "IvfRabitq", "nlist": shape.lists(2)},
                          sweep("probes", PROBES, refine=2), slow=True),
        ]

    def build(self, base, shape, configuration, threads):
        zvec, options = self.library, dict(configuration.build)
        zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=1, optimize_threads=threads)
        self.kind = options.pop("index")
        if "quantize_type" in options:
            options["quantize_type"] = getattr(zvec.QuantizeType, options["quantize_type"])
        metric = zvec.MetricType.IP if shape.cosine else zvec.MetricType.L2
        try:
            index = getattr(zvec, f"{self.kind}IndexParam")(metric_type=metric, **options)
        except (TypeError, ValueError, AttributeError) as error:
            raise Refused(str(error)) from error
        columns = self.columns
        inverted = zvec.InvertIndexParam(enable_range_optimization=True)
        scalars = [zvec.FieldSchema(name, zvec.DataType.INT64, nullable=False, index_param=inverted)
                   for name in (("u", "label") if columns else ())]
        schema = zvec.CollectionSchema(
            name="vectors", fields=scalars,
            vectors=[zvec.VectorSchema("v", zvec.DataType.VECTOR_FP32, shape.dimensions, index_param=index)])
        self.path = os.path.join(self.folder, "collection")
        collection = zvec.create_and_open(self.path, schema)
        for start in range(0, shape.rows, 1000):
            rows = range(start, min(shape.rows, start + 1000))
            statuses = collection.insert([
                zvec.Doc(id=str(row), vectors={"v": base[row]},
                         fields={"u": int(columns.u[row]), "label": int(columns.label[row])} if columns else {})
                for row in rows])
            bad = next((status for status in statuses if not status.ok()), None)
            if bad is not None:
                raise RuntimeError(f"insert: {bad.code()} {bad.message()}")
        collection.optimize(zvec.OptimizeOption(concurrency=threads))
        collection.flush()
        collection.close()
        self.rows = shape.rows

    def opened(self):
        zvec = self.library
        self.collection = zvec.open(self.path, zvec.CollectionOption(read_only=True))
        self.keys = np.array([-1 if key is None else int(key) for key in
                              self.collection.resolve_internal_ids(np.arange(self.rows, dtype=np.int64))])

    def use(self, setting):
        name = {"Hnsw": "ef", "HnswRabitq": "ef", "Vamana": "ef_search"}.get(self.kind, "nprobe")
        options = {name: setting.get("ef", setting.get("probes"))}
        if setting.get("refine"):
            options.update(is_using_refiner=True, scale_factor=float(setting["refine"]))
        self.setting = getattr(self.library, f"{self.kind}QueryParam")(**options)

    def arguments(self, queries, k):
        return [self.library.Query(field_name="v", vector=query, param=self.setting) for query in queries]

    def search(self, query, k):
        return self.collection.query_internal_ids(query, topk=k)

    def ids(self, answer):
        return np.where(answer >= 0, self.keys[answer], -1)

    def filtered_configurations(self, shape):
        graph = {"index": "Hnsw", "m": 16, "ef_construction": 200, "use_contiguous_memory": True}
        return [Configuration("HNSW f32", graph, sweep("ef", EF))]

    def prepared(self, one):
        if one.join:
            raise Refused("no joins, and no filter by row ids")
        return one.expression(both="and")

    def filtered_search(self, asked, k):
        return self.collection.query_internal_ids(asked[0], topk=k, filter=asked[1])

    def close(self):
        self.collection.close()
