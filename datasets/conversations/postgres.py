"""Copies a database that make.py made into PostgreSQL, row by row as it is, by COPY in binary form.

    with psycopg.connect(...) as connection: postgres.copy("app.db", connection)
"""

import datetime
import os
import sqlite3
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))


def vector(blob):
    """32-bit floats, little-endian, to pgvector's wire form: dimensions, two bytes unused, floats big-endian."""
    floats = memoryview(blob).cast("f")
    swapped = bytearray(blob)
    for byte in range(4):
        swapped[byte::4] = blob[3 - byte :: 4]
    return len(floats).to_bytes(2, "big") + b"\0\0" + bytes(swapped)


# By the column's type in PostgreSQL: the type to send it as, and the value from SQLite's.
FORMS = {
    "boolean": ("bool", bool),
    "bigint": ("int8", int),
    "integer": ("int4", int),
    "double precision": ("float8", float),
    "text": ("text", str),
    "uuid": ("uuid", uuid.UUID),
    "timestamp without time zone": ("timestamp", datetime.datetime.fromisoformat),
    "jsonb": ("bytea", lambda text: b"\x01" + text.encode()),
    "USER-DEFINED": ("bytea", vector),
}


def copy(path, connection):
    """Makes the tables of schema.postgres.sql in an empty database and fills them. -> rows by table."""
    with open(os.path.join(HERE, "schema.postgres.sql"), encoding="utf-8") as file:
        connection.execute(file.read())
    tables = [name for (name,) in connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY oid")]
    source = sqlite3.connect(path)
    counts = {table: copy_table(table, source, connection) for table in tables}
    source.close()
    connection.execute("ANALYZE")
    return counts


def copy_table(table, source, connection):
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' "
        "AND table_name = %s ORDER BY ordinal_position", (table,)).fetchall()
    names = ", ".join(name for name, _ in columns)
    forms = [FORMS[kind][1] for _, kind in columns]
    count = 0
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT binary)") as out:
        out.set_types([FORMS[kind][0] for _, kind in columns])
        for row in source.execute(f"SELECT {names} FROM {table} ORDER BY id"):
            out.write_row([None if value is None else form(value) for form, value in zip(forms, row)])
            count += 1
    return count
