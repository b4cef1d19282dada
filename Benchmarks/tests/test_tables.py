import unittest

import sections
import tables


def line(engine, recall, qps, group=0, configuration="A", **more):
    return {"kind": "point", "dataset": "d", "run": "r", "group": group, "engine": engine,
            "configuration": configuration, "recall": recall, "qps": qps, "build_seconds": 1.0, "resident_mb": 1.0,
            "p50_us": 1.0, "p95_us": 2.0, "p99_us": 3.0, "version": "1", **more}


class TablesTests(unittest.TestCase):
    def test_beside_each_other_rounds_are_compared(self):
        lines = [line("vidx", 0.99, [400.0, 200.0]), line("scann", 0.99, [100.0, 100.0])]
        mine, best, factor = tables.best_against(tables.curves(lines)["d"], "vidx", "hnswlib A", 0.95)
        self.assertEqual((mine.engine, best.engine, factor), ("vidx", "scann", 3.0))

    def test_across_groups_the_reference_carries(self):
        # The machine was half as fast in the second group: plain figures would make svs look slow.
        lines = [line("hnswlib", 0.99, [100.0]), line("vidx", 0.99, [300.0]),
                 line("hnswlib", 0.99, [50.0], group=1), line("svs", 0.99, [100.0], group=1)]
        _, best, factor = tables.best_against(tables.curves(lines)["d"], "vidx", "hnswlib A", 0.95)
        self.assertEqual((best.engine, factor), ("svs", 1.5))

    def test_the_best_other_is_the_one_that_leaves_the_least(self):
        lines = [line("vidx", 0.99, [300.0]), line("a", 0.99, [100.0]), line("b", 0.99, [200.0]),
                 line("c", 0.90, [900.0])]
        _, best, _ = tables.best_against(tables.curves(lines)["d"], "vidx", "hnswlib A", 0.95)
        self.assertEqual(best.engine, "b")

    def test_ours_that_does_not_get_there_is_not_compared(self):
        lines = [line("vidx", 0.94, [300.0]), line("a", 0.99, [100.0])]
        self.assertIsNone(tables.best_against(tables.curves(lines)["d"], "vidx", "hnswlib A", 0.95))

    def test_a_later_run_replaces_an_earlier_one(self):
        lines = [line("a", 0.99, [100.0]), line("a", 0.99, [200.0], run="s")]
        (kept,) = tables.newest(tables.curves(lines)["d"])
        self.assertEqual(kept.qps(0.95), 200.0)

    def test_finalists_are_ours_the_reference_and_the_best_others(self):
        lines = [line("hnswlib", 0.999, [100.0]), line("vidx", 0.999, [300.0]),
                 line("vidx", 0.96, [900.0], configuration="B"), line("a", 0.999, [200.0]),
                 line("a", 0.999, [210.0], configuration="B"), line("b", 0.999, [150.0]), line("c", 0.999, [120.0])]
        found = tables.finalists(tables.curves(lines)["d"], "vidx", "hnswlib A")
        self.assertEqual(found, {"hnswlib A", "vidx A", "vidx B", "a B", "b A"})

    def test_what_was_not_measured_stays_in_the_tables_until_it_is(self):
        failures = [{"kind": "failure", "engine": "a", "reason": "no|module\nat all"},
                    {"kind": "refused", "engine": "b", "configuration": "X", "reason": "not here"}]
        found = sections.not_measured(failures)["rows"]
        self.assertEqual([row[0] for row in found], ["a", "b"])
        self.assertEqual(tables.table(["reason"], [[found[0][3]]]).splitlines()[2], "| no\\|module at all |")
        built = {"kind": "build", "engine": "b", "configuration": "X"}
        self.assertEqual([row[0] for row in sections.not_measured([*failures, built])["rows"]], ["a"])
        self.assertIsNone(sections.not_measured([built]))


if __name__ == "__main__":
    unittest.main()
