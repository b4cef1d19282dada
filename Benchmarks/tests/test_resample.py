import unittest

import numpy as np

from resample import distinct, nearest, resampled


class ResampleTests(unittest.TestCase):
    def setUp(self):
        draw = np.random.default_rng(5)
        vectors = draw.standard_normal((400, 12))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.real = vectors.astype(np.float32)
        self.real[300:] = self.real[:100]  # a quarter repeats

    def test_nearest_are_those_of_a_full_sort(self):
        seeds = distinct(self.real)
        named = np.array([3, 77, 200])
        near = seeds[named].astype(np.float64) @ seeds.T
        near[np.arange(3), named] = -9
        expected = np.sort(np.argsort(-near, axis=1)[:, :8], axis=1)
        np.testing.assert_array_equal(np.sort(nearest(seeds, 8, named), axis=1), expected)

    def test_fewer_are_a_part_of_the_real_ones(self):
        part = resampled(self.real, 50)
        self.assertTrue(set(map(bytes, part)) <= set(map(bytes, self.real)))

    def test_more_have_the_real_ones_in_them_and_as_many_repeats(self):
        more = resampled(self.real, 2000)
        self.assertEqual(more.shape, (2000, 12))
        self.assertTrue(set(map(bytes, self.real)) <= set(map(bytes, more)))
        np.testing.assert_allclose(np.linalg.norm(more, axis=1), 1, atol=1e-6)
        self.assertAlmostEqual(len(distinct(more)) / 2000, 0.75, delta=0.01)

    def test_the_same_number_gives_the_same_vectors(self):
        np.testing.assert_array_equal(resampled(self.real, 900), resampled(self.real, 900))


if __name__ == "__main__":
    unittest.main()
