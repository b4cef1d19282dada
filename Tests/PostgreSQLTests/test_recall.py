"""At default settings: the shapes of the page by HNSW and IVFFlat against PostgreSQL's exact answers, and however a
condition is spelt. Prints what was reached when VIDX_VERBOSE is set."""

import os
import unittest

import numpy

from both import DATA, TOLERANCE, TestCase, both, skip_unless_installed

import queries as pages

setUpModule = skip_unless_installed
WANTED = 0.95


def sets(letter):
    return pages.parameters(letter, both().sqlite, DATA)


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
        _, declared = pages.filter_columns()
        for letter, (theirs, filter_first, stream, _) in pages.shapes().items():
            asked = [(parameters, sorted(row[-1] for row in self.both.ask_postgres(theirs, parameters)))
                     for parameters in sets(letter)]
            ways = [(kind, form, sql) for kind in ("hnsw", "ivfflat")
                    for form, sql in (("filter first", filter_first), ("stream", stream))]
            if letter in declared:
                ways.append(("hnsw", "filter columns", declared[letter]))
            for kind, form, sql in ways:
                with self.subTest(shape=letter, kind=kind, form=form):
                    recall = self.recall(asked, sql, kind)
                    if os.environ.get("VIDX_VERBOSE"):
                        print(f"({letter}) {kind}, {form}: {recall:.4f}", flush=True)
                    self.assertGreaterEqual(recall, WANTED)


class SpellingTests(TestCase):
    def test_a_condition_gives_the_same_rows_however_it_is_spelt(self):
        """At default settings: `rowid IN`, --where and --ids-from are the same search."""
        for letter in "bcde":
            _, filter_first, _, command = pages.shapes()[letter]
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
