import os
import tempfile
import unittest

import numpy as np

import engines
import filter_data
import filter_tables
import filters
from engines.engine import LIKE, Refused, Shape
from engines.filter import GRAIN, Columns, Filter


def made(rows=4000, dimensions=8, count=40):
    """Columns, vectors of length 1 and queries."""
    draw = np.random.default_rng(3)
    vectors, queries = (draw.standard_normal((n, dimensions)).astype(np.float32) for n in (rows, count))
    labels = draw.integers(6, size=rows)
    columns = filter_data.make_columns(labels, np.arange(rows) // 5)
    return columns, *(v / np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, queries))


def cell(name, columns, vectors, queries):
    asked = np.random.default_rng(1).integers(6, size=len(queries))
    chosen = filter_data.filters(name, asked, np.unique(columns.label))
    return filter_data.Cell(name, chosen, vectors, queries, "cosine", columns), asked


def order_of(one, vectors, query, columns):
    rows = np.flatnonzero(one.mask(columns))
    return rows[np.argsort(-(vectors[rows].astype(np.float64) @ query.astype(np.float64)), kind="stable")]


class FilterTests(unittest.TestCase):
    def test_sql_passes_the_rows_of_the_mask(self):
        import sqlite3

        columns, vectors, queries = made()
        database = sqlite3.connect(":memory:")
        for statement in columns.statements():
            database.execute(statement)
        database.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", columns.items())
        for name, _, rows in columns.tables():
            database.executemany(f"INSERT INTO {name} VALUES (?, ?)", rows)
        for statement in columns.indexes():
            database.execute(statement)
        for name in filter_data.CELLS:
            for one in set(cell(name, columns, vectors, queries)[0].filters):
                expected = np.flatnonzero(one.mask(columns)).tolist()
                where, values = one.predicate()
                self.assertEqual(
                    sorted(row for row, in database.execute(f"SELECT id FROM items WHERE {where}", values)), expected)
                self.assertEqual(sorted(row for row, in database.execute(*one.joined())), expected)

    def test_shares_are_those_of_the_names(self):
        columns, vectors, queries = made(rows=50_000)
        for name, share in filter_data.UNIFORM.items():
            found = cell(name, columns, vectors, queries)[0]
            self.assertAlmostEqual(found.share, share, delta=0.3 * share + 2e-5)
            self.assertEqual(len(set(found.filters)), filter_data.POOL)
        self.assertAlmostEqual(cell("join", columns, vectors, queries)[0].share, 0.05, delta=0.015)

    def test_near_shares_the_label_and_far_never_does(self):
        columns, vectors, queries = made()
        near, asked = cell("near", columns, vectors, queries)
        self.assertEqual([one.low for one in near.filters], asked.tolist())
        far, asked = cell("far", columns, vectors, queries)
        self.assertFalse(any(one.low == label for one, label in zip(far.filters, asked)))

    def test_columns_are_read_as_they_were_kept(self):
        columns = made()[0]
        with tempfile.TemporaryDirectory() as folder:
            columns.save(os.path.join(folder, "columns.npz"))
            again = Columns.load(os.path.join(folder, "columns.npz"))
        for name, values in columns.__dict__.items():
            np.testing.assert_array_equal(values, getattr(again, name))

    def test_clusters_label_rows_and_queries_alike(self):
        _, vectors, _ = made()
        of_rows, of_queries = filter_data.clusters(vectors, vectors[:50], 7)
        np.testing.assert_array_equal(of_rows[:50], of_queries)
        self.assertGreater(len(np.unique(of_rows)), 1)

    def test_the_engines_modes_can_be_sent_and_those_like_another_have_its_settings(self):
        for name in engines.ALL:
            try:
                found = engines.make(name).filtered_configurations(Shape(100_000, 384, "cosine"))
            except Refused:
                continue
            for configuration in found:
                by_mode = {}
                for setting in configuration.sweep:
                    by_mode.setdefault(setting.get("mode"), []).append(setting)
                for mode, settings in by_mode.items():
                    like = settings[0].get(LIKE)
                    plain = [{k: v for k, v in s.items() if k not in ("mode", LIKE)} for s in settings]
                    if like:
                        self.assertEqual(
                            plain, [{k: v for k, v in s.items() if k != "mode"} for s in by_mode[like]], (name, mode))


class RecallTests(unittest.TestCase):
    def test_the_nearest_that_pass_are_all_there_is_to_find(self):
        columns, vectors, queries = made()
        for name in filter_data.CELLS:
            found = cell(name, columns, vectors, queries)[0]
            for k in (10, 100):
                ids = np.full((len(queries), k), -1)
                for row, one, query in zip(ids, found.filters, queries):
                    order = order_of(one, vectors, query, columns)[:k]
                    row[: len(order)] = order
                self.assertEqual(found.recall(ids, k), 1.0, name)

    def test_fewer_rows_than_k_are_all_wanted(self):
        columns, vectors, queries = made()
        one = Filter("u", int(columns.u[17]), int(columns.u[17]) + 1)
        passing = np.flatnonzero(one.mask(columns))
        found = filter_data.Cell("few", [one] * 2, vectors, queries[:2], "cosine", columns)
        ids = np.full((2, 10), -1)
        ids[0, : len(passing)] = passing
        self.assertEqual(found.recall(ids, 10), 0.5)

    def test_no_row_passes_and_nothing_is_wanted(self):
        columns, vectors, queries = made()
        found = filter_data.Cell("none", [Filter("u", GRAIN, GRAIN + 1)], vectors, queries[:1], "cosine", columns)
        self.assertEqual(found.recall(np.full((1, 10), -1), 10), 1.0)

    def test_a_row_that_does_not_pass_is_an_error(self):
        columns, vectors, queries = made()
        found = cell("1 %", columns, vectors, queries)[0]
        ids = np.full((1, 10), -1)
        ids[0, 0] = np.flatnonzero(~found.filters[0].mask(columns))[0]
        with self.assertRaisesRegex(AssertionError, "do not pass"):
            found.recall(ids, 10)

    def test_what_is_kept_is_read_again(self):
        columns, vectors, queries = made()
        with tempfile.TemporaryDirectory() as folder:
            first = cell("10 %", columns, vectors, queries)[0]
            first.cache = os.path.join(folder, "truth")
            expected = first.thresholds(10)
            again = cell("10 %", columns, vectors, queries)[0]
            again.cache, again.base = first.cache, None
            np.testing.assert_array_equal(again.thresholds(10), expected)


class SeekingTests(unittest.TestCase):
    def test_the_least_setting_is_found_with_few_questions(self):
        recalls = [0.5, 0.8, 0.9, 0.94, 0.951, 0.97, 0.98, 0.985, 0.991, 0.995, 1.0]
        asked = []

        def evaluate(number):
            asked.append(number)
            return recalls[number]

        self.assertEqual(filters.least(evaluate, len(recalls), 0.95), 4)
        self.assertEqual(filters.least(evaluate, len(recalls), 0.99), 8)
        self.assertIsNone(filters.least(evaluate, len(recalls), 1.1))
        self.assertLess(len(asked), 16)
        for target in recalls:
            self.assertEqual(recalls[filters.least(evaluate, len(recalls), target)], target)

    def test_where_the_first_is_enough_no_other_is_asked(self):
        self.assertEqual(filters.chosen({0: 0.99}.__getitem__, 5), [0])

    def test_what_does_not_get_there_is_measured_at_its_best(self):
        self.assertEqual(filters.chosen([0.1, 0.5, 0.96, 0.97].__getitem__, 4), [2, 3])
        self.assertEqual(filters.chosen([0.3].__getitem__, 1), [0])

    def test_settings_of_another_way_that_do_not_do_are_not_the_last(self):
        recalls = [0.5, 0.93, 0.96, 0.97, 0.995, 0.999]
        self.assertEqual(filters.further(recalls.__getitem__, 6, [1, 4]), [])
        self.assertEqual(filters.further(recalls.__getitem__, 6, [0]), [2, 4])
        self.assertEqual(filters.further(recalls.__getitem__, 6, [1, 2]), [4])
        self.assertEqual(filters.further([0.9, 0.96, 0.97].__getitem__, 3, [0]), [1, 2])
        self.assertEqual(filters.further([0.9, 0.96].__getitem__, 2, [1]), [])


def line(engine, mode, recall, qps, cell="1 %", run="r", **more):
    return {"kind": "filtered", "dataset": "d", "run": run, "k": 10, "cell": cell, "engine": engine,
            "configuration": "A", "mode": mode, "recall": recall, "qps": qps, "cpu_qps": qps, "share": 0.01,
            "rows_passing": 800.0, "p50_us": 1e6 / qps[0], "setting": {"ef": 10, "mode": mode}, "version": "1",
            "rows": 80_000, "dimensions": 8, "metric": "cosine", "queries": 300, "date": "2000-01-01", "commit": "c",
            "machine": {"cpu": "p", "cores": 2, "load": 0.0}, **more}


class FilterTablesTests(unittest.TestCase):
    def grid(self, lines):
        return filter_tables.Grid(filter_tables.newest(lines), "d", 10)

    def test_a_cell_is_the_fastest_setting_that_gets_there_or_the_best_recall(self):
        points = [line("a", "", 0.96, [50.0]), line("a", "", 0.97, [90.0]), line("a", "", 0.9, [400.0])]
        self.assertEqual(filter_tables.shown(points, 0.95), "90")
        self.assertEqual(filter_tables.shown(points, 0.99), "- (0.97)")
        self.assertEqual(filter_tables.shown([], 0.99), "")

    def test_ours_is_held_against_the_best_beside_it_round_by_round(self):
        lines = [line("vidx", "declared columns", 1.0, [400.0, 200.0]), line("a", "", 1.0, [100.0, 100.0]),
                 line("b", "", 1.0, [50.0, 50.0]), line("pgvector", "relaxed", 1.0, [10.0, 10.0]),
                 line("vidx", "ad hoc predicate", 1.0, [100.0, 50.0]), line("vidx", "plan: exact", 1.0, [9e9, 9e9])]
        text = filter_tables.against(self.grid(lines), "vidx").splitlines()
        self.assertIn("| 0.95 | warm | the best embedded | 3.0 (a) |", text)
        self.assertIn("| 0.95 | warm | pgvector | 30.0 |", text)
        self.assertIn("| 0.95 | ad hoc | pgvector | 7.5 |", text)

    def test_ours_that_does_not_get_there_is_said_so(self):
        lines = [line("vidx", "declared columns", 0.9, [400.0]), line("a", "", 1.0, [100.0])]
        self.assertIn("not reached", filter_tables.against(self.grid(lines), "vidx"))

    def test_regret_is_the_best_fixed_plan_over_the_planner(self):
        lines = [line("vidx", "declared columns", 1.0, [100.0]), line("vidx", "plan: exact", 1.0, [120.0]),
                 line("vidx", "plan: graph", 1.0, [150.0]), line("vidx", "plan: graph", 0.9, [900.0])]
        self.assertIn("1.50 (graph)", filter_tables.regret(self.grid(lines), "vidx"))
        lines.append(line("vidx", filter_tables.ON_REQUEST, 1.0, [125.0]))
        self.assertIn("1.20 (graph)", filter_tables.regret(self.grid(lines), "vidx"))

    def test_regret_of_queries_is_the_worst_over_the_best_plan_of_each(self):
        lines = [line("vidx", "declared columns", 1.0, [100.0], distances=[300, 50] + [100] * 98),
                 line("vidx", "plan: exact", 1.0, [120.0], distances=[100] * 100),
                 line("vidx", "plan: graph", 1.0, [150.0], distances=[150] + [25] + [200] * 98),
                 line("vidx", "plan: graph", 0.9, [900.0], distances=[1] * 100)]
        self.assertIn("2.00, 3.00", filter_tables.regret_of_queries(self.grid(lines), "vidx"))
        for one in lines:
            del one["distances"]
        self.assertIsNone(filter_tables.regret_of_queries(self.grid(lines), "vidx"))

    def test_the_filters_own_cost_is_what_a_miss_adds(self):
        lines = [line("vidx", "cached row set", 1.0, [100.0], p50_us=20.0),
                 line("vidx", "ad hoc predicate", 1.0, [50.0], p50_us=100.0)]
        self.assertIn("| 80 | - | 10,000,000 |", filter_tables.costs(self.grid(lines), "vidx"))
        lines[1]["means"] = {"rows_checked": 31.4}
        self.assertIn("| 80 | 31 | - |", filter_tables.costs(self.grid(lines), "vidx"))

    def test_recall_on_request_has_a_row_a_setting(self):
        lines = [line("vidx", filter_tables.ON_REQUEST, 0.96, [70.0], setting={"mode": "m", "all": True}),
                 line("vidx", filter_tables.ON_REQUEST, 0.99, [50.0], setting={"target_recall": 0.99, "all": True})]
        rows = filter_tables.on_request(self.grid(lines), "vidx").splitlines()[2:]
        self.assertEqual(rows, ["| A | defaults | 0.960 (70) |", "| A | target_recall=0.99 | 0.990 (50) |"])

    def test_a_later_run_replaces_an_earlier_one(self):
        lines = [line("a", "", 1.0, [100.0]), line("a", "", 1.0, [200.0], run="s")]
        self.assertEqual(filter_tables.shown(self.grid(lines).by_way["a", "A", ""]["1 %"], 0.95), "200")

    def test_a_document_has_all_of_it(self):
        lines = [line("vidx", mode, 1.0, [100.0], plans={"exact": 7}, means={"rows_scored": 5.0}, cell=cell)
                 for mode in ("declared columns", "cached row set", "ad hoc predicate", "plan: exact")
                 for cell in filter_data.CELLS]
        lines.append({"kind": "filter_refused", "dataset": "d", "engine": "b", "reason": "cannot|at all"})
        text = filter_tables.document(lines)
        for word in ("regret", "times faster", "own cost", "exact 7", "cannot\\|at all", "near (1.0 %)"):
            self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
