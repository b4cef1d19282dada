"""Embedding models by name: what is of another model is refused, and what `vidx reindex` does is seen at once."""

import unittest

import numpy

import vidx
from test_vidx import TestCase, random_vectors


class ModelTests(TestCase):
    def test_queries_of_another_model_are_refused(self):
        vectors = random_vectors(300, 8)
        for name, model in [("named", "it's bge, small"), ("plain", None)]:
            vidx.build(vectors, self.path, name=name, model=model, filters={"half": numpy.arange(300) % 2})
            self.assertEqual(self.open(name).info()["model"], model)
        questions = [{}, {"exact": True}, {"ids": [1, 2, 3]}, {"filter": {"half": 1}}, {"where": "rowid % 3 = 1"},
                     {"filter": {"half": 1}, "where": "rowid > ?", "parameters": (5,)}, {"after": vidx.START}]
        for snapshot in (False, True):
            named, plain = self.open("named", snapshot=snapshot), self.open("plain", snapshot=snapshot)
            for question in questions:
                for ask in (lambda index, **given: index.search(vectors[7], k=3, **given),
                            lambda index, **given: index.search_batch(vectors[:9], k=3, **given)):
                    unasked = ask(named, **question)
                    for model in ("it's bge, small", None):
                        found = ask(named, model=model, **question)
                        self.assertEqual([a.tolist() for a in found], [a.tolist() for a in unasked])
                    self.refuses(vidx.ModelError, "index named is of model 'it's bge, small', not of 'b'",
                                 lambda: ask(named, model="b", **question))
                    self.refuses(vidx.ModelError, "index plain names no model",
                                 lambda: ask(plain, model="b", **question))
                    self.assertIsNone(plain.last_search())
                    ask(plain, **question)
            # Before what is wrong with the vector.
            self.refuses(vidx.ModelError, "'b'", lambda: named.search(vectors[7][:5], model="b"))
            self.refuses(vidx.VectorError, "expected 8 dimensions, not 5",
                         lambda: named.search(vectors[7][:5], model="it's bge, small"))

    def test_names_that_are_none(self):
        vidx.build(random_vectors(9, 3), self.path, model="a")
        index = self.open()
        for name in (3, b"a", "a\0", "\ud800"):
            self.refuses(vidx.ArgumentError, "model is", lambda: index.search([1, 0, 0], model=name))
        for name in ("", 3, "a\0"):
            self.refuses(vidx.ArgumentError, "model is", lambda: vidx.build([[1.0]], self.path, name="x", model=name))
        self.refuses(vidx.ArgumentError, "name cannot be 'model'", lambda: vidx.build([[1.0]], self.path, name="model"))

    def test_sql(self):
        vidx.build(random_vectors(20, 4), self.path, model="a")
        connection = self.connect()
        query = numpy.ones(4, dtype=numpy.float32)
        sql = "SELECT count(*) FROM vectors WHERE vector MATCH ? AND k = 3 AND model = ?"
        self.assertEqual(connection.execute(sql, (query, "a")).fetchone(), (3,))
        insert = "INSERT INTO vectors(vector, model) VALUES (?, ?)"
        connection.execute(insert, (query, "a"))
        for statement in (sql, insert):
            with self.assertRaisesRegex(Exception, "vidx index vectors is of model 'a', not of 'b'"):
                connection.execute(statement, (query, "b")).fetchall()
        self.assertEqual(connection.execute("SELECT DISTINCT model FROM vectors").fetchall(), [("a",)])

    def test_an_index_that_is_made_anew_is_seen(self):
        """As `vidx reindex` does it: another index takes the name in one transaction, with other dimensions."""
        for mode in ("delete", "wal"):
            old, new = random_vectors(200, 6), random_vectors(90, 3, seed=2)
            vidx.build(old, self.path, name=mode, model="a", type="flat")
            connection = self.connect()
            connection.execute(f"PRAGMA journal_mode = {mode}")
            index, fixed = self.open(mode), self.open(mode, snapshot=True)
            self.assertEqual(index.search(old[5], k=1, model="a")[0].tolist(), [5])
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f'DROP TABLE "{mode}"')
            connection.execute(f'CREATE VIRTUAL TABLE "{mode}" USING vidx(dimensions = 3, model = b)')
            connection.executemany(f'INSERT INTO "{mode}"(rowid, vector) VALUES (?, ?)', enumerate(new))
            self.assertEqual((index.dimensions, index.search(old[5], k=1, model="a")[0].tolist()), (6, [5]))
            connection.execute("COMMIT")
            self.assertEqual((index.dimensions, fixed.dimensions), (3, 6))
            self.assertEqual(index.search(new[7], k=1, model="b")[0].tolist(), [7])
            self.assertEqual(index.search_batch(new, k=1)[0].ravel().tolist(), list(range(90)))
            self.refuses(vidx.ModelError, "is of model 'b', not of 'a'", lambda: index.search(old[5], model="a"))
            self.refuses(vidx.VectorError, "expected 3 dimensions, not 6", lambda: index.search(old[5]))
            self.refuses(vidx.VectorError, "expected 3 dimensions, not 6", lambda: index.search_batch(old))
            for where in ("rowid < 50", "rowid < 51"):
                self.refuses(vidx.VectorError, "expected 3 dimensions, not 6",
                             lambda: index.search(old[5], where=where))
                self.assertEqual(index.search(new[7], k=1, where=where)[0].tolist(), [7])
            self.assertEqual(fixed.search(old[5], k=1, model="a")[0].tolist(), [5])
            fixed.refresh()
            self.assertEqual(fixed.search(new[5], k=1, model="b")[0].tolist(), [5])


if __name__ == "__main__":
    unittest.main()
