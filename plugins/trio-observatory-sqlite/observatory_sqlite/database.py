"""One connection: committing, replaying, giving back room. Blocking; called in worker threads, one call at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from observatory import Entry, Stored
from observatory_sqlite.committing import Rows
from observatory_sqlite.faults import fault, reading, telling
from observatory_sqlite.numbers import Numbers
from observatory_sqlite.opening import check, connect, lock, prepare_file
from observatory_sqlite.replaying import SELECTS
from observatory_sqlite.schema import migrate, transaction

_ROWS = 2_000
"""Rows that are replayed at a time: some milliseconds."""
_PAGES = 256
"""Pages that are given back in one transaction: some milliseconds."""
_SPARE_PAGES = 1_024
"""Free pages that are kept for what comes next: 4 MiB."""


class Database:
    """A database, from `open` to `close`. What goes wrong is raised as `StorageError`.

    Args:
        path: its file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock: int | None = None

    def open(self) -> None:
        """Open it for this process alone, and see that it is whole."""
        with telling(self._path):
            self._lock = lock(self._path)
            try:
                prepare_file(self._path)
                connection = self._connection = connect(self._path)
                check(connection, self._path)
                migrate(connection, self._path)
                with reading(self._path):
                    self._numbers = Numbers(connection)
            except BaseException:
                self.close()
                raise

    def interrupt(self) -> None:
        """Let what runs in another thread end with an error."""
        connection = self._connection
        if connection is not None:
            with suppress(sqlite3.ProgrammingError):  # it has just been closed there
                connection.interrupt()

    def append(self, batch: Sequence[Entry]) -> list[int]:
        """Commit a batch, whole or not at all, and return the numbers of its messages."""
        with telling(self._path):
            connection = self._open
            rows = Rows(batch, self._numbers)
            with transaction(connection):
                for statement, values in rows.statements():
                    connection.executemany(statement, values)
        rows.note()
        return rows.given

    def replay(self) -> Generator[Sequence[Stored], None, None]:
        """Yield everything, some rows at a time; nothing may be committed until that is over."""
        with telling(self._path), reading(self._path):
            for select, values_of in SELECTS:
                with closing(self._open.execute(select)) as cursor:
                    while rows := cursor.fetchmany(_ROWS):
                        yield values_of(rows)

    def give_back(self) -> bool:
        """Give back some free pages; return whether there are more."""
        with telling(self._path):
            ((free,),) = self._open.execute("PRAGMA freelist_count")
            if free <= _SPARE_PAGES:
                return False
            self._open.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()  # which takes each step
            return True

    def checkpoint(self) -> None:
        """Move what is in the log to its place."""
        with telling(self._path):
            self._open.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Give everything back."""
        connection, self._connection = self._connection, None
        descriptor, self._lock = self._lock, None
        with telling(self._path):
            if connection is not None:
                connection.close()
            if descriptor is not None:
                os.close(descriptor)

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise fault(self._path, "is not open: start the storage backend first")
        return self._connection
