import os
import tempfile
import unittest

import numpy as np

from truth import Truth, kth_nearness


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class TruthTests(unittest.TestCase):
    def setUp(self):
        draw = np.random.default_rng(11)
        self.base, self.queries = unit(draw.standard_normal((500, 16))), unit(draw.standard_normal((7, 16)))

    def order(self, metric):
        if metric == "cosine":
            near = self.queries.astype(np.float64) @ self.base.T.astype(np.float64)
        else:
            near = -((self.queries[:, None].astype(np.float64) - self.base[None]) ** 2).sum(2)
        return np.argsort(-near, axis=1), near

    def test_kth_is_that_of_a_full_sort_in_any_blocks(self):
        for metric in ("cosine", "euclidean"):
            order, near = self.order(metric)
            expected = np.take_along_axis(near, order[:, 9:10], 1)[:, 0]
            for block in (7, 64, 1000):
                found = kth_nearness(self.base, self.queries, 10, metric, block=block)
                np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_recall_of_true_neighbours_is_one_and_of_others_less(self):
        for metric in ("cosine", "euclidean"):
            truth = Truth(self.base, self.queries, 10, metric)
            order, _ = self.order(metric)
            self.assertEqual(truth.recall(order[:, :10]), 1.0)
            self.assertAlmostEqual(truth.recall(order[:, 3:13]), 0.7)
            self.assertEqual(truth.recall(order[:, 10:20]), 0.0)

    def test_ties_by_distance_are_hits(self):
        self.base[100:130] = self.base[0]  # thirty more of the first
        self.queries[:] = self.base[0]
        truth = Truth(self.base, self.queries, 10, "cosine")
        found = np.tile(np.arange(115, 125), (7, 1))
        self.assertEqual(truth.recall(found), 1.0)

    def test_a_row_named_twice_counts_once_and_none_is_no_hit(self):
        truth = Truth(self.base, self.queries, 10, "cosine")
        order, _ = self.order("cosine")
        found = order[:, :10].copy()
        found[:, 5:] = found[:, :5]
        self.assertEqual(truth.recall(found), 0.5)
        found[:] = -1
        self.assertEqual(truth.recall(found), 0.0)

    def test_recall_of_the_first_queries_only(self):
        truth = Truth(self.base, self.queries, 10, "cosine")
        order, _ = self.order("cosine")
        self.assertEqual(truth.recall(order[:3, :10]), 1.0)

    def test_more_neighbours_than_rows(self):
        truth = Truth(self.base[:4], self.queries, 10, "euclidean")
        self.assertEqual(truth.recall(np.tile([0, 1, 2, 3, -1, -1, -1, -1, -1, -1], (7, 1))), 1.0)

    def test_what_is_kept_is_read_again(self):
        with tempfile.TemporaryDirectory() as folder:
            first = Truth(self.base, self.queries, 10, "cosine", cache=os.path.join(folder, "truth"))
            again = Truth(self.base[:20], self.queries, 10, "cosine", cache=os.path.join(folder, "truth"))
            np.testing.assert_array_equal(first.kth, again.kth)


if __name__ == "__main__":
    unittest.main()
