"""Every query of docs/POSTGRESQL.md, exact, in PostgreSQL and in vidx's three ways: the same rows."""

import unittest

import numpy

from both import KINDS, TestCase, both, queries, skip_unless_installed

from queries import filter_columns, shapes

setUpModule = skip_unless_installed
NEVER, ALWAYS = "2000-01-01 00:00:00", "2100-01-01 00:00:00"


def sets(letter):
    """Parameters: many rows match, few, none; k below and above what matches."""
    column, one = both().column, both().one
    if letter == "a":
        domains = column("SELECT expertise_domain FROM phase_1_conversations GROUP BY 1 ORDER BY count(*) DESC, 1")
        return [{"q": q, "domain": domain, "signal": signal, "within": within}
                for q in queries(3) for domain in (domains[0], domains[1], domains[-1], "no such domain")
                for signal, within in ((0.5, 0.4), (0.5, 0.9), (-1.0, 2.0), (0.99, 0.9))]
    if letter == "b":
        return [{"q": q, "quality": quality, "k": k}
                for q in queries(6) for quality, k in ((0.8, 10), (0.0, 10), (0.99, 10), (1.0, 10), (0.8, 1000))]
    if letter == "c":
        rows = column("SELECT id FROM executions WHERE id % 577 = 3 ORDER BY id LIMIT 4")
        return [{"execution": row, "repo": repo, "since": since, "similarity": similarity, "k": k,
                 "within": 1 - similarity}
                for row in rows for repo in ("repo-03", "no such repo")
                for since in (NEVER, "2025-06-01 00:00:00", ALWAYS)
                for similarity, k in ((0.7, 10), (0.3, 500), (0.999, 10))]
    if letter == "d":
        users = column("SELECT user_id FROM phase_4_production GROUP BY 1 ORDER BY count(*) DESC, 1")
        windows = ((NEVER, ALWAYS), ("2024-06-01 00:00:00", "2024-09-01 00:00:00"), (ALWAYS, NEVER))
        return [{"q": q, "user": user, "since": since, "until": until, "k": k}
                for q in queries(3) for user in (users[0], users[-1], 0) for since, until in windows for k in (10, 400)]
    users = column("SELECT user_id FROM memories GROUP BY 1 ORDER BY count(*) DESC, 1")
    return [{"q": q, "user": user, "layer": layer, "now": now, "k": k}
            for q in queries(3) for user in (users[0], users[-1], 0) for layer in ("episodic", "working")
            for now in (NEVER, "2025-07-01 00:00:00", ALWAYS) for k in (5, 500)]


def order(letter):
    return (lambda row: -row[2]) if letter == "a" else (lambda row: 0)


class ShapeTests(TestCase):
    def check(self, letter):
        theirs_sql, filter_first, stream, command = shapes()[letter]
        rows = matched = 0
        for number, parameters in enumerate(sets(letter)):
            theirs = self.both.ask_postgres(theirs_sql, parameters)
            rows, matched = rows + len(theirs), matched + (len(theirs) > 0)
            shown = {name: value for name, value in parameters.items() if not isinstance(value, numpy.ndarray)}
            for kind in KINDS:
                for form, sql in (("filter first", filter_first), ("stream", stream)):
                    ours = self.both.ask_vidx(sql, parameters, kind)
                    if form == "stream":  # rows equally far come in any order
                        distances = [row[-1] for row in ours]
                        ours.sort(key=lambda row: (order(letter)(row), row[-1], row[:-1]))
                        self.assertEqual([row[-1] for row in ours], distances, f"order {kind}, {shown}")
                    self.assert_same(theirs, ours, order(letter), f"{kind}, {form}, {shown}", parameters.get("k"))
                if number % 7 == 0:
                    self.check_command(command, theirs, parameters, kind, shown)
        self.assertGreater(matched, 5, "the parameters match too little to show anything")
        self.assertLess(matched, len(sets(letter)), "no parameters match nothing")
        self.assertGreater(rows, 100)

    def check_command(self, command, theirs, parameters, kind, shown):
        answer = self.both.run_command(command, parameters, kind)
        self.assertTrue(answer["exact"], shown)
        ours = [(hit["id"], hit["distance"]) for hit in answer["hits"]]
        once = sorted({(row[-1], row[0]) for row in theirs})
        self.assert_same([(key, distance) for distance, key in once], ours, order("b"), f"{kind}, command, {shown}",
                         parameters.get("k"))

    def test_a_where_feedback_was_good(self):
        self.check("a")

    def test_b_contexts_that_worked(self):
        self.check("b")

    def test_c_executions_like_this_one(self):
        self.check("c")

    def test_d_what_a_user_asked_before(self):
        self.check("d")

    def test_e_what_is_remembered_of_a_user(self):
        self.check("e")

    def test_filter_columns_give_the_same_rows(self):
        for letter, sql in filter_columns()[1].items():
            for parameters in sets(letter):
                theirs = self.both.ask_postgres(shapes()[letter][0], parameters)
                ours = self.both.ask_vidx(sql, parameters, "")
                shown = {name: value for name, value in parameters.items() if not isinstance(value, numpy.ndarray)}
                self.assert_same(theirs, ours, order(letter), f"({letter}) {shown}", parameters["k"])
                # At default settings k rows come, too.
                approximate = self.both.ask_vidx(sql, parameters, "", exact=False)
                if "within" not in parameters:
                    self.assertEqual(len(approximate), len(theirs), f"({letter}) {shown}")

    def test_the_page_has_all_five(self):
        self.assertEqual(sorted(shapes()), list("abcde"))


if __name__ == "__main__":
    unittest.main()
