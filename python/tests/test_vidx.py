"""The Python package: what comes back, what is refused, what other processes and threads may do meanwhile."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy

import vidx

METRICS = {
    "cosine": lambda v, q: 1 - v @ q / numpy.linalg.norm(v, axis=1) / numpy.linalg.norm(q),
    "l2": lambda v, q: numpy.linalg.norm(v - q, axis=1),
    "ip": lambda v, q: -(v @ q),
    "l1": lambda v, q: numpy.abs(v - q).sum(axis=1),
}


def random_vectors(count, dimensions, seed=1):
    return numpy.random.default_rng(seed).standard_normal((count, dimensions)).astype(numpy.float32)


class TestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "app.db")

    def open(self, *args, **options):
        index = vidx.open(self.path, *args, **options)
        self.addCleanup(index.close)
        return index

    def connect(self):
        connection = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(connection.close)
        vidx.load(connection)
        return connection

    def refuses(self, error, words, call):
        with self.assertRaises(error) as caught:
            call()
        self.assertIsInstance(caught.exception, vidx.Error)
        self.assertIn(words, str(caught.exception))


class SearchTests(TestCase):
    def test_finds_what_numpy_finds(self):
        vectors, queries = random_vectors(600, 24), random_vectors(20, 24, seed=2)
        for metric, distance in METRICS.items():
            for kind in ("flat", "ivfflat", "hnsw"):
                with self.subTest(metric=metric, type=kind):
                    name = f"{metric}_{kind}"
                    vidx.build(vectors, self.path, metric=metric, type=kind, name=name)
                    index = self.open(name)
                    for query in queries:
                        expected = distance(vectors.astype(float), query.astype(float))
                        nearest = numpy.argsort(expected)[:7]
                        ids, distances = index.search(query, k=7, exact=True)
                        self.assertEqual(ids.tolist(), nearest.tolist())
                        aimed = index.search(query, k=7, target_recall=1)
                        self.assertEqual(aimed[0].tolist(), nearest.tolist())
                        numpy.testing.assert_allclose(distances, expected[nearest], rtol=1e-4, atol=1e-5)
                    self.assertEqual((ids.dtype, distances.dtype), (numpy.int64, numpy.float32))

    def test_a_batch_answers_as_single_searches_do(self):
        vectors, queries = random_vectors(3000, 16), random_vectors(50, 16, seed=2)
        for kind, settings in [("hnsw", {"ef_search": 30}), ("ivfflat", {"probes": 2}), ("flat", {})]:
            vidx.build(vectors, self.path, type=kind, name=kind)
            index = self.open(kind)
            for threads in (0, 1, 3):
                ids, distances = index.search_batch(queries, k=5, threads=threads, **settings)
                self.assertEqual((ids.shape, distances.shape), ((50, 5), (50, 5)))
                for i, query in enumerate(queries):
                    one = index.search(query, k=5, **settings)
                    self.assertEqual(ids[i].tolist(), one[0].tolist())
                    self.assertEqual(distances[i].tolist(), one[1].tolist())

    def test_settings_matter(self):
        vectors, queries = random_vectors(4000, 32), random_vectors(60, 32, seed=2)
        for kind, low, high in [("hnsw", {"ef_search": 10}, {"ef_search": 400}),
                                ("ivfflat", {"probes": 1}, {"probes": 60})]:
            options = {"lists": 64} if kind == "ivfflat" else {"m": 8, "ef_construction": 40}
            vidx.build(vectors, self.path, type=kind, name=kind, **options)
            index = self.open(kind)
            truth = index.search_batch(queries, exact=True)[0]
            recalls = [numpy.mean([len(set(a) & set(b)) for a, b in zip(truth, index.search_batch(queries, **s)[0])])
                       for s in (low, high)]
            self.assertGreater(recalls[1], 9.5)
            self.assertLess(recalls[0], recalls[1])

    def test_answers_as_sql_does(self):
        vectors, queries = random_vectors(2000, 20), random_vectors(10, 20, seed=2)
        vidx.build(vectors, self.path)
        index, connection = self.open(), self.connect()
        sql = "SELECT rowid, distance FROM vectors WHERE vector MATCH ? AND k = 10 AND ef_search = 50"
        for query in queries:
            ids, distances = index.search(query, k=10, ef_search=50)
            self.assertEqual(list(zip(ids.tolist(), distances.tolist())), connection.execute(sql, (query,)).fetchall())

    def test_takes_any_array_of_numbers(self):
        vectors = random_vectors(100, 12)
        wide = numpy.zeros((100, 24), dtype=numpy.float32)
        wide[:, ::2] = vectors
        forms = {"f64": vectors.astype(float), "fortran": numpy.asfortranarray(vectors), "strided": wide[:, ::2],
                 "list": vectors.tolist(), "swapped": vectors.astype(">f4")}
        for name, form in forms.items():
            vidx.build(form, self.path, type="flat", name=name)
            index = self.open(name)
            for query in (vectors[5], form[5], list(form[5])):
                ids, distances = index.search(query, k=1)
                self.assertEqual(ids.tolist(), [5])
                self.assertLess(distances[0], 1e-6)
            self.assertEqual(index.search_batch(form, k=1)[0].ravel().tolist(), list(range(100)))
        read_only = vectors.copy()
        read_only.flags.writeable = False
        self.assertEqual(index.search(read_only[3], k=1)[0].tolist(), [3])

    def test_fewer_rows_than_asked_for(self):
        vidx.build(numpy.eye(3), self.path, metric="l2", ids=[7, 5, 6])
        index = self.open()
        ids, distances = index.search([1, 0, 0], k=5)
        self.assertEqual(ids.tolist(), [7, 5, 6])
        self.assertEqual(distances.tolist()[0], 0)
        ids, distances = index.search_batch([[1, 0, 0], [0, 0, 1]], k=5)
        self.assertEqual(ids.tolist(), [[7, 5, 6, -1, -1], [6, 5, 7, -1, -1]])
        self.assertTrue(numpy.isinf(distances[:, 3:]).all() and numpy.isfinite(distances[:, :3]).all())

    def test_an_empty_index_and_an_empty_batch(self):
        vidx.build(numpy.empty((0, 4)), self.path)
        index = self.open()
        self.assertEqual((len(index), index.dimensions), (0, 4))
        ids, distances = index.search([1, 2, 3, 4])
        self.assertEqual((ids.size, distances.size), (0, 0))
        self.assertEqual(index.search_batch([[1, 2, 3, 4]], k=2)[0].tolist(), [[-1, -1]])
        self.assertEqual(index.search_batch(numpy.empty((0, 4)), k=2)[0].shape, (0, 2))


class ErrorTests(TestCase):
    def test_queries(self):
        vidx.build(random_vectors(50, 8), self.path)
        index = self.open()
        good = random_vectors(1, 8)[0]
        self.refuses(vidx.VectorError, "expected 8 dimensions, not 7", lambda: index.search(good[:7]))
        torn = numpy.where(numpy.arange(8) == 3, numpy.nan, good)
        self.refuses(vidx.VectorError, "component 3 ", lambda: index.search(torn))
        self.refuses(vidx.VectorError, "zero vector", lambda: index.search(good * 0))
        self.refuses(vidx.VectorError, "one vector", lambda: index.search([good, good]))
        self.refuses(vidx.VectorError, "not complex", lambda: index.search(good + 1j))
        self.refuses(vidx.VectorError, "one in each row", lambda: index.search_batch(good))
        bad = numpy.array([good] * 40)
        bad[33, 2] = numpy.inf
        self.refuses(vidx.VectorError, "query 33 (counted from 0): component 2 ", lambda: index.search_batch(bad))
        for name in ("k", "ef_search", "probes"):
            self.refuses(vidx.ArgumentError, f"{name} is 0", lambda: index.search(good, **{name: 0}))
            self.refuses(ValueError, f"{name} is 3000000", lambda: index.search(good, **{name: 3_000_000}))
        for share in (0, -0.5, 1.5):
            self.refuses(vidx.ArgumentError, f"target_recall is {share}; give a number above 0, and at most 1",
                         lambda: index.search(good, target_recall=share))
        self.refuses(vidx.ArgumentError, "threads", lambda: index.search_batch([good], threads=-1))
        for call in (lambda: index.search(), lambda: index.search(good, 5, 5), lambda: index.search(good, 5, k=5),
                     lambda: index.search(good, threads=2), lambda: index.search(good, k="ten"),
                     lambda: index.search(good, k=2.5), lambda: index.search_batch([good], threads="2")):
            self.assertRaises(TypeError, call)

    def test_opening(self):
        self.refuses(vidx.NotFoundError, "unable to open", lambda: vidx.open(self.path))
        self.assertFalse(os.path.exists(self.path))
        vidx.build(random_vectors(5, 4), self.path)
        self.refuses(vidx.NotFoundError, f"no vidx index others in {self.path}: there are vectors",
                     lambda: vidx.open(self.path, "others"))
        sqlite3.connect(self.path + "2").executescript("CREATE TABLE t(x)").connection.close()
        self.refuses(vidx.NotFoundError, "there is none in it", lambda: vidx.open(self.path + "2"))
        text = self.path + ".txt"
        with open(text, "w") as file:
            file.write("no database " * 100)
        self.refuses(vidx.CorruptError, "not an SQLite database", lambda: vidx.open(text))

    def test_building(self):
        vectors = random_vectors(30, 6)
        bad = vectors.copy()
        bad[17, 1] = numpy.nan
        for error, words, options in [
            (vidx.VectorError, "row 17 ", {"vectors": bad}),
            (vidx.VectorError, "one in each row", {"vectors": vectors[0]}),
            (vidx.ArgumentError, "ids", {"ids": [1, 2]}),
            (vidx.ArgumentError, "whole numbers", {"ids": numpy.arange(30) + 0.5}),
            (vidx.ArgumentError, "occur more than once", {"ids": [1] * 30}),
            (vidx.ArgumentError, "metric cannot be 'angular'", {"metric": "angular"}),
            (vidx.ArgumentError, "type cannot be 'ivf' (did you mean 'ivfflat'?)", {"type": "ivf"}),
            (vidx.ArgumentError, "codec cannot be 'zip': known are auto, ", {"codec": "zip"}),
            (vidx.ArgumentError, "m must be between", {"m": 1}),
            (vidx.ArgumentError, "'list' (did you mean 'lists'?): known are m, ef_construction, lists, seed",
             {"list": 3}),
            (vidx.ArgumentError, "option 'lists' is for type='ivfflat'", {"lists": 3}),
            (vidx.ArgumentError, "option 'm' is for type='hnsw'", {"type": "flat", "m": 8}),
            (vidx.ArgumentError, "unknown option 'content'", {"content": "t", "column": "c"}),
            (vidx.ArgumentError, "unknown option 'index'", {"index": "flat"}),
            (vidx.ArgumentError, "name is empty", {"name": ""}),
            (vidx.ArgumentError, "name cannot be 'k'", {"name": "k"}),
            (vidx.ArgumentError, "id 9223372036854775808 is too large",
             {"ids": numpy.arange(30, dtype=numpy.uint64) + numpy.uint64(2**63 - 5)}),
            (vidx.VectorError, "not complex", {"vectors": vectors * 1j}),
        ]:
            arguments = {"vectors": vectors, "path": self.path} | options
            self.refuses(error, words, lambda: vidx.build(**arguments))
            self.assertEqual(os.listdir(os.path.dirname(self.path)), [], "a build that failed leaves nothing")
        vidx.build(vectors, self.path)
        self.refuses(vidx.ExistsError, "choose another name", lambda: vidx.build(vectors, self.path))
        self.refuses(vidx.NotFoundError, "path", lambda: vidx.build(vectors, self.path + "/no/app.db"))
        vidx.build(vectors, self.path, type="FLAT", metric="L2", codec="F32", name="capitals", seed=3, m=None)
        self.assertEqual(self.open("capitals").info()["type"], "flat")

    def test_a_closed_index(self):
        vidx.build(numpy.eye(4), self.path)
        with vidx.open(self.path) as index:
            self.assertFalse(index.closed)
        self.assertTrue(index.closed)
        index.close()
        for call in (lambda: index.search([1, 0, 0, 0]), lambda: index.search_batch([[1, 0, 0, 0]]), index.info,
                     index.refresh, lambda: index.dimensions):
            self.refuses(vidx.ArgumentError, "closed", call)

    def test_a_damaged_file(self):
        vidx.build(random_vectors(2000, 16), self.path)
        segment, = os.listdir(self.path + "-vidx")
        with open(os.path.join(self.path + "-vidx", segment), "r+b") as file:
            file.seek(20_000)
            file.write(b"\xff" * 60_000)
        self.refuses(vidx.CorruptError, segment, lambda: self.open().search_batch(random_vectors(50, 16), exact=True))

    def test_a_build_can_be_interrupted(self):
        class Interrupted(Exception):
            pass

        def interrupt(*unused):
            raise Interrupted

        previous = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)
        # Whoever started this process may have blocked it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        vectors = random_vectors(20_000, 64)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with self.assertRaises(Interrupted):
            vidx.build(vectors, self.path, m=64, ef_construction=600, threads=1)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])


class StateTests(TestCase):
    def test_ids(self):
        vidx.build(random_vectors(10, 4), self.path, name="numbered")
        self.assertEqual(sorted(self.open("numbered").search([1, 0, 0, 0])[0].tolist()), list(range(10)))
        ids = [2**40, -3, 0, 7]
        vidx.build(numpy.eye(4), self.path, ids=numpy.array(ids, dtype=numpy.int64)[::-1][::-1], name="given")
        self.assertEqual([self.open("given").search(v, k=1)[0][0] for v in numpy.eye(4)], ids)

    def test_info(self):
        vidx.build(random_vectors(100, 5), self.path, metric="l2", codec="int8", m=6, ef_construction=30, seed=9,
                   name='a "b"')
        index = self.open('a "b"')
        info = index.info()
        (segment,) = info.pop("segments")
        self.assertEqual((segment["rows"], segment["codec"]), (100, "int8"))
        self.assertTrue(5 <= segment["code_bytes"] <= 5 + 64)
        self.assertEqual(info, {"name": 'a "b"', "path": self.path, "dimensions": 5, "metric": "l2", "type": "hnsw",
                                "codec": "int8", "model": None, "m": 6, "ef_construction": 30, "seed": 9, "rows": 100,
                                "delta_rows": 0, "deleted_rows": 0, "settings": {}})
        connection = self.connect()
        connection.execute('DELETE FROM "a ""b""" WHERE rowid < 3')
        connection.execute('INSERT INTO "a ""b"""(vector) VALUES (?)', (numpy.ones(5, dtype=numpy.float32),))
        info = index.info()
        self.assertEqual((info["rows"], info["delta_rows"], info["deleted_rows"], len(index)), (98, 1, 3, 98))

    def test_commits_are_seen_at_once(self):
        for mode in ("delete", "wal"):
            with self.subTest(mode=mode):
                vidx.build(random_vectors(500, 4), self.path, metric="l2", name=mode)
                connection = self.connect()
                connection.execute(f"PRAGMA journal_mode = {mode}")
                index, fixed = self.open(mode), self.open(mode, snapshot=True)
                here = numpy.array([9, 9, 9, 9], dtype=numpy.float32)
                before = fixed.search(here, k=2)[0].tolist()
                for i in range(1000, 1040):
                    connection.execute(f'INSERT INTO "{mode}"(rowid, vector) VALUES (?, ?)', (i, here))
                    self.assertEqual(index.search(here, k=1, exact=i % 2)[0].tolist(), [i])
                    if i % 10 == 5:
                        connection.execute(f"""INSERT INTO "{mode}"("{mode}") VALUES ('optimize')""")
                        self.assertEqual(index.search(here, k=1)[0].tolist(), [i])
                    connection.execute("BEGIN")
                    connection.execute(f'DELETE FROM "{mode}" WHERE rowid = ?', (i,))
                    self.assertEqual(index.search(here, k=1)[0].tolist(), [i], "not committed")
                    connection.execute("ROLLBACK" if i % 3 == 0 else "COMMIT")
                    self.assertEqual(i in index.search(here, k=1)[0], i % 3 == 0)
                    connection.execute(f'DELETE FROM "{mode}" WHERE rowid = ?', (i,))
                self.assertEqual(fixed.search(here, k=2)[0].tolist(), before)
                connection.execute(f'INSERT INTO "{mode}"(rowid, vector) VALUES (77777, ?)', (here,))
                fixed.refresh()
                self.assertEqual(fixed.search(here, k=1)[0].tolist(), [77777])

    def test_a_snapshot_tells_what_it_holds(self):
        vidx.build(random_vectors(20, 4), self.path)
        for mode in ("delete", "wal"):
            with self.subTest(mode=mode):
                connection = self.connect()
                connection.execute(f"PRAGMA journal_mode = {mode}")
                index, fixed = self.open(), self.open(snapshot=True)
                before = fixed.info()
                self.assertEqual(before, index.info())
                connection.execute("INSERT INTO vectors(vector) VALUES ('[1,2,3,4]')")
                self.assertEqual((fixed.info(), len(fixed)), (before, before["rows"]))
                self.assertEqual(len(index), before["rows"] + 1)
                connection.execute("INSERT INTO vectors(vectors) VALUES ('optimize')")
                self.assertEqual(fixed.info(), before)
                fixed.refresh()
                self.assertEqual(fixed.info(), index.info())
                self.assertNotEqual(fixed.info()["segments"], before["segments"])

    def test_commits_of_other_processes_are_seen(self):
        vidx.build(random_vectors(500, 4), self.path, metric="l2")
        script = """if True:
            import sqlite3, sys, numpy, vidx
            connection = sqlite3.connect(sys.argv[1], isolation_level=None)
            vidx.load(connection)
            for line in sys.stdin:
                connection.execute(line, (numpy.full(4, 9, dtype=numpy.float32),))
                print("done", flush=True)
            """
        with subprocess.Popen([sys.executable, "-c", script, self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as other:
            def run(sql):
                print(sql, file=other.stdin, flush=True)
                self.assertEqual(other.stdout.readline(), "done\n")

            index = self.open()
            for i in range(1000, 1010):
                run(f"INSERT INTO vectors(rowid, vector) VALUES ({i}, ?1)")
                self.assertEqual(index.search([9, 9, 9, 9], k=1)[0].tolist(), [i])
                self.assertEqual(index.search_batch([[9, 9, 9, 9]], k=1)[0].tolist(), [[i]])
                run(f"DELETE FROM vectors WHERE rowid = {i} AND ?1 IS NOT NULL")
                self.assertNotEqual(index.search([9, 9, 9, 9], k=1)[0].tolist(), [i])
            other.stdin.close()

    def test_an_index_that_is_dropped_and_made_again(self):
        vidx.build(numpy.eye(4), self.path)
        index, connection = self.open(), self.connect()
        self.assertEqual(index.search([1, 0, 0, 0], k=1)[0].tolist(), [0])
        connection.execute("DROP TABLE vectors")
        self.refuses(vidx.NotFoundError, "no vidx index vectors", lambda: index.search([1, 0, 0, 0]))
        vidx.build(numpy.eye(4)[::-1], self.path, metric="l1")
        self.assertEqual(index.search([1, 0, 0, 0], k=1)[0].tolist(), [3])
        connection.execute("DROP TABLE vectors")
        vidx.build(numpy.eye(5), self.path)
        self.refuses(vidx.VectorError, "expected 5 dimensions, not 4", lambda: index.search([1, 0, 0, 0]))

    def test_load(self):
        connection = sqlite3.connect(":memory:")
        self.addCleanup(connection.close)
        vidx.load(connection)
        self.assertEqual(connection.execute("SELECT vidx_version()").fetchone(), (vidx.__version__,))
        with self.assertRaises(sqlite3.OperationalError):
            connection.execute("SELECT load_extension('x')")


class ThreadTests(TestCase):
    def test_the_interpreter_lock_is_released(self):
        vidx.build(random_vectors(20_000, 64), self.path, type="flat")
        index, queries = self.open(), random_vectors(20, 64, seed=2)
        # Nobody is asked to give the lock up: the main thread runs only when a search lets it.
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1000)
        for search in (lambda: index.search(queries[0]), lambda: index.search_batch(queries, threads=1)):
            started, ran, finished = threading.Event(), [], []

            def work():
                started.set()
                for _ in range(3000):
                    search()
                    if ran:
                        return
                finished.append(True)

            thread = threading.Thread(target=work)
            thread.start()
            started.wait()
            self.assertEqual(finished, [], "the thread kept the lock to its end")
            ran.append(True)
            thread.join()

    def test_threads_search_while_others_write_and_one_closes(self):
        vectors = random_vectors(3000, 8)
        vidx.build(vectors, self.path, metric="l2")
        index, connection = self.open(), self.connect()
        wrong, stop = [], threading.Event()

        def search(first):
            i = first
            try:
                while not stop.is_set():
                    i = (i + 7) % 3000
                    ids, distances = index.search(vectors[i], k=3, ef_search=80)
                    if ids[0] != i or (numpy.diff(distances) < 0).any():
                        wrong.append((i, ids, distances))
            except vidx.ArgumentError as error:
                if "closed" not in str(error):
                    wrong.append(error)

        threads = [threading.Thread(target=search, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for i in range(60):
            far = numpy.full(8, 50 + i, dtype=numpy.float32)
            connection.execute("INSERT INTO vectors(rowid, vector) VALUES (?, ?)", (10_000 + i, far))
            self.assertEqual(index.search(far, k=1)[0].tolist(), [10_000 + i])
            if i % 20 == 19:
                connection.execute("INSERT INTO vectors(vectors) VALUES ('optimize')")
        index.close()
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


@unittest.skipUnless(shutil.which("cc"), "needs a C compiler")
class OtherLibraryTests(unittest.TestCase):
    def importing(self, source):
        """What an import says of a library of this source."""
        with tempfile.TemporaryDirectory() as folder:
            library = os.path.join(folder, "libvidx.so")
            compiler = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library]
            subprocess.run(compiler, input=source, text=True, check=True)
            return subprocess.run([sys.executable, "-c", "import vidx"], env={**os.environ, "VIDX_LIBRARY": library},
                                  text=True, capture_output=True, check=False)

    def test_a_library_of_another_interface_is_refused(self):
        for source, number in (("int vidx_abi(void) { return 4711; }", 4711), ("int vidx_version;", 0)):
            outcome = self.importing(source)
            self.assertEqual(outcome.returncode, 1)
            self.assertIn("ImportError: ", outcome.stderr)
            self.assertIn(f"is a libvidx of interface {number}, and this package is for ", outcome.stderr)
            self.assertIn("make build", outcome.stderr)


if __name__ == "__main__":
    unittest.main()
