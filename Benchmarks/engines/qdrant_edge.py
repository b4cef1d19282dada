import os

from .engine import EF, Configuration, Engine, modes, sweep


class Peer(Engine):
    """Qdrant's engine in the process: a shard on disk, optimised after the points are in."""

    name = "qdrant_edge"
    distributions = ("qdrant-edge-py",)

    def start(self):
        import qdrant_edge

        self.library = qdrant_edge

    def configurations(self, shape):
        graph = {"m": 16, "ef_construct": 200}
        rescored = tuple({"ef": ef, "oversampling": over} for over in (1.0, 3.0) for ef in EF)
        return [
            Configuration("HNSW f32", graph, sweep("ef", EF)),
            Configuration("HNSW int8, rescored", {"quantization": "scalar", **graph}, rescored),
            Configuration("HNSW 1 bit, rescored", {"quantization": "binary", **graph}, rescored, slow=True),
        ]

    def build(self, base, shape, configuration, threads):
        q, options = self.library, configuration.build
        quantization = {
            "scalar": lambda: q.ScalarQuantizationConfig(q.ScalarType.Int8, quantile=0.99, always_ram=True),
            "binary": lambda: q.BinaryQuantizationConfig(always_ram=True),
        }.get(options.get("quantization"), lambda: None)()
        self.quantized = quantization is not None
        config = q.EdgeConfig(
            vectors={"v": q.EdgeVectorParams(
                size=shape.dimensions, distance=q.Distance.Cosine if shape.cosine else q.Distance.Euclid)},
            hnsw_config=q.HnswIndexConfig(
                m=options["m"], ef_construct=options["ef_construct"], full_scan_threshold=1000,
                max_indexing_threads=threads, payload_m=options.get("payload_m")),
            quantization_config=quantization,
            optimizers=q.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1000,
                                              max_segment_size=100_000_000),
            max_search_threads=1)
        path = os.path.join(self.folder, "shard")
        os.makedirs(path)
        self.shard = q.EdgeShard.create(path, config)
        for start in range(0, shape.rows, 1000):
            points = [q.Point(row, {"v": base[row].tolist()}, self.payload(row))
                      for row in range(start, min(shape.rows, start + 1000))]
            self.shard.update(q.UpdateOperation.upsert_points(points))
        for column in ("u", "label") if self.columns else ():
            kind = q.PayloadSchemaType.Integer
            self.shard.update(q.UpdateOperation.create_field_index(column, kind))
        self.shard.optimize()
        self.shard.flush()

    def payload(self, row):
        columns = self.columns
        return columns and {"u": int(columns.u[row]), "label": int(columns.label[row])}

    def use(self, setting):
        q = self.library
        rescore = q.QuantizationSearchParams(rescore=True, oversampling=setting.get("oversampling"))
        acorn = q.AcornSearchParams(enable=True) if setting.get("mode") == "ACORN" else None
        self.params = q.SearchParams(
            hnsw_ef=setting["ef"], quantization=rescore if self.quantized else None, acorn=acorn)

    def arguments(self, queries, k, filters=None):
        q = self.library
        return [
            q.SearchRequest(query=q.Query.Nearest(query.tolist(), using="v"), limit=k, params=self.params,
                            with_vector=False, with_payload=False, filter=filters and filters[row])
            for row, query in enumerate(queries)]

    def search(self, query, k):
        return self.shard.search(query)

    def ids(self, answer):
        return [point.id for point in answer]

    def filtered_configurations(self, shape):
        """Its graph has further links among the points of each value, which of a million points were not built in an
        hour on two cores: there without them."""
        graph = {"m": 16, "ef_construct": 200}
        if shape.rows >= 500_000:
            graph["payload_m"] = 0
        name = "HNSW f32, no payload links" if "payload_m" in graph else "HNSW f32"
        return [Configuration(name, graph, modes(("payload index", "ACORN"), sweep("ef", EF)))]

    def prepared(self, one):
        q = self.library
        if one.join:  # it has no joins: the ids that an application has looked up
            return q.Filter(must=[q.HasIdCondition(set(one.mask(self.columns).nonzero()[0].tolist()))])
        if one.high == one.low + 1:
            return q.Filter(must=[q.FieldCondition(one.column, match=q.MatchValue(one.low))])
        return q.Filter(must=[q.FieldCondition(one.column, range=q.RangeFloat(gte=one.low, lt=one.high))])

    def filtered_arguments(self, queries, k, filters):
        ready = {one: self.prepared(one) for one in set(filters)}
        return self.arguments(queries, k, [ready[one] for one in filters])

    def filtered_search(self, asked, k):
        return self.shard.search(asked)

    def close(self):
        self.shard.close()
