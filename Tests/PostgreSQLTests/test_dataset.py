"""datasets/conversations: the same arguments make the same rows, and what is said to be correlated is. Needs no
PostgreSQL."""

import json
import os
import re
import sqlite3
import tempfile
import unittest

import numpy

import both  # noqa: F401, finds the maker
import make


class DatasetTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.path = cls.made("whole.db")
        cls.database = sqlite3.connect(cls.path)
        cls.addClassCleanup(cls.database.close)

    @classmethod
    def made(cls, name, **options):
        path = os.path.join(cls.folder, name)
        make.make(path, **options)
        return path

    def rows(self, path):
        database = sqlite3.connect(path)
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' "
                                                       "AND name NOT LIKE 'sqlite%' ORDER BY name")]
        rows = {table: database.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in tables}
        database.close()
        return rows

    def test_the_seed_decides_every_row(self):
        first = self.rows(self.made("first.db", rows=800, seed=5))
        self.assertEqual(first, self.rows(self.made("again.db", rows=800, seed=5)))
        other = self.rows(self.made("other.db", rows=800, seed=6))
        self.assertTrue(all(first[table] != other[table] for table in first))
        self.assertEqual(len(first), 7)
        self.assertTrue(800 <= len(first["messages"]) < 815)

    def test_what_is_there_is_not_overwritten(self):
        with self.assertRaisesRegex(SystemExit, "there already"):
            make.make(self.path)

    def test_vectors_have_length_one_and_many_rows_share_one(self):
        blobs = [blob for (blob,) in self.database.execute("SELECT embedding FROM messages WHERE embedding NOT NULL")]
        vectors = numpy.frombuffer(b"".join(blobs), dtype=numpy.float32).reshape(len(blobs), 384)
        numpy.testing.assert_allclose(numpy.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        self.assertLess(len(set(blobs)), 0.9 * len(blobs))

    def test_columns_said_to_be_correlated_differ_by_cluster_and_others_do_not(self):
        """By the share of the variance that lies between clusters: with 64 clusters and 3,600 rows, 2 % by chance."""
        rows = self.database.execute(
            "SELECT json_extract(context_engineered, '$.cluster'), quality_score, unixepoch(created_at) FROM messages "
            "WHERE context_engineered NOT NULL AND quality_score NOT NULL").fetchall()
        cluster, quality, time = (numpy.array(column, dtype=float) for column in zip(*rows))

        def explained(values):
            means = {number: values[cluster == number].mean() for number in set(cluster)}
            return numpy.var([means[number] for number in cluster]) / numpy.var(values)
        self.assertGreater(explained(quality), 0.3)
        self.assertLess(explained(time), 0.1)

    def test_both_schemas_have_the_same_tables_columns_and_indexes(self):
        found = []
        for name in ("schema.sql", "schema.postgres.sql"):
            with open(os.path.join(make.HERE, name), encoding="utf-8") as file:
                text = file.read()
            tables = {table: re.findall(r"^  ([a-z_]+) ", body, re.M)
                      for table, body in re.findall(r"CREATE TABLE (\w+)\((.*?)^\);", text, re.S | re.M)}
            found.append((tables, re.findall(r"CREATE INDEX .*", text)))
        self.assertEqual(found[0], found[1])
        self.assertEqual(len(found[0][0]), 7)

    def test_every_domain_and_layer_is_there(self):
        (tags,) = self.database.execute("SELECT subject_tags FROM conversations WHERE id = 1").fetchone()
        self.assertIsInstance(json.loads(tags), list)
        (domains,) = self.database.execute(
            "SELECT count(DISTINCT expertise_domain) FROM phase_1_conversations").fetchone()
        (layers,) = self.database.execute("SELECT count(DISTINCT layer) FROM memories").fetchone()
        self.assertGreater(domains, 20)
        self.assertEqual(layers, 4)


if __name__ == "__main__":
    unittest.main()
