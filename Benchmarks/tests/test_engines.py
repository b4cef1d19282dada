import json
import unittest

import engines
import peers
from engines.engine import Shape


class EnginesTests(unittest.TestCase):
    """Engines import their libraries when they start, so what they are can be looked at without."""

    def test_configurations_can_be_sent_to_workers(self):
        for name in engines.ALL:
            for metric in ("cosine", "euclidean"):
                found = engines.make(name).configurations(Shape(100_000, 384, metric))
                self.assertTrue(found, name)
                self.assertEqual(len({c.name for c in found}), len(found), f"{name}: names are the key of results")
                self.assertTrue(any(not c.slow for c in found), f"{name}: nothing for --quick")
                for configuration in found:
                    self.assertTrue(configuration.sweep)
                    json.dumps([configuration.build, configuration.sweep])

    def test_lists_are_about_the_factor_times_the_root(self):
        self.assertEqual(Shape(100_000, 8, "cosine").lists(), 1024)
        self.assertEqual(Shape(1_000_000, 8, "cosine").lists(1), 512)
        self.assertEqual(Shape(10, 8, "cosine").lists(), 8)

    def test_an_engine_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(SystemExit, "hnswlib"):
            engines.make("hnsw-lib")

    def test_requirements_are_grouped_by_peer(self):
        found = peers.groups("# Words of the head.\nnumpy==1\n\n# one\na==1\nb[c]==2\n\n# two: with a remark\nd==3\n")
        self.assertEqual(found, {peers.OWN: ["numpy==1"], "one": ["a==1", "b[c]==2"], "two": ["d==3"]})

    def test_every_engine_but_ours_is_installed_and_pinned(self):
        with open(f"{peers.ROOT}/Benchmarks/requirements.txt", encoding="utf-8") as file:
            found = peers.groups(file.read())
        self.assertEqual(set(found) - {peers.OWN}, set(engines.ALL) - {"vidx", "vidx_sql"})
        for requirements in found.values():
            self.assertTrue(requirements)
            self.assertTrue(all("==" in one for one in requirements))


if __name__ == "__main__":
    unittest.main()
