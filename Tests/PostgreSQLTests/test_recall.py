"""At default settings: the shapes of the page by HNSW and IVFFlat against PostgreSQL's exact answers, and however a
condition is spelt. Prints what was reached when VIDX_VERBOSE is set."""

import os
import unittest

import numpy

from both import TOLERANCE, TestCase, both, queries, shapes, skip_unless_installed

setUpModule = skip_unless_installed
K, QUERIES, WANTED = 10, 40, 0.95
LONG_AGO, FAR_OFF = "2000-01-01 00:00:00", "2100-01-01 00:00:00"


def sets(letter):
    """Filters from a few rows to many, some of them far from the query."""
    column, one = both().column, both().one
    domains = column("SELECT expertise_domain FROM phase_1_conversations GROUP BY 1 ORDER BY count(*) DESC, 1")
    users = column("SELECT user_id FROM phase_4_production GROUP BY 1 ORDER BY count(*) DESC, 1")
    owners = column("SELECT user_id FROM memories GROUP BY 1 ORDER BY count(*) DESC, 1")
    last = one("SELECT max(id) FROM executions")
    for number, q in enumerate(queries(QUERIES, seed=23)):
        if letter == "a":
            yield {"q": q, "domain": domains[number % min(20, len(domains))], "signal": 0.5 - number % 3 / 4,
                   "within": 0.7}
        elif letter == "b":
            yield {"q": q, "quality": (0.8, 0.2, 0.95, 0.0)[number % 4], "k": K}
        elif letter == "c":
            yield {"execution": 1 + number * 71 % last, "repo": f"repo-{number % 40:02}", "similarity": 0.3, "k": K,
                   "since": (LONG_AGO, "2025-01-01 00:00:00", "2025-12-01 00:00:00")[number % 3], "within": 0.7}
        elif letter == "d":
            yield {"q": q, "user": users[number % 10], "since": (LONG_AGO, "2025-01-01 00:00:00")[number % 2],
                   "until": FAR_OFF, "k": K}
        else:
            yield {"q": q, "user": owners[number % 10], "layer": ("episodic", "semantic")[number % 2],
                   "now": (LONG_AGO, "2026-01-01 00:00:00")[number % 2], "k": K}


class RecallTests(TestCase):
    def recall(self, asked, sql, kind):
        """The share of the rows that exact searches give whose distances the approximate answer reaches.
        - asked: parameters, and the distances of the exact answer in ascending order."""
        found = wanted = 0
        for parameters, truth in asked:
            ours = [row[-1] for row in self.both.ask_vidx(sql, parameters, kind, exact=False)]
            if "within" not in parameters:
                self.assertEqual(len(ours), len(truth), "k rows come whenever k rows match")
            if truth:
                found += min(len(truth), sum(distance <= truth[-1] + TOLERANCE for distance in ours))
                wanted += len(truth)
        self.assertGreater(wanted, 100, "the filters yield too little to show anything")
        return found / wanted

    def test_every_shape_reaches_the_recall_at_default_settings(self):
        for letter, (theirs, filter_first, stream, _) in shapes().items():
            asked = [(parameters, sorted(row[-1] for row in self.both.ask_postgres(theirs, parameters)))
                     for parameters in sets(letter)]
            for kind in ("hnsw", "ivfflat"):
                for form, sql in (("filter first", filter_first), ("stream", stream)):
                    with self.subTest(shape=letter, kind=kind, form=form):
                        recall = self.recall(asked, sql, kind)
                        if os.environ.get("VIDX_VERBOSE"):
                            print(f"({letter}) {kind}, {form}: {recall:.4f}", flush=True)
                        self.assertGreaterEqual(recall, WANTED)


class SpellingTests(TestCase):
    def test_a_condition_gives_the_same_rows_however_it_is_spelt(self):
        """At default settings: `rowid IN`, --where and --ids-from are the same search."""
        for letter in "bcde":
            _, filter_first, _, command = shapes()[letter]
            for number, parameters in enumerate(sets(letter)):
                if number % 8 == 0:
                    for kind in ("hnsw", "ivfflat"):
                        ours = self.both.ask_vidx(filter_first, parameters, kind, exact=False)
                        hits = self.both.run_command(command, parameters, kind, exact=False)["hits"]
                        shown = {name: value for name, value in parameters.items() if name != "q"}
                        self.assertEqual([(hit["id"], numpy.float32(hit["distance"])) for hit in hits],
                                         [(row, numpy.float32(distance)) for row, distance in ours], f"{kind} {shown}")


if __name__ == "__main__":
    unittest.main()
