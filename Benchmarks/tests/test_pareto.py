import math
import unittest

from pareto import front, ratio, rounds_at, speed_at


class ParetoTests(unittest.TestCase):
    points = [(0.90, 4000.0), (0.96, 1000.0), (0.93, 900.0), (0.99, 250.0)]

    def test_front_drops_what_is_beaten_in_both(self):
        self.assertEqual(front(self.points), [(0.90, 4000.0), (0.96, 1000.0), (0.99, 250.0)])

    def test_front_keeps_the_faster_of_equal_recall(self):
        self.assertEqual(front([(0.9, 1.0), (0.9, 2.0)]), [(0.9, 2.0)])

    def test_between_points_the_logarithm_is_linear(self):
        self.assertAlmostEqual(speed_at(self.points, 0.93), math.sqrt(4000.0 * 1000.0))
        self.assertAlmostEqual(speed_at(self.points, 0.98), 1000.0 ** (1 / 3) * 250.0 ** (2 / 3))

    def test_at_a_point_its_own_speed(self):
        self.assertEqual(speed_at(self.points, 0.96), 1000.0)
        self.assertEqual(speed_at(self.points, 0.99), 250.0)

    def test_below_the_front_nothing_is_extrapolated(self):
        self.assertEqual(speed_at(self.points, 0.5), 4000.0)

    def test_above_the_front_it_is_not_reached(self):
        self.assertIsNone(speed_at(self.points, 0.995))
        self.assertIsNone(speed_at([], 0.9))

    def test_each_round_is_interpolated_by_itself(self):
        points = [(0.9, [400.0, 100.0]), (0.96, [100.0, 25.0])]
        first, second = rounds_at(points, 0.93)
        self.assertAlmostEqual(first, 200.0)
        self.assertAlmostEqual(second, 50.0)
        self.assertIsNone(rounds_at(points, 0.97))
        self.assertIsNone(rounds_at([], 0.9))

    def test_ratio_is_of_runs_of_one_round(self):
        # The medians' ratio would be 1: the second round ran on a machine twice as slow.
        self.assertEqual(ratio([200.0, 100.0, 200.0], [100.0, 50.0, 200.0]), 2.0)
        self.assertIsNone(ratio(None, [1.0]))


if __name__ == "__main__":
    unittest.main()
