"""The tables, and how an older database becomes the newest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from observatory_sqlite.faults import fault

APPLICATION = 0x4F627376
"""`PRAGMA application_id`: tells our databases from those of other programs."""

Migration: TypeAlias = Callable[[sqlite3.Connection], None]

# Times are microseconds since 1970, UTC. Rows are kept in the order of commits, which is that of their rowids.
_MESSAGE = """recipient TEXT NOT NULL, sequence INTEGER NOT NULL, id TEXT NOT NULL, sender TEXT NOT NULL,
    content TEXT NOT NULL, timestamp INTEGER NOT NULL, type TEXT NOT NULL, metadata TEXT"""

_FIRST = (
    f"CREATE TABLE messages (place INTEGER PRIMARY KEY, {_MESSAGE}, expires_at INTEGER)",
    # Not a column of the message, whose text would be written again with it.
    "CREATE TABLE acknowledged (place INTEGER PRIMARY KEY)",
    # The last number of those whose newest message may be gone: a number is never used again.
    "CREATE TABLE recipients (name TEXT PRIMARY KEY NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE keys (sender TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, recipient TEXT NOT NULL,
    id TEXT NOT NULL, sequence INTEGER NOT NULL, timestamp INTEGER NOT NULL, UNIQUE (sender, key))""",
    """CREATE TABLE deliveries (id TEXT NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    durability TEXT, error TEXT, since INTEGER NOT NULL, at INTEGER NOT NULL, UNIQUE (id, channel))""",
    f"""CREATE TABLE dead_letters ({_MESSAGE}, read INTEGER NOT NULL, channel TEXT NOT NULL, attempts INTEGER NOT NULL,
    error TEXT NOT NULL, given_up INTEGER NOT NULL, UNIQUE (channel, id))""",
)


def _make_tables(connection: sqlite3.Connection) -> None:
    for statement in _FIRST:
        connection.execute(statement)


def _let_keys_know_when_messages_expire(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE keys ADD COLUMN expires_at INTEGER")


def _remember_what_is_being_taken_back(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE retractions (recipient TEXT NOT NULL, id TEXT NOT NULL, UNIQUE (recipient, id))")


MIGRATIONS: Sequence[Migration] = (
    _make_tables,
    _let_keys_know_when_messages_expire,
    _remember_what_is_being_taken_back,
)
"""Each brings a database to its next version; the first one makes version 1 of an empty one. What stands here stays as
it is, since there are databases that were made by it: a change of the schema is one more at the end."""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done in the block, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # after some errors SQLite has taken it back itself
            connection.execute("ROLLBACK")


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a database to the newest version, in one transaction.

    Args:
        connection: to the database.
        path: its file.

    Raises:
        StorageError: it is of a version that is not known here.
    """
    ((version,),) = connection.execute("PRAGMA user_version")
    newest = len(MIGRATIONS)
    if not 0 <= version <= newest:
        raise fault(
            path,
            f"is of version {version}, and versions up to {newest} are known here: install the newest "
            "trio-observatory-sqlite, or name another file with plugins.sqlite.path",
        )
    if version == newest:
        return
    with transaction(connection):
        for migration in MIGRATIONS[version:]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {newest}")
