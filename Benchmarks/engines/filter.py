"""What filtered searches are filtered by: columns of the rows, three tables to join, and one filter on them.

    items(id, u, label, conversation)      a row each; the vectors belong to them
    conversations(id, tier)   phase_1(conversation, subject)   feedback(conversation, signal)
"""

from dataclasses import dataclass, fields

import numpy as np

# Of `u` (uniform, drawn for each row) and of `signal` (for each conversation): whole numbers below this.
GRAIN = 10_000
INDEXED = ("u", "label", "conversation")


@dataclass(frozen=True)
class Columns:
    """u, label and conversation have a value a row; tier, subject and signal one a conversation."""

    u: np.ndarray
    label: np.ndarray
    conversation: np.ndarray
    tier: np.ndarray
    subject: np.ndarray
    signal: np.ndarray

    @classmethod
    def load(cls, path):
        with np.load(path) as found:
            return cls(**{field.name: found[field.name] for field in fields(cls)})

    def save(self, path):
        np.savez(path, **self.__dict__)

    def items(self):
        return zip(range(len(self.u)), self.u.tolist(), self.label.tolist(), self.conversation.tolist())

    def tables(self):
        """The joined tables: name, columns, rows."""
        for name, column in (("conversations", "tier"), ("phase_1", "subject"), ("feedback", "signal")):
            key = "id" if name == "conversations" else "conversation"
            yield name, (key, column), list(enumerate(getattr(self, column).tolist()))

    def statements(self, items="items", extra=""):
        """SQL that makes the tables with the indexes that such queries want, and SQL that fills them."""
        made = [f"CREATE TABLE {items}(id INTEGER PRIMARY KEY, u INTEGER, label INTEGER, conversation INTEGER{extra})"]
        for name, (key, column), _ in self.tables():
            made.append(f"CREATE TABLE {name}({key} INTEGER PRIMARY KEY, {column} INTEGER)")
        return made

    def indexes(self, items="items"):
        wanted = [(items, column) for column in INDEXED] + [(name, names[1]) for name, names, _ in self.tables()]
        return [f"CREATE INDEX {table}_{column} ON {table}({column})" for table, column in wanted]


@dataclass(frozen=True)
class Filter:
    """low <= column < high; or, with `join`, the items of conversations of a tier, a subject and at least a signal,
    which four tables know."""

    column: str = ""
    low: int = 0
    high: int = 0
    join: tuple = ()

    def mask(self, columns):
        """Which rows pass, as an array of booleans."""
        if self.join:
            tier, subject, signal = self.join
            of_conversation = (columns.tier == tier) & (columns.subject == subject) & (columns.signal >= signal)
            return of_conversation[columns.conversation]
        values = getattr(columns, self.column)
        return values == self.low if self.high == self.low + 1 else (values >= self.low) & (values < self.high)

    def predicate(self, mark="?", of="items."):
        """-> a WHERE clause over items, and its values. A join is a subquery: `joined` has it as a join."""
        if self.join:
            return f"{of}id IN ({self.joined(mark)[0]})", self.join
        if self.high == self.low + 1:
            return f"{of}{self.column} = {mark}", (self.low,)
        return f"{of}{self.column} >= {mark} AND {of}{self.column} < {mark}", (self.low, self.high)

    def joined(self, mark="?", items="items"):
        """-> SELECT of the row ids, and its values."""
        if not self.join:
            where, values = self.predicate(mark, "")
            return f"SELECT id FROM {items} WHERE {where}", values
        return (f"SELECT i.id FROM {items} i JOIN conversations c ON c.id = i.conversation "
                "JOIN phase_1 p ON p.conversation = c.id JOIN feedback f ON f.conversation = c.id "
                f"WHERE c.tier = {mark} AND p.subject = {mark} AND f.signal >= {mark}"), self.join

    def expression(self, both="AND", equal="="):
        """The condition in the language of engines without parameters; None for a join."""
        if self.join:
            return None
        if self.high == self.low + 1:
            return f"{self.column} {equal} {self.low}"
        return f"{self.column} >= {self.low} {both} {self.column} < {self.high}"
