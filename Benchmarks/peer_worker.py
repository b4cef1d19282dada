"""A peer engine in a process of its own: the commands of VidxBenchmarks/main.swift on standard input, answers on
standard output. Usage: peer_worker.py hnswlib|faiss"""

import json
import sys
import time

import numpy as np


def normalised(path):
    vectors = np.load(path).astype(np.float32)
    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


class Hnswlib:
    def build(self, kind, base, options):
        import hnswlib

        assert kind == "hnsw", kind
        self.index = hnswlib.Index(space="ip", dim=base.shape[1])
        self.index.init_index(
            max_elements=len(base), M=int(options.get("m", 16)), ef_construction=int(options.get("efc", 200))
        )
        self.index.set_num_threads(int(options.get("threads", 2)))
        self.index.add_items(base)

    def search(self, queries, k, options):
        self.index.set_ef(max(int(options["ef"]), k))
        labels, _ = self.index.knn_query(queries, k=k, num_threads=1)
        return labels


class Faiss:
    def build(self, kind, base, options):
        import faiss

        faiss.omp_set_num_threads(int(options.get("threads", 2)))
        dimensions = base.shape[1]
        if kind == "hnsw":
            self.index = faiss.IndexHNSWFlat(dimensions, int(options.get("m", 16)), faiss.METRIC_INNER_PRODUCT)
            self.index.hnsw.efConstruction = int(options.get("efc", 200))
        elif kind == "ivfflat":
            quantizer = faiss.IndexFlatIP(dimensions)
            self.index = faiss.IndexIVFFlat(quantizer, dimensions, int(options["lists"]), faiss.METRIC_INNER_PRODUCT)
            self.index.cp.spherical = True
            self.index.train(base)
        else:
            self.index = faiss.IndexFlatIP(dimensions)
        self.index.add(base)
        faiss.omp_set_num_threads(1)

    def search(self, queries, k, options):
        if "ef" in options:
            self.index.hnsw.efSearch = int(options["ef"])
        if "probes" in options:
            self.index.nprobe = int(options["probes"])
        if options.get("batch", "1") == "1":
            return self.index.search(queries, k)[1]
        return np.vstack([self.index.search(queries[i : i + 1], k)[1] for i in range(len(queries))])


def main():
    engine = {"hnswlib": Hnswlib, "faiss": Faiss}[sys.argv[1]]()
    base = queries = None
    for line in sys.stdin:
        words = line.split()
        if not words:
            continue
        options = dict(word.split("=", 1) for word in words if "=" in word)
        command = words[0]
        if command == "quit":
            return
        try:
            answer = {}
            if command == "load":
                base, queries = normalised(words[1]), normalised(words[2])
                answer = {"rows": len(base), "dimensions": base.shape[1], "queries": len(queries)}
            elif command == "build":
                start = time.perf_counter()
                engine.build(words[1], base, options)
                answer = {"seconds": time.perf_counter() - start}
            elif command == "search":
                k = int(options.get("k", 10))
                start = time.perf_counter()
                labels = engine.search(queries, k, options)
                answer = {"seconds": time.perf_counter() - start, "queries": len(queries)}
                if "out" in options:
                    np.asarray(labels, dtype=np.int64).tofile(options["out"])
            else:
                answer = {"error": f"unknown command {command}"}
        except Exception as error:  # reported to the harness, which stops
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
