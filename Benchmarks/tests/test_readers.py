import os
import sys
import tempfile
import types
import unittest
from unittest import mock

import numpy as np

import readers


class ReadersTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, rows):
        with open(self.path(name), "wb") as file:
            for row in rows:
                file.write(np.int32(len(row)).tobytes() + row.tobytes())

    def test_vecs_of_each_element(self):
        for suffix, element in (("fvecs", np.float32), ("bvecs", np.uint8), ("ivecs", np.int32)):
            rows = np.arange(21).reshape(3, 7).astype(element)
            self.write(f"a.{suffix}", rows)
            np.testing.assert_array_equal(readers.vecs(self.path(f"a.{suffix}")), rows)

    def test_vecs_that_are_cut_or_uneven_are_refused(self):
        self.write("cut.fvecs", np.ones((2, 4), np.float32))
        os.truncate(self.path("cut.fvecs"), 39)
        # Two rows of two, then a third whose head says one: the length alone would pass.
        self.write("uneven.fvecs", [np.ones(2, np.float32), np.ones(2, np.float32)])
        with open(self.path("uneven.fvecs"), "r+b") as file:
            file.seek(12)
            file.write(np.int32(1).tobytes())
        open(self.path("empty.fvecs"), "wb").close()
        for name in ("cut", "uneven", "empty"):
            with self.assertRaises(ValueError, msg=name):
                readers.vecs(self.path(f"{name}.fvecs"))

    def test_queries_are_found_beside_the_base(self):
        base, queries = np.ones((4, 3), np.float32), np.zeros((2, 3), np.float32)
        self.write("sift_base.fvecs", base)
        with self.assertRaises(ValueError):
            readers.read(self.path("sift_base.fvecs"))
        self.write("sift_query.fvecs", queries)
        found = readers.read(self.path("sift_base.fvecs"))
        np.testing.assert_array_equal(found[0], base)
        np.testing.assert_array_equal(found[1], queries)
        self.assertEqual(found[2], "euclidean")

    def test_a_folder_of_npy(self):
        np.save(self.path("base.npy"), np.ones((4, 3), np.float16))
        np.save(self.path("queries.npy"), np.ones((2, 3), np.float32))
        base, queries, metric = readers.read(self.folder.name)
        self.assertEqual((base.shape, queries.shape, metric), ((4, 3), (2, 3), None))

    def test_hdf5_of_ann_benchmarks(self):
        parts = {"train": np.ones((4, 3), np.float32), "test": np.zeros((2, 3), np.float32)}

        class File(dict):
            attrs = {"distance": b"angular"}

            def __enter__(self):
                return self

            def __exit__(self, *unused):
                pass

        # h5py is not on every machine; that it reads its own format is its own tests' matter.
        with mock.patch.dict(sys.modules, h5py=types.SimpleNamespace(File=lambda path, mode: File(parts))):
            base, queries, metric = readers.read("glove-3-angular.hdf5")
            self.assertEqual((base.shape, queries.shape, metric), ((4, 3), (2, 3), "cosine"))
            File.attrs = {"distance": "jaccard"}
            with self.assertRaises(ValueError):
                readers.read("kosarak.hdf5")

    def test_what_cannot_be_read_says_what_can(self):
        with self.assertRaisesRegex(ValueError, "hdf5"):
            readers.read(self.path("vectors.parquet"))


if __name__ == "__main__":
    unittest.main()
