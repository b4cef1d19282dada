"""What the shapes of the page leave out: NULLs, thresholds, pages, functions, kinds of predicate."""

import unittest

import numpy

from both import KINDS, TestCase, queries, skip_unless_installed

setUpModule = skip_unless_installed
NEAREST = ("SELECT id, embedding <=> :q AS distance FROM messages WHERE embedding IS NOT NULL AND {} "
           "ORDER BY 2, 1 LIMIT :k")
SEARCH = "SELECT rowid, distance FROM message_vectors WHERE vector MATCH :q AND k = :k AND rowid IN ({})"
FILTER = SEARCH.format("SELECT id FROM messages WHERE {}")
STREAM = ("SELECT m.id, v.distance FROM message_vectors v JOIN messages m ON m.id = v.rowid "
          "WHERE v.vector MATCH :q AND ({}) ORDER BY v.distance LIMIT :k")


def alike(_):
    return 0


class PredicateTests(TestCase):
    """Conditions beyond comparisons: PostgreSQL's spelling where it is another, vidx's otherwise."""

    PREDICATES = (
        ("quality_score IS NULL", None),
        ("model_used IS NULL OR model_used = 'model-1'", None),
        ("NOT (quality_score > 0.5)", None),  # not those of unknown quality
        ("quality_score NOT IN (SELECT quality_score FROM messages WHERE id < 50)", None),  # NULL among them: none
        ("model_used IS DISTINCT FROM 'model-1'", "model_used IS NOT 'model-1'"),
        ("content ILIKE '%game%' AND NOT content ILIKE '%3d%'", "content LIKE '%game%' AND NOT content LIKE '%3d%'"),
        ("(context_engineered->>'turns')::int >= 7", "json_extract(context_engineered, '$.turns') >= 7"),
        ("extract(dow FROM created_at) = 0", "strftime('%w', created_at) = '0'"),
        ("created_at::date = '2025-03-03'", "date(created_at) = '2025-03-03'"),
        ("conversation_id IN (SELECT id FROM conversations WHERE subject_tags ? 'games')",
         "conversation_id IN (SELECT c.id FROM conversations c, json_each(c.subject_tags) t WHERE t.value = 'games')"),
        ("EXISTS (SELECT 1 FROM phase_4_production p JOIN phase_1_conversations o USING (conversation_id) "
         "WHERE p.conversation_id = messages.conversation_id AND o.quality_validated AND p.variant = 'A')",
         "EXISTS (SELECT 1 FROM phase_4_production p JOIN phase_1_conversations o USING (conversation_id) "
         "WHERE p.conversation_id = {0}.conversation_id AND o.quality_validated AND p.variant = 'A')"),
        ("id = 77", None),
        ("id < 0", None),
        ("true", None),
    )

    def test_every_predicate_gives_the_same_rows(self):
        for theirs_where, ours_where in self.PREDICATES:
            where = ours_where or theirs_where
            for q in queries(2, seed=5):
                parameters = {"q": q, "k": 25}
                theirs = self.both.ask_postgres(NEAREST.format(f"({theirs_where})"), parameters)
                for kind in KINDS:
                    for sql, table in ((FILTER, "messages"), (STREAM, "m")):
                        # In the stream, columns that two tables have need their table.
                        condition = where.format(table)
                        ours = self.both.ask_vidx(sql.format(condition), parameters, kind)
                        ours.sort(key=lambda row: (row[1], row[0]))
                        self.assert_same(theirs, ours, alike, f"{kind}: {condition}", 25)

    def test_a_filter_may_yield_null_duplicates_and_rows_without_vector(self):
        without = self.both.column("SELECT id FROM messages WHERE embedding IS NULL LIMIT 3")
        yielded = " UNION ALL ".join(f"SELECT {key}" for key in ("NULL", 5, 9, 9, 5, 10**9, -4, *without))
        theirs = self.both.ask_postgres(NEAREST.format("id IN (5, 9)"), {"q": queries(1)[0], "k": 10})
        self.assertEqual(len(theirs), 2)
        for kind in KINDS:
            ours = self.both.ask_vidx(SEARCH.format(yielded), {"q": queries(1)[0], "k": 10}, kind)
            self.assert_same(theirs, ours, alike, kind)


class NullTests(TestCase):
    def test_rows_without_vector_come_last_in_postgresql_and_never_in_vidx(self):
        q = queries(1)[0]
        rows = self.both.one("SELECT count(*) FROM messages")
        vectors = self.both.one("SELECT count(embedding) FROM messages")
        self.assertLess(vectors, rows)
        theirs = self.both.ask_postgres("SELECT id, embedding <=> :q AS distance FROM messages ORDER BY 2, 1", {"q": q})
        self.assertEqual([row for row in theirs if row[1] is None], theirs[vectors:])
        scalar = self.both.ask_vidx(
            "SELECT id, cosine_distance(embedding, :q) FROM messages ORDER BY 2 NULLS LAST, 1", {"q": q}, "flat")
        self.assert_same(theirs[:vectors], scalar[:vectors], alike)
        self.assertEqual(scalar[vectors:], theirs[vectors:])
        for kind in KINDS:
            ours = self.both.ask_vidx(
                "SELECT rowid, distance FROM message_vectors WHERE vector MATCH :q AND k = 100000", {"q": q}, kind)
            self.assert_same(theirs[:vectors], ours, alike, kind)

    def test_nulls_last_makes_descending_orders_agree(self):
        theirs_sql = ("SELECT f.id, m.embedding <=> :q AS distance FROM phase_3_feedback f "
                      "JOIN messages m USING (conversation_id) WHERE m.turn_number = 0 AND m.embedding IS NOT NULL "
                      "ORDER BY f.learning_signal DESC NULLS LAST, 2, 1")
        ours_sql = ("SELECT f.id, v.distance FROM message_vectors v JOIN messages m ON m.id = v.rowid "
                    "JOIN phase_3_feedback f USING (conversation_id) WHERE v.vector MATCH :q AND m.turn_number = 0 "
                    "ORDER BY f.learning_signal DESC NULLS LAST, 2, 1")
        signal = dict(self.both.sqlite.execute("SELECT id, learning_signal FROM phase_3_feedback"))
        self.assertIn(None, signal.values())

        def order(row):
            return (signal[row[0]] is None, -(signal[row[0]] or 0))
        for q in queries(2, seed=3):
            theirs = self.both.ask_postgres(theirs_sql, {"q": q})
            self.assert_same(theirs, self.both.ask_vidx(ours_sql, {"q": q}, "hnsw"), order)


class ThresholdTests(TestCase):
    def test_each_comparison_takes_the_same_rows(self):
        for q in queries(4, seed=7):
            distances = [row[1] for row in self.both.ask_postgres(NEAREST.format("true"), {"q": q, "k": 400})]
            # Between two rows that differ: rounding must not decide.
            place = next(i for i in range(200, 400) if distances[i + 1] - distances[i] > 1e-5)
            within = (distances[place] + distances[place + 1]) / 2
            for comparison in ("< :within", "<= :within", "> :within", ">= :within", "BETWEEN :within AND 1.0",
                               "< -1", "< 0", "<= 3", "> 2.5"):
                parameters = {"q": q, "within": within, "k": 600}
                theirs = self.both.ask_postgres(NEAREST.format(f"embedding <=> :q {comparison}"), parameters)
                for kind in KINDS:
                    sql = f"SELECT rowid, distance FROM message_vectors WHERE vector MATCH :q AND distance {comparison}"
                    for form in (f"{sql} AND k = :k", f"{sql} ORDER BY distance, rowid LIMIT :k"):
                        ours = self.both.ask_vidx(form, parameters, kind)
                        self.assert_same(theirs, ours, alike, f"{kind}: {form}", 600)

    def test_a_row_is_within_its_own_distance(self):
        """Distances may be used as thresholds: <= takes the row, < leaves it."""
        for kind in KINDS:
            for q in queries(3, seed=9):
                nearest = "SELECT rowid, distance FROM message_vectors WHERE vector MATCH :q AND k = 30"
                rows = self.both.ask_vidx(nearest, {"q": q}, kind)
                for _, distance in rows[::7]:
                    for comparison, expected in (("<=", [row for row in rows if row[1] <= distance]),
                                                 ("<", [row for row in rows if row[1] < distance])):
                        sql = f"{nearest} AND distance {comparison} :within"
                        self.assertEqual(self.both.ask_vidx(sql, {"q": q, "within": distance}, kind), expected)


class PageTests(TestCase):
    WHERE = "quality_score > 0.6 AND context_engineered IS NOT NULL"

    def test_offset_pages_are_the_same_pages(self):
        for q in queries(3, seed=11):
            whole = self.both.ask_postgres(NEAREST.format(self.WHERE), {"q": q, "k": 10_000})
            for kind in KINDS:
                for offset in (0, 10, 37, len(whole) - 5, len(whole) + 5):
                    sql = STREAM.format(self.WHERE).replace("ORDER BY v.distance", "ORDER BY v.distance, v.rowid")
                    ours = self.both.ask_vidx(f"{sql} OFFSET {offset}", {"q": q, "k": 10}, kind, exact=False)
                    theirs = whole[offset : offset + 10]
                    self.assertEqual(len(ours), len(theirs), f"{kind} {offset}")
                    for our, their in zip(ours, theirs):
                        self.assertAlmostEqual(our[1], their[1], delta=1e-6)

    def test_pages_by_the_last_row_tile_the_order(self):
        """(distance, row id) of the last row begins the next page: through ties, nothing twice, nothing left out."""
        for kind in KINDS:
            for q in queries(4, seed=13):
                theirs = self.both.ask_postgres(NEAREST.format(self.WHERE), {"q": q, "k": 10_000})
                sql = (f"SELECT m.id, v.distance FROM message_vectors v JOIN messages m ON m.id = v.rowid "
                       f"WHERE v.vector MATCH :q AND {self.WHERE} AND v.distance >= :distance "
                       f"AND (v.distance > :distance OR v.rowid > :row) ORDER BY v.distance, v.rowid LIMIT :k")
                rows, last = [], (-1, -1.0)
                while page := self.both.ask_vidx(
                        sql, {"q": q, "row": last[0], "distance": last[1], "k": 97}, kind, exact=False):
                    rows += page
                    last = page[-1]
                self.assertEqual(len(rows), len({row[0] for row in rows}))
                self.assert_same(theirs, rows, alike, kind)


    def test_pages_with_k_tile_the_order_by_whatever_index(self):
        """after_distance and after_rowid, from NULL for the first page on; here and by --after, among rows that are
        many times the same."""
        sql = FILTER.format(self.WHERE) + " AND after_distance = :distance AND after_rowid = :row"
        for kind in KINDS:
            for q in queries(4, seed=19):
                theirs = self.both.ask_postgres(NEAREST.format(self.WHERE), {"q": q, "k": 10_000})
                rows, last = [], (None, None)
                while page := self.both.ask_vidx(
                        sql, {"q": q, "row": last[0], "distance": last[1], "k": 61}, kind, exact=False):
                    rows += page
                    last = page[-1]
                self.assertEqual(len(rows), len({row[0] for row in rows}))
                self.assert_same(theirs, rows, alike, kind)
            command = (f"vidx search app.db --index message_vectors --vector \"$q\" -k 7 --after $after "
                       f"--where \"{self.WHERE}\"")
            rows, after = [], "start"
            for _ in range(6):
                hits = self.both.run_command(command, {"q": q, "after": after}, kind, exact=False)["hits"]
                rows += [(hit["id"], hit["distance"]) for hit in hits]
                after = f"{hits[-1]['distance']!r},{hits[-1]['id']}"
            self.assert_same(theirs[:42], rows, alike, f"{kind}, command", 42)


class SnapshotTests(TestCase):
    """Pages of one transaction are those of one state, as in PostgreSQL's REPEATABLE READ."""

    INSERT = ("INSERT INTO messages(id, conversation_id, turn_number, role, content, created_at, embedding) "
              "VALUES (10000000, 1, 1000, 'user', 'new', '2025-01-01 00:00:00', {})")

    def setUp(self):
        self.mine, self.theirs = self.both.another_sqlite(), self.both.server.connect()
        self.addCleanup(self.theirs.close)
        self.addCleanup(self.mine.close)
        self.mine.execute("PRAGMA journal_mode = WAL")
        self.addCleanup(self.delete)

    def delete(self):
        for database in (self.mine, self.theirs):
            database.execute("DELETE FROM messages WHERE id = 10000000")

    def test_what_is_inserted_meanwhile_is_on_no_page(self):
        q = queries(2, seed=29)[0]
        sql = ("SELECT rowid, distance FROM message_vectors WHERE vector MATCH :q AND k = 50 "
               "AND after_distance = :distance AND after_rowid = :row")
        page = NEAREST.format("true").replace(":k", "50")
        for kind in KINDS:
            with self.subTest(kind=kind):
                self.both.sqlite.execute("BEGIN")
                self.both.postgres.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                ours, theirs = [], []
                for number in range(4):
                    row, distance = ours[-1] if ours else (None, None)
                    ours += self.both.ask_vidx(sql, {"q": q, "row": row, "distance": distance}, kind, exact=False)
                    theirs += self.both.ask_postgres(f"{page} OFFSET {50 * number}", {"q": q})
                    if number == 1:  # the nearest of all
                        self.mine.execute(self.INSERT.format("?"), (q.tobytes(),))
                        self.theirs.execute(self.INSERT.format("%s"), (str(q.tolist()),))
                self.both.sqlite.execute("COMMIT")
                self.both.postgres.execute("COMMIT")
                self.assert_same(theirs, ours, alike, kind, 200)
                self.assertNotIn(10_000_000, [row for row, _ in ours])
                first = {"q": q, "row": None, "distance": None}
                seen = self.both.ask_vidx(sql, first, kind, exact=False)
                self.assert_same(self.both.ask_postgres(page, first), seen, alike, kind, 50)
                self.assertIn(10_000_000, [row for row, distance in seen if distance < 1e-6])
                self.delete()


class FunctionTests(TestCase):
    """Operators and functions of pgvector by vidx's names, over real and awkward pairs of vectors."""

    PAIRS = (("<=>", "cosine_distance"), ("<->", "l2_distance"), ("<#>", "negative_inner_product"),
             ("<+>", "l1_distance"))

    def test_operators_are_functions(self):
        for operator, function in self.PAIRS:
            for q in queries(2, seed=17):
                theirs = self.both.ask_postgres(
                    f"SELECT id, embedding {operator} :q FROM messages WHERE id <= 500 ORDER BY id", {"q": q})
                ours = self.both.ask_vidx(
                    f"SELECT id, {function}(embedding, :q) FROM messages WHERE id <= 500 ORDER BY id", {"q": q}, "flat")
                for their, our in zip(theirs, ours, strict=True):
                    self.assertEqual(their[1] is None, our[1] is None)
                    if their[1] is not None:
                        self.assertAlmostEqual(our[1], their[1], delta=1e-6 * max(1, abs(their[1])))

    def test_what_the_page_says_of_real(self):
        sql = "SELECT {} > {}"
        self.assertEqual(self.both.postgres.execute(sql.format("0.8::real", "0.8::float8")).fetchone(), (True,))
        self.assertEqual(self.both.sqlite.execute(sql.format("CAST(0.8 AS REAL)", "0.8")).fetchone(), (0,))

    def test_vectors_survive_as_text(self):
        values = numpy.array([1 / 3, -1e-38, 3.4e38, 0, -0.0, 2**-149], dtype=numpy.float32)
        text = self.both.sqlite.execute("SELECT vector_text(?)", (values.tobytes(),)).fetchone()[0]
        theirs = self.both.postgres.execute("SELECT %s::vector::text", (text,)).fetchone()[0]
        back = self.both.sqlite.execute("SELECT vector(?)", (theirs,)).fetchone()[0]
        self.assertEqual(numpy.frombuffer(back, dtype=numpy.float32).tolist(), values.tolist())


if __name__ == "__main__":
    unittest.main()
