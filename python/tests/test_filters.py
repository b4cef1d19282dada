"""Tests of searches with a filter, as test_vidx.py tests those without."""

import signal
import threading

import numpy

import vidx
from test_vidx import TestCase


class FilterTests(TestCase):
    def setUp(self):
        super().setUp()
        random = numpy.random.default_rng(3)
        self.vectors = random.standard_normal((800, 8)).astype(numpy.float32)
        self.labels = random.integers(0, 9, 900)
        vidx.build(self.vectors, self.path, metric="l2")
        self.connection = self.connect()
        self.connection.execute("BEGIN")
        self.connection.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, label INTEGER, note TEXT)")
        self.connection.executemany(
            "INSERT INTO notes VALUES (?, ?, ?)", [(i, int(label), f"note {i}") for i, label in enumerate(self.labels)])
        self.connection.execute("INSERT INTO vectors_config(key, value) VALUES ('rows_table', 'notes')")
        self.connection.execute("COMMIT")

    def nearest(self, query, passing, k):
        ids = numpy.flatnonzero(passing[:800])
        distances = numpy.linalg.norm(self.vectors[ids] - query, axis=1)
        return ids[numpy.argsort(distances, kind="stable")[:k]]

    def test_answers_are_those_of_numpy(self):
        for snapshot in (False, True):
            index = self.open(snapshot=snapshot)
            for query in self.vectors[:5]:
                for label in range(10):
                    passing = self.labels == label
                    expected = self.nearest(query, passing, 7)
                    for options in ({"where": "label = ?", "parameters": (label,)},
                                    {"where": "label = ?", "parameters": [numpy.int64(label)]},
                                    {"where": f"label = {label} -- all of it"},
                                    {"ids": numpy.flatnonzero(passing)[::-1]},
                                    {"ids": [*numpy.flatnonzero(passing)] * 2}):
                        ids, distances = index.search(query, k=7, exact=True, **options)
                        numpy.testing.assert_array_equal(ids, expected)
                        report = index.last_search()
                        self.assertEqual(report["rows_yielded"], passing.sum())
                        self.assertEqual(report["rows_without_vector"], passing[800:].sum())
                        self.assertTrue(report["exact"] and report["complete"] and report["plan"] == "exact")
                        batch = index.search_batch(self.vectors[:3], k=7, exact=True, **options)[0]
                        self.assertEqual(batch.shape, (3, 7))
            self.assertEqual(len(index.search(query, where="0")[0]), 0)
            index.search(query)
            self.assertIsNone(index.last_search()["rows_yielded"])

    def test_rows_are_kept_until_a_commit(self):
        index = self.open()
        query = self.vectors[0]

        def search():
            ids, _ = index.search(query, k=900, where="label = ?", parameters=(3,))
            return set(ids.tolist()), index.last_search()["filter_cached"]

        before, cached = search()
        self.assertFalse(cached)
        self.assertEqual(search(), (before, True))
        self.connection.execute("UPDATE notes SET label = 3 WHERE id < 50")
        self.assertEqual(search(), (before | set(range(50)), False))
        self.assertTrue(search()[1])
        self.connection.execute("DELETE FROM vectors WHERE rowid = 7")
        self.assertEqual(search(), ((before | set(range(50))) - {7}, False))

    def test_a_snapshot_asks_once(self):
        index = self.open(snapshot=True)
        before = index.search(self.vectors[0], k=900, where="label = 3")[0]
        self.connection.execute("UPDATE notes SET label = 3")
        numpy.testing.assert_array_equal(index.search(self.vectors[0], k=900, where="label = 3")[0], before)
        index.refresh()
        self.assertEqual(len(index.search(self.vectors[0], k=900, where="label = 3")[0]), 800)

    def test_what_is_found_is_checked_where_many_rows_pass(self):
        random = numpy.random.default_rng(4)
        vectors = random.standard_normal((9000, 8)).astype(numpy.float32)
        labels = random.integers(0, 10, 9000)
        vidx.build(vectors, self.path, name="many", metric="l2")
        self.connection.execute("BEGIN")
        self.connection.execute("CREATE TABLE posts(id INTEGER PRIMARY KEY, label INTEGER)")
        self.connection.executemany("INSERT INTO posts VALUES (?, ?)", enumerate(labels.tolist()))
        self.connection.execute("INSERT INTO many_config(key, value) VALUES ('rows_table', 'posts')")
        self.connection.execute("COMMIT")
        for snapshot in (False, True):
            index = self.open(name="many", snapshot=snapshot)
            found = 0
            for number, query in enumerate(vectors[:20]):
                distances = numpy.linalg.norm(vectors - query, axis=1)
                distances[labels >= 5] = numpy.inf
                # The number makes it another condition: the second time rows are read.
                words = {"where": "label < ? AND ? = ?", "parameters": (5, number, number)}
                ids = index.search(query, **words)[0]
                report = index.last_search()
                self.assertEqual((report["plan"], report["filter_cached"]), ("checked graph", False))
                self.assertTrue(10 <= report["rows_yielded"] <= report["rows_checked"] <= 100, report)
                self.assertIsNone(report["rows_without_vector"])
                found += len(set(ids.tolist()) & set(numpy.argsort(distances)[:10].tolist()))
                index.search(query, **words)
                report = index.last_search()
                self.assertEqual((report["rows_yielded"], report["rows_checked"]), ((labels < 5).sum(), 0))
                index.search(query, **words)
                self.assertTrue(index.last_search()["filter_cached"])
            self.assertGreaterEqual(found, 190)

    def test_values_keep_their_types(self):
        index = self.open()
        sql = "typeof(?1) = ?2"
        for value, name in ((1, "integer"), (1.0, "real"), (True, "integer"), ("1", "text"), (b"1", "blob"),
                            (None, "null"), (numpy.float32(1), "real"), (numpy.int8(1), "integer"),
                            (bytearray(b"1"), "blob")):
            for _ in range(2):
                self.assertEqual(len(index.search(self.vectors[0], where=sql, parameters=(value, name))[0]), 10, name)
                self.assertEqual(len(index.search(self.vectors[0], where=sql, parameters=(value, "x"))[0]), 0)

    def test_refusals(self):
        index = self.open()
        query = self.vectors[0]
        endless = "id IN (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c)"
        for error, words, options in (
                (vidx.ArgumentError, "no such column: labl.*\n  labl = 3\n  \\^", {"where": "labl = 3"}),
                (vidx.ArgumentError, "syntax error", {"where": "label ="}),
                (vidx.ArgumentError, "more than one statement", {"where": "1); DELETE FROM notes WHERE (1"}),
                (vidx.ArgumentError, "1 parameters; 0 values", {"where": "label = ?"}),
                (vidx.ArgumentError, "parameters are for", {"parameters": (1,)}),
                (vidx.ArgumentError, "number", {"within": float("nan")}),
                (vidx.ArgumentError, "give \\(distance, id\\)", {"after": 0.5}),
                (vidx.ArgumentError, "give \\(distance, id\\)", {"after": "ab"}),
                (vidx.ArgumentError, "not a number", {"after": (float("nan"), 1)}),
                (TypeError, "", {"after": (1.0, 1.5)}),
                (vidx.ArgumentError, "whole numbers", {"ids": [1.5]}),
                (vidx.ArgumentError, "timeout is", {"where": "1", "timeout": -1}),
                (vidx.ArgumentError, "zero byte", {"where": "1\0"}),
                (TypeError, "SQL as a str", {"where": 1}),
                (TypeError, "a tuple", {"where": "note = ?", "parameters": "note 1"}),
                (vidx.TimeoutError, "more time", {"where": endless, "timeout": 0.05}),
                (TimeoutError, "more time", {"where": endless, "timeout": 0.05})):
            with self.assertRaisesRegex(error, words):
                index.search(query, **options)
            with self.assertRaisesRegex(error, words):
                index.search_batch([query], **options)
        self.assertEqual(self.connection.execute("SELECT count(*) FROM notes").fetchone()[0], 900)
        self.assertEqual(len(index.search(query, where="label IS NOT NULL")[0]), 10)

    def test_conditions_and_ids_are_combined(self):
        for snapshot in (False, True):
            index = self.open(snapshot=snapshot)
            for query in self.vectors[:5]:
                passing = (self.labels < 5) & (numpy.arange(900) % 3 == 0)
                expected = self.nearest(query, passing, 7)
                ids = numpy.arange(0, 900, 3)
                for _ in range(3):
                    found, _ = index.search(query, k=7, exact=True, where="label < ?", parameters=(5,), ids=ids)
                    numpy.testing.assert_array_equal(found, expected)
                    self.assertIsNone(index.last_search()["rows_without_vector"])
                batch, _ = index.search_batch([query], k=7, exact=True, where="label < 5", ids=ids)
                numpy.testing.assert_array_equal(batch[0], expected)

    def test_stays_within_a_distance(self):
        index = self.open()
        for query in self.vectors[:5]:
            for where in (None, "label < 5"):
                passing = self.labels[:800] < (5 if where else 10)
                near = self.nearest(query, passing, 6)
                distance = float(numpy.linalg.norm(self.vectors[near[5]] - query))
                for within, count in ((distance * 0.99999, 5), (distance * 1.00001, 6), (-1, 0)):
                    ids, distances = index.search(query, k=100, within=within, where=where, exact=True)
                    numpy.testing.assert_array_equal(ids, near[:count])
                    self.assertTrue((distances <= within).all() and index.last_search()["complete"])
                    batch, far = index.search_batch([query], k=8, within=within, where=where)
                    self.assertEqual(numpy.isinf(far[0]).sum(), 8 - count)
                    numpy.testing.assert_array_equal(batch[0][count:], -1)
        index.search(query, k=700, within=distance)
        self.assertEqual(index.last_search()["complete"], index.last_search()["exact"])

    def test_pages_tile_a_snapshot(self):
        for where in (None, "label < 5"):
            index = self.open(snapshot=True)
            query, after, found = self.vectors[3], vidx.START, []
            while True:
                ids, distances = index.search(query, k=73, after=after, where=where)
                self.assertTrue(index.last_search()["exact"])
                found += ids.tolist()
                if len(ids) == 0:
                    break
                after = distances[-1], ids[-1]
                # Nearest of all, and another that may be still to come.
                self.connection.execute("INSERT OR REPLACE INTO vectors(rowid, vector) VALUES (?, ?)",
                                        (2000 + len(found), query))
                self.connection.execute("DELETE FROM vectors WHERE rowid = ?", (700 + len(found) % 97,))
            passing = self.labels[:800] < (5 if where else 10)
            gone = set(numpy.flatnonzero(passing)) - set(found)
            self.assertEqual(len(set(found)), len(found))
            expected = [i for i in self.nearest(query, passing, 800).tolist() if i not in gone]
            self.assertEqual(found, expected)
            # Those that went before the snapshot was made are not in it; the first one had all.
            self.assertEqual(len(gone) == 0, where is None)
        first, distances = index.search_batch(self.vectors[:2], k=3, after=vidx.START)
        for i in range(2):
            numpy.testing.assert_array_equal(first[i], index.search(self.vectors[i], k=3, after=list(vidx.START))[0])

    def test_a_condition_can_be_interrupted(self):
        class Interrupted(Exception):
            pass

        def interrupt(*unused):
            raise Interrupted

        previous = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)
        # Whoever started this process may have blocked it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        endless = "id IN (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c)"
        query = self.vectors[0]
        for snapshot in (False, True):
            index = self.open(snapshot=snapshot)
            for search in (lambda: index.search(query, where=endless),
                           lambda: index.search(query, where=endless, ids=[1, 2]),
                           lambda: index.search_batch([query], where=endless)):
                signal.setitimer(signal.ITIMER_REAL, 0.15)
                with self.assertRaises(Interrupted):
                    search()
                self.assertEqual(len(index.search(query, k=3, where="label < 9")[0]), 3)

    def test_threads_share_conditions(self):
        index = self.open()
        failures = []

        def work(seed):
            random = numpy.random.default_rng(seed)
            for _ in range(150):
                label = int(random.integers(0, 30))
                ids, _ = index.search(self.vectors[label], k=5, exact=True, where="label = ?", parameters=(label,))
                expected = self.nearest(self.vectors[label], self.labels == label, 5)
                if ids.tolist() != expected.tolist():
                    failures.append(label)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
