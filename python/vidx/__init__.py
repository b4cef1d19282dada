"""vidx: an embedded vector index over SQLite.

    import numpy, vidx

    vectors = numpy.random.rand(10_000, 384).astype(numpy.float32)
    vidx.build(vectors, "app.db")
    with vidx.open("app.db") as index:
        ids, distances = index.search(vectors[7], k=10)

An index is a table of an SQLite database file, its vectors in files beside it. `build` makes one from an array, `open`
searches it, `load` gives a connection of the sqlite3 module everything else: inserting, deleting, filtering by SQL.
"""

import difflib
import json
import os

import numpy

_TimeoutError = TimeoutError

try:
    # The library takes the SQLite that is in the process, and there should be one only.
    import sqlite3 as _sqlite3  # noqa: F401
except ImportError:
    pass

from . import _vidx

__all__ = ["build", "open", "load", "Index", "START", "Error", "ArgumentError", "BusyError", "CorruptError",
           "ExistsError", "ModelError", "NotFoundError", "StorageError", "TimeoutError", "VectorError", "__version__",
           "library_path"]


class Error(Exception):
    """Whatever goes wrong in vidx; the message says what to do."""


class NotFoundError(Error, LookupError):
    """There is no such file, it may not be opened, or it has no index of that name."""


class ExistsError(Error):
    """The name is taken, or a row id is there already."""


class ArgumentError(Error, ValueError):
    """An option or a number is none, or out of its range; or the index is closed."""


class TimeoutError(Error, _TimeoutError):
    """A condition was not evaluated in the time it was given."""


class VectorError(ArgumentError):
    """A vector has other dimensions than the index, NaN or infinity in it, or no direction where one is needed."""


class ModelError(ArgumentError):
    """The query is said to be of another embedding model than the vectors of the index, or the index names none."""


class BusyError(Error):
    """Another process keeps the database locked."""


class CorruptError(Error):
    """A file of the index is missing or damaged, or the file is no SQLite database."""


class StorageError(Error, OSError):
    """The disk is full, the database is read-only, or the system could not read or write."""

    def __str__(self):
        return str(self.args[0]) if self.args else ""


# Before the first row: search(after=START) gives the first page.
START = (float("-inf"), -(2**63))

# By code, in the order of vidx.h.
_ERRORS = (Error, Error, NotFoundError, NotFoundError, ExistsError, VectorError, ArgumentError, BusyError, CorruptError,
           StorageError, Error, TimeoutError, ModelError)


def _find_library():
    """VIDX_LIBRARY names it; otherwise it is in the package, or, in a checkout, where `make build` leaves it."""
    named = os.environ.get("VIDX_LIBRARY")
    if named:
        return os.path.abspath(named)
    package = os.path.dirname(os.path.abspath(__file__))
    folders = [package, os.path.join(package, "..", "..", ".build", "release")]
    for folder in folders:
        for name in ("libvidx.so", "libvidx.dylib"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                return os.path.normpath(path)
    raise ImportError("libvidx is neither in " + " nor in ".join(map(os.path.normpath, folders))
                      + ": run make build, or name the library in VIDX_LIBRARY")


def _floats(array, rank):
    """An array that the library can read as it is: float32 in C order."""
    given = numpy.asarray(array)
    if given.dtype.kind == "c":
        raise VectorError(f"vectors must be of real numbers, not {given.dtype}")
    floats = numpy.ascontiguousarray(given, dtype=numpy.float32)
    if floats.ndim != rank:
        wanted = "one vector" if rank == 1 else "an array of vectors, one in each row"
        raise VectorError(f"expected {wanted}, not an array of shape {floats.shape}")
    return floats


def _filter_ids(ids):
    """The ids of a filter as the library takes them."""
    given = numpy.asarray(ids)
    if given.dtype.kind not in "iu" and given.size:
        raise ArgumentError(f"ids must be whole numbers, not {given.dtype}")
    if given.dtype.kind == "u":
        given = given[given <= numpy.iinfo(numpy.int64).max]
    if given.ndim != 1:
        raise ArgumentError(f"ids must be one list, not an array of shape {given.shape}")
    return numpy.ascontiguousarray(given, dtype=numpy.int64)


# The tests of filter columns by their codes, in the order of vidx.h, and how many values each has.
_TESTS = {"=": ("a", 1), "<>": ("b", 1), "!=": ("b", 1), "<": ("c", 1), "<=": ("d", 1), ">": ("e", 1), ">=": ("f", 1),
          "between": ("g", 2), "is null": ("h", 0), "is not null": ("i", 0)}


def _test(name, wanted):
    """The code and the values of one item of a search's `filter`."""
    if wanted is None:
        return "h", ()
    if isinstance(wanted, numpy.generic):
        wanted = wanted.item()
    if isinstance(wanted, (int, float, str, bytes)):
        return "a", (wanted,)
    if isinstance(wanted, range) and wanted.step == 1:
        return ("g", (wanted.start, wanted.stop - 1)) if wanted else ("a", ())
    values = tuple(wanted.tolist() if isinstance(wanted, numpy.ndarray) else wanted)
    values = tuple(value.item() if isinstance(value, numpy.generic) else value for value in values)
    if isinstance(wanted, tuple) and values and isinstance(values[0], str) and values[0].lower() in _TESTS:
        code, count = _TESTS[values[0].lower()]
        if len(values) != count + 1:
            raise ArgumentError(f"filter[{name!r}] is {wanted!r}; {values[0]!r} has {count} values")
        return code, values[1:]
    return "a", values


def _tests(filter):
    """What the library takes for a search's `filter`: a text of the tests, and all their values."""
    if not isinstance(filter, dict) or not filter:
        raise ArgumentError("filter must be a dict of filter columns and what is wanted in them, as in {'label': 3}")
    if len(filter) > 64:
        raise ArgumentError(f"filter has {len(filter)} items; an index has at most 64 filter columns")
    text, values = "\2", ()
    for name, wanted in filter.items():
        if not isinstance(name, str) or any(mark in name for mark in "\0\3\x1f"):
            raise ArgumentError(f"filter cannot have {name!r}: give the name of a filter column")
        code, own = _test(name, wanted)
        text += f"{code}{len(own)} {name}\x1f"
        values += own
    return text, values


def _filter_column(name, values, count):
    """A filter column as the library takes it: its name, its values, and of which form they are."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise ArgumentError(f"a filter column cannot be called {name!r}: give it a name")
    if len(values) != count:
        raise ArgumentError(f"filters[{name!r}] has {len(values)} values for {count} vectors: give one for each")
    if isinstance(values, numpy.ndarray):
        if values.ndim != 1:
            raise ArgumentError(f"filters[{name!r}] has {values.ndim} dimensions: give one value for each vector")
        if values.dtype.kind in "iub" and (values.dtype != numpy.uint64 or not (values >> 63).any()):
            return name.encode(), numpy.ascontiguousarray(values, dtype=numpy.int64), "i"
        if values.dtype.kind == "f":
            return name.encode(), numpy.ascontiguousarray(values, dtype=numpy.float64), "f"
        values = values.tolist()
    return name.encode(), list(values), "v"


library_path = _find_library()
__version__ = _vidx._load(library_path, _ERRORS, numpy.empty, numpy.dtype(numpy.int64), numpy.dtype(numpy.float32),
                          _floats, _filter_ids, _tests)


class Index(_vidx.Index):
    """An index opened to be searched (`vidx.open`). Any number of threads may use it."""

    __slots__ = ("path", "name")

    def __new__(cls, path, name="vectors", snapshot=False):
        self = super().__new__(cls, path, name, snapshot)
        self.path = os.fspath(path)
        self.name = name
        return self

    def info(self):
        """What the index is and holds: a dict of its name, path, dimensions, metric, type and parameters, codec (as
        asked for), model (None where none is named), rows, segments (file, rows, bytes, codec, code_bytes: those of
        one vector's code), delta_rows, deleted_rows and settings (of maintenance, those that are set). All of the
        state that searches see."""
        return json.loads(self._info())

    def __len__(self):
        return self.info()["rows"]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def __repr__(self):
        return f"<vidx.Index {self.name!r} of {self.path!r}{', closed' if self.closed else ''}>"


_METRICS = ("cosine", "l2", "ip", "l1")
_CODECS = ("auto", "f32", "f16", "int8", "int4", "rabitq", "rabitq+2", "rabitq+4", "rabitq+6")
_OPTIONS_OF = {"hnsw": ("m", "ef_construction"), "ivfflat": ("lists",), "flat": ()}
_OPTIONS = ("m", "ef_construction", "lists", "seed")
# SQLite's names of the row id, and the columns of an index seen as a table.
_RESERVED = ("vector", "distance", "k", "ef_search", "probes", "target_recall", "exact", "plan",
             "after_distance", "after_rowid", "filter", "filter_parameters", "model", "rowid", "oid", "_rowid_")


def _check_word(problem, word, known):
    if str(word).lower() not in known:
        near = difflib.get_close_matches(str(word).lower(), known, 1)
        advice = f" (did you mean {near[0]!r}?)" if near else ""
        raise ArgumentError(f"{problem} {word!r}{advice}: known are {', '.join(known)}")


def _check_options(name, metric, type, codec, options):
    """What the library would refuse in the words of SQL is refused here in Python's."""
    if str(name).lower() in _RESERVED or str(name).lower().startswith("sqlite_"):
        raise ArgumentError(f"name cannot be {name!r}, which SQL needs for itself: choose another")
    _check_word("metric cannot be", metric, _METRICS)
    _check_word("type cannot be", type, tuple(_OPTIONS_OF))
    _check_word("codec cannot be", codec, _CODECS)
    for option, value in options.items():
        _check_word("unknown option", option, _OPTIONS)
        owner = next((kind for kind, own in _OPTIONS_OF.items() if option.lower() in own), None)
        if value is not None and owner not in (None, str(type).lower()):
            raise ArgumentError(f"option {option!r} is for type={owner!r}, and this is {type!r}: leave it out")


def _quoted_model(model):
    """The name of a model as SQL writes it."""
    if not isinstance(model, str) or not model or "\0" in model:
        raise ArgumentError(f"model is {model!r}; give the name of a model, or None")
    return "'" + model.replace("'", "''") + "'"


def _row_ids(ids, count):
    """The ids as the library takes them: int64, one for each vector."""
    given = numpy.asarray(ids)
    if given.dtype.kind not in "iu" and given.size:
        raise ArgumentError(f"ids must be whole numbers, not {given.dtype}")
    if given.dtype.kind == "u" and (too_large := given > numpy.iinfo(numpy.int64).max).any():
        raise ArgumentError(f"id {given[too_large][0]} is too large: ids are below 2**63")
    result = numpy.ascontiguousarray(given, dtype=numpy.int64)
    if result.shape != (count,):
        raise ArgumentError(f"{count} vectors need as many ids, not an array of shape {result.shape}")
    return result


def build(vectors, path, ids=None, metric="cosine", type="hnsw", codec="auto", threads=2, *, name="vectors",
          filters=None, model=None, **options):
    """Makes an index of vectors in the database file `path`, which is made when there is none. All or nothing.

    vectors   n x dimensions; float32 in C order is read where it lies, anything else is converted once
    ids       n distinct row ids (int64); None numbers them 0..n-1
    metric    "cosine", "l2", "ip" or "l1"
    type      "hnsw", "ivfflat" or "flat"
    codec     how vectors are held in memory while searching; "auto" leaves it to the library
    threads   0 for as many as there are processors; with 1 the same seed gives the same index
    name      of the index, which is a table of the database
    filters   filter columns, for search(filter=...): a dict of names and n values each, in arrays or lists; numbers,
              str, bytes, None
    model     the embedding model that the vectors are of, by any name: searches that name another are refused
    options   m, ef_construction (hnsw), lists (ivfflat), seed
    """
    _check_options(name, metric, type, codec, options)
    floats = _floats(vectors, 2)
    if ids is not None:
        ids = _row_ids(ids, len(floats))
    if threads < 0:
        raise ArgumentError(f"threads is {threads}; 0 is as many as there are processors")
    options.update(metric=metric, index=type)
    if codec != "auto":
        options["codec"] = codec
    if model is not None:
        options["model"] = _quoted_model(model)
    texts = tuple(f"{key}={value}".encode() for key, value in options.items() if value is not None)
    columns = tuple(_filter_column(column, values, len(floats)) for column, values in (filters or {}).items())
    if len(columns) > 64:
        raise ArgumentError(f"there are {len(columns)} filters; an index has at most 64")
    _vidx._build(path, name, floats, ids, texts, threads, columns)


def open(path, name="vectors", *, snapshot=False):
    """Opens an index of the database file `path` for searching.

    Each search sees what is committed when it begins. With snapshot=True searches see the index as it is now, until
    `index.refresh()`, and the database is not asked for anything.
    """
    return Index(path, name, snapshot)


def load(connection):
    """Loads vidx into a connection of the sqlite3 module, for SQL."""
    if not hasattr(connection, "enable_load_extension"):
        raise Error("the sqlite3 module of this Python is built without loadable extensions: use a Python that has "
                    "them (Debian's, python.org's, or one configured with --enable-loadable-sqlite-extensions)")
    connection.enable_load_extension(True)
    try:
        connection.load_extension(library_path)
    finally:
        connection.enable_load_extension(False)
