from .engine import Configuration, Engine

LEAVES = (1, 2, 3, 5, 8, 12, 18, 28, 42, 64, 96)


class Peer(Engine):
    name = "scann"
    distributions = ("scann",)

    def start(self):
        import scann

        self.library = scann

    def configurations(self, shape):
        settings = tuple(
            {"leaves": leaves, "reorder": reorder} for reorder in (15, 30, 60, 120, 240) for leaves in LEAVES)
        fine, coarse = shape.lists(3), shape.lists(1)
        kinds = [
            Configuration(f"AH {leaves} leaves, reordered", {"leaves": leaves, "per_block": 2}, settings)
            for leaves in (coarse, fine)
        ]
        if shape.cosine:
            kinds.append(
                Configuration("AH SOAR, reordered", {"leaves": fine, "per_block": 2, "soar": 1.5}, settings, slow=True))
        return kinds

    def build(self, base, shape, configuration, threads):
        options = configuration.build
        distance = "dot_product" if shape.cosine else "squared_l2"
        more = {"soar_lambda": options["soar"], "overretrieve_factor": 2.0} if "soar" in options else {}
        builder = self.library.scann_ops_pybind.builder(base, 10, distance).set_n_training_threads(threads)
        self.index = (
            builder.tree(
                num_leaves=options["leaves"], num_leaves_to_search=10, training_sample_size=min(shape.rows, 250_000),
                spherical=shape.cosine, **more)
            .score_ah(options["per_block"], anisotropic_quantization_threshold=0.2)
            .reorder(100)
            .build())
        self.index.set_num_threads(1)

    def use(self, setting):
        self.setting = (setting["reorder"], setting["leaves"])

    def search(self, query, k):
        return self.index.search(query, k, *self.setting)

    def ids(self, answer):
        return answer[0]

    def batch(self, queries, k, threads):
        reorder, leaves = self.setting
        if threads == 1:
            return self.index.search_batched(queries, k, reorder, leaves)[0]
        self.index.set_num_threads(threads)
        return self.index.search_batched_parallel(queries, k, reorder, leaves)[0]
