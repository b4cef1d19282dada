"""What the harness asks of an engine: one file a peer in this folder, each with a class `Peer` made from Engine."""

import importlib.metadata
from dataclasses import dataclass, field


class Refused(Exception):
    """The library cannot do what a configuration asks for; the message says why. Reported, and not a failure."""


@dataclass(frozen=True)
class Shape:
    """What there is to index. `metric` is euclidean, or cosine: then all vectors have length 1, and the inner product
    ranks alike."""

    rows: int
    dimensions: int
    metric: str

    @property
    def cosine(self):
        return self.metric == "cosine"

    def lists(self, factor=4):
        """factor * sqrt(rows), rounded to a power of two."""
        return 2 ** max(3, round((factor * self.rows**0.5)).bit_length() - 1)


@dataclass(frozen=True)
class Configuration:
    """One way to build an index, and the settings to search it with, fastest first."""

    name: str
    build: dict = field(default_factory=dict)
    sweep: tuple = ({},)
    # Left out of --quick runs.
    slow: bool = False


def sweep(name, values, **fixed):
    """A sweep over one parameter."""
    return tuple({name: value, **fixed} for value in values)


# Keys of filtered settings beside `mode`: a mode that is measured at the settings that another mode needs; settings of
# which all are measured.
LIKE, ALL = "like", "all"


def modes(names, settings, **more):
    """The settings in each mode."""
    return tuple({**setting, **more, "mode": name} for name in names for setting in settings)


EF = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640)


class Engine:
    name = ""
    # Distributions on PyPI; the first is the engine's version.
    distributions = ()
    # A scratch folder of this process, set before start().
    folder = None

    def start(self):
        """Imports the library. Memory is counted from here."""

    def version(self):
        return importlib.metadata.version(self.distributions[0])

    def configurations(self, shape):
        raise NotImplementedError

    def build(self, base, shape, configuration, threads):
        """Indexes `base`, a read-only (rows, dimensions) float32 array; row numbers are the ids. Timed as a whole."""
        raise NotImplementedError

    def opened(self):
        """After the build, untimed: close and open again where that is how the engine is used."""

    def use(self, setting):
        """Takes a setting of the sweep. Untimed."""

    def arguments(self, queries, k):
        """The queries in the form the binding takes, one element a call. Untimed."""
        return list(queries)

    def search(self, query, k):
        """One element of arguments() to an answer that ids() reads. The only timed call."""
        raise NotImplementedError

    def ids(self, answer):
        """Row numbers from search()'s answer. Untimed."""
        return answer

    def batch(self, queries, k, threads):
        """All queries in one call, as (queries, k) row numbers."""
        raise Refused(f"{self.name} has no call for many queries here")

    # Filtered searches (filters.py): the Columns of the rows, given before build(). None without filters.
    columns = None

    def filtered_configurations(self, shape):
        """As configurations(), to be searched with filters. A setting may have a `mode`: settings of one mode are a
        sweep by themselves, fastest first, over one index."""
        raise Refused(f"{self.name} cannot filter")

    def prepared(self, one):
        """A Filter in the form searches take, made outside the clock: what an application can keep."""
        raise NotImplementedError

    def filtered_arguments(self, queries, k, filters):
        """As arguments(), with a filter for each query."""
        ready = {one: self.prepared(one) for one in set(filters)}
        return [(argument, ready[one]) for argument, one in zip(self.arguments(queries, k), filters)]

    def filtered_search(self, asked, k):
        """As search(), on an element of filtered_arguments(). The only timed call."""
        raise NotImplementedError

    def told(self):
        """What the last search says of itself: plan, rows_scored, rows_yielded, distance_computations."""
        return {}

    def processes(self):
        """Ids of further processes that hold the index (a server's)."""
        return []

    def close(self):
        pass
