import numpy as np

from .engine import Configuration, Engine, Refused, sweep

WINDOWS = (10, 12, 15, 20, 28, 40, 56, 80, 112, 160, 224, 320)


class Peer(Engine):
    """Intel's Scalable Vector Search: Vamana over f32, f16, and on Intel's processors LVQ and LeanVec codes."""

    name = "svs"
    distributions = ("scalable-vs",)

    def start(self):
        import svs

        self.library = svs

    def configurations(self, shape):
        graph = {"degree": 32, "window": 200}
        kinds = [
            Configuration("Vamana f32", {"codec": "f32", **graph}, sweep("window", WINDOWS)),
            Configuration("Vamana f16", {"codec": "f16", **graph}, sweep("window", WINDOWS)),
            Configuration("Vamana f16 R=64", {"codec": "f16", "degree": 64, "window": 200},
                          sweep("window", WINDOWS), slow=True),
        ]
        for primary, residual in ((8, 0), (4, 4), (4, 8)):
            kinds.append(
                Configuration(
                    f"Vamana LVQ{primary}x{residual}", {"codec": "lvq", "bits": [primary, residual], **graph},
                    tuple({"window": window, "capacity": max(window, 20)} for window in WINDOWS)
                    if residual else sweep("window", WINDOWS)))
        dimensions = shape.dimensions // (4 if shape.dimensions > 1000 else 2)
        kinds.append(
            Configuration(
                f"Vamana LeanVec {dimensions} LVQ4, f16", {"codec": "leanvec", "dimensions": dimensions, **graph},
                tuple({"window": window, "capacity": capacity} for capacity in (20, 60)
                      for window in WINDOWS if window >= capacity or capacity == 20), slow=True))
        return kinds

    def build(self, base, shape, configuration, threads):
        svs, options = self.library, configuration.build
        parameters = svs.VamanaBuildParameters(
            alpha=0.95 if shape.cosine else 1.2, graph_max_degree=options["degree"], window_size=options["window"])
        metric = svs.DistanceType.MIP if shape.cosine else svs.DistanceType.L2
        codec = options["codec"]
        if codec == "f32":
            data = base
        elif codec == "f16":
            data = base.astype(np.float16)
        else:
            data = self.coded(base, shape, options)
        try:
            self.index = svs.Vamana.build(parameters, data, metric, num_threads=threads)
        except RuntimeError as error:
            raise Refused(str(error)) from error
        self.index.num_threads = 1

    def coded(self, base, shape, options):
        with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
            if "GenuineIntel" not in cpuinfo.read():  # the library would end the process
                raise Refused("LVQ and LeanVec run on Intel's processors only")
        svs, path = self.library, f"{self.folder}/base.svs"
        write_fvecs(base, f"{self.folder}/base.fvecs")
        svs.convert_vecs_to_svs(f"{self.folder}/base.fvecs", path, dtype=svs.float32)
        loader = svs.VectorDataLoader(path, svs.DataType.float32, dims=shape.dimensions)
        if options["codec"] == "lvq":
            primary, residual = options["bits"]
            return svs.LVQLoader(loader, primary=primary, residual=residual, padding=32)
        return svs.LeanVecLoader(
            loader, options["dimensions"], primary_kind=svs.LeanVecKind.lvq4, secondary_kind=svs.LeanVecKind.float16)

    def opened(self):
        self.index.search_parameters = self.library.VamanaSearchParameters()

    def use(self, setting):
        window = setting["window"]
        capacity = max(window, setting.get("capacity", window))
        parameters = self.index.search_parameters
        parameters.buffer_config = self.library.SearchBufferConfig(window, capacity)
        self.index.search_parameters = parameters

    def arguments(self, queries, k):
        return [queries[i : i + 1] for i in range(len(queries))]

    def search(self, query, k):
        return self.index.search(query, k)

    def ids(self, answer):
        return answer[0][0]

    def batch(self, queries, k, threads):
        self.index.num_threads = threads
        try:
            return self.index.search(queries, k)[0]
        finally:
            self.index.num_threads = 1


def write_fvecs(base, path):
    rows, dimensions = base.shape
    block = np.empty((8192, dimensions + 1), np.float32)
    block[:, 0] = np.array([dimensions], np.int32).view(np.float32)[0]
    with open(path, "wb") as file:
        for start in range(0, rows, len(block)):
            part = base[start : start + len(block)]
            block[: len(part), 1:] = part
            block[: len(part)].tofile(file)
