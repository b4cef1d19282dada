"""The queries of docs/POSTGRESQL.md, read from the page, and parameters for them: filters from a few rows to many."""

import functools
import os
import re

import numpy as np

import turns

HERE = os.path.dirname(os.path.abspath(__file__))
K = 10
LONG_AGO, FAR_OFF = "2000-01-01 00:00:00", "2100-01-01 00:00:00"


def sections():
    """The page's, from their headings on."""
    with open(os.path.join(HERE, "..", "..", "docs", "POSTGRESQL.md"), encoding="utf-8") as file:
        return re.split(r"^## ", file.read(), flags=re.M)


def filter_columns():
    """-> the statements that make indexes with filter columns, and by letter the queries that use them."""
    (section,) = [section for section in sections() if section.startswith("Filter columns")]
    making, *asking = re.findall(r"```sql\n(.*?)```", section, re.S)
    return making, dict(zip("bce", asking, strict=True))


@functools.cache
def shapes():
    """By letter: PostgreSQL's, filter first, the stream, and the command."""
    found = {}
    for section in sections():
        letter = re.match(r"\(([a-z])\) ", section)
        if letter:
            texts = re.findall(r"```sql\n(.*?)```", section, re.S)
            (command,) = re.findall(r"```sh\n(.*?)```", section, re.S)
            found[letter[1]] = (*texts, command)
    return found


def for_postgres(sql):
    """:name as psycopg writes it."""
    return re.sub(r"(?<!:):([a-z]\w*)", r"%(\1)s", sql.replace("%", "%%"))


def for_indexes(text, suffix):
    """Over the indexes whose names end so."""
    return re.sub(r"\b(message|execution|memory)_vectors\b", rf"\1_vectors{suffix}", text)


def exactly(sql):
    """The query with every search in it exact."""
    return re.sub(r"(\bv\.)?vector MATCH", r"\1exact = 1 AND \1vector MATCH", sql)


def vectors(database, data, count, seed):
    """Half of them queries of the data (of the packages: questions people ask), half messages' own vectors: those of
    stock phrases, which many rows share.
    - database: SQLite's. data: the folder the turns are from, None for the packages."""
    generator = np.random.default_rng(seed)
    asked = np.load(os.path.join(data or turns.PACKAGES, "queries.npy"))
    own = [blob for (blob,) in database.execute(
        "SELECT embedding FROM messages WHERE embedding IS NOT NULL GROUP BY embedding "
        "ORDER BY count(*) DESC, min(id) LIMIT 40")]
    some = [asked[row] for row in generator.choice(len(asked), count - count // 2, replace=False)]
    return some + [np.frombuffer(own[row], dtype=np.float32)
                   for row in generator.choice(len(own), count // 2, replace=False)]


def parameters(letter, database, data, count=40, seed=23):
    """That many sets for one shape, of filters that yield a few rows to many, some of them far from the query."""
    def column(sql):
        return [row[0] for row in database.execute(sql)]
    domains = column("SELECT expertise_domain FROM phase_1_conversations GROUP BY 1 ORDER BY count(*) DESC, 1")[:20]
    users = column("SELECT user_id FROM phase_4_production GROUP BY 1 ORDER BY count(*) DESC, 1")
    owners = column("SELECT user_id FROM memories GROUP BY 1 ORDER BY count(*) DESC, 1")
    (last,) = column("SELECT max(id) FROM executions")
    for number, q in enumerate(vectors(database, data, count, seed)):
        if letter == "a":
            yield {"q": q, "domain": domains[number % len(domains)], "signal": 0.5 - number % 3 / 4, "within": 0.7}
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
