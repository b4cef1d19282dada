"""Filter columns through the package: build(filters=), search(filter=)."""

import os
import random
import tempfile
import unittest

import numpy

import vidx


class FilterColumns(unittest.TestCase):
    COUNT = 3000

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "filters.db")
        generator = numpy.random.default_rng(5)
        cls.vectors = generator.standard_normal((cls.COUNT, 8)).astype(numpy.float32)
        cls.labels = generator.integers(0, 40, cls.COUNT)
        cls.sizes = generator.random(cls.COUNT)
        cls.sizes[::7] = numpy.nan
        cls.names = [None if i % 5 == 0 else b"b" if i % 11 == 0 else f"name {i % 30}" for i in range(cls.COUNT)]
        vidx.build(cls.vectors, cls.path, type="flat", metric="l2",
                   filters={"label": cls.labels, "size": cls.sizes, "a name": cls.names})

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def expect(self, index, query, filter, mask):
        passing = numpy.flatnonzero(mask)
        distances = numpy.linalg.norm(self.vectors[passing] - query, axis=1)
        wanted = passing[numpy.argsort(distances, kind="stable")][:10]
        for _ in range(2):
            found, _ = index.search(query, 10, filter=filter)
            self.assertEqual(sorted(found), sorted(wanted), filter)
        batch, _ = index.search_batch(numpy.array([query, query]), 10, filter=filter)
        self.assertEqual(sorted(batch[1][batch[1] >= 0]), sorted(wanted), filter)
        if index.last_search() is not None:
            self.assertEqual(index.last_search()["rows_yielded"], len(passing))

    def test_tests(self):
        labels, sizes = self.labels, self.sizes
        names = numpy.array(["" if name is None else str(name) for name in self.names])
        missing = numpy.array([name is None for name in self.names])
        cases = [
            ({"label": 3}, labels == 3),
            ({"LABEL": numpy.int64(3)}, labels == 3),
            ({"label": 3.0}, labels == 3),
            ({"label": [1, 2, 30]}, numpy.isin(labels, [1, 2, 30])),
            ({"label": numpy.array([1, 2])}, numpy.isin(labels, [1, 2])),
            ({"label": range(5, 9)}, (labels >= 5) & (labels < 9)),
            ({"label": range(0)}, labels < 0),
            ({"label": ("<", 5)}, labels < 5),
            ({"label": ("between", 1, 5)}, (labels >= 1) & (labels <= 5)),
            ({"label": ("<>", 3), "size": (">=", 0.5)}, (labels != 3) & (sizes >= 0.5)),
            ({"size": None}, numpy.isnan(sizes)),
            ({"size": ("is not null",), "a name": "name 7"}, ~numpy.isnan(sizes) & (names == "name 7")),
            ({"a name": b"b"}, names == "b'b'"),
            ({"a name": None}, missing),
            ({"a name": ["name 1", None]}, names == "name 1"),
            ({"label": "3"}, labels < 0),
        ]
        for snapshot in (False, True):
            with vidx.open(self.path, snapshot=snapshot) as index:
                for filter, mask in cases:
                    self.expect(index, self.vectors[17], filter, mask)

    def test_columns_combine_with_conditions_and_ids(self):
        ids = numpy.arange(0, self.COUNT, 2)
        mask = (self.labels == 3) & (numpy.arange(self.COUNT) < 2500)
        even = numpy.arange(self.COUNT) % 2 == 0
        for snapshot in (False, True):
            with vidx.open(self.path, snapshot=snapshot) as index:
                for options, passing in (
                        ({"where": "rowid < ?", "parameters": (2500,)}, mask),
                        ({"where": "rowid < 2500 -- \3 x"}, mask),
                        ({"ids": numpy.arange(2500)}, mask),
                        ({"where": "rowid < ?", "parameters": [2500], "ids": ids}, mask & even)):
                    for query in self.vectors[:3]:
                        near = numpy.flatnonzero(passing)
                        near = near[numpy.argsort(numpy.linalg.norm(self.vectors[near] - query, axis=1))][:5]
                        for _ in range(3):
                            found, _ = index.search(query, 5, filter={"label": [3, 77]}, **options)
                            numpy.testing.assert_array_equal(found, near)
                        batch, _ = index.search_batch([query], 5, filter={"label": ("=", 3)}, **options)
                        numpy.testing.assert_array_equal(batch[0], near)

    def test_random_filters(self):
        generator = random.Random(3)
        with vidx.open(self.path) as index:
            for _ in range(50):
                low, high = sorted((generator.randrange(40), generator.randrange(40)))
                bound = generator.random()
                self.expect(index, self.vectors[generator.randrange(self.COUNT)],
                            {"label": ("between", low, high), "size": ("<", bound)},
                            (self.labels >= low) & (self.labels <= high) & (self.sizes < bound))

    def test_plans(self):
        path = os.path.join(self.folder.name, "plans.db")
        vectors = numpy.random.default_rng(9).standard_normal((6000, 8)).astype(numpy.float32)
        vidx.build(vectors, path, filters={"half": numpy.arange(6000) % 2})
        vidx.build(vectors, path, name="lists", type="ivfflat")
        with vidx.open(path) as index:
            for words, prefix in (({}, ""), ({"filter": {"half": 1}}, "filtered ")):
                wanted, _ = index.search(vectors[5], exact=True, **words)
                for plan in ("exact", "graph", "lists"):
                    found, _ = index.search(vectors[5], plan=plan, **words)
                    said = index.last_search()["plan"]
                    self.assertEqual(said, plan if plan == "exact" else prefix + plan)
                    self.assertGreaterEqual(len(numpy.intersect1d(found, wanted)), 7, plan)
                    batch, _ = index.search_batch(vectors[5:7], plan=plan, **words)
                    self.assertEqual(index.last_search()["plan"], said)
                    numpy.testing.assert_array_equal(batch[0], found)
            index.search(vectors[5], plan=None)
            self.assertEqual(index.last_search()["plan"], "graph")
            for plan in ("list", 3, b"exact", "Exact"):
                with self.assertRaisesRegex(vidx.ArgumentError, "plan cannot be .*: known are 'exact', 'graph'"):
                    index.search(vectors[5], plan=plan)
        with vidx.open(path, name="lists") as index:
            with self.assertRaisesRegex(vidx.ArgumentError, "type ivfflat has exact and lists"):
                index.search_batch(vectors[5:7], plan="graph")

    def test_the_signatures_name_every_setting(self):
        for method in (vidx.Index.search, vidx.Index.search_batch):
            for name in ("ef_search", "probes", "target_recall", "exact", "plan", "where", "parameters", "ids",
                         "filter", "within", "after", "timeout"):
                self.assertIn(name + "=", method.__text_signature__)

    def test_what_is_refused(self):
        query = self.vectors[0]
        with vidx.open(self.path) as index:
            for filter, message in (({"lable": 1}, "did you mean 'label'"), ({}, "must be a dict"),
                                    ([1], "must be a dict"), ({1: 2}, "name of a filter column"),
                                    ({"label": ("<", 1, 2)}, "has 1 values")):
                with self.assertRaisesRegex(vidx.ArgumentError, message):
                    index.search(query, filter=filter)
            with self.assertRaisesRegex(vidx.ArgumentError, "no such column"):
                index.search(query, filter={"label": 1}, where="labels = 1")
            with self.assertRaisesRegex(vidx.ArgumentError, "name of a filter column"):
                index.search(query, filter={"la\3bel": 1})
        path = os.path.join(self.folder.name, "refused.db")
        for filters, message in (({"label": [1]}, "1 values for 2"), ({"": [1, 2]}, "give it a name"),
                                 ({"vector": [1, 2]}, "choose another name"), ({"a": [1, object()]}, "object|number")):
            with self.assertRaisesRegex((vidx.ArgumentError, TypeError), message):
                vidx.build(self.vectors[:2], path, filters=filters)
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
