"""The storage backend: one worker thread at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import ClassVar

import trio

from observatory import Context, Durability, Entry, StorageBackend, StorageError, Stored
from observatory_sqlite.database import Database
from observatory_sqlite.hop import hop, interruptible_hop
from observatory_sqlite.settings import SqliteSettings

_log = logging.getLogger("observatory.sqlite")


class SqliteStorage(StorageBackend):
    """Keeps the log in one SQLite database, by default `{root}/observatory/observatory.db`.

    Only one process at a time can have the database open.

    Args:
        context: what Observatory hands to a storage backend.
    """

    durability: ClassVar[Durability] = "fsynced"

    def __init__(self, context: Context) -> None:
        settings: SqliteSettings = context.settings or SqliteSettings()
        self._database = Database(settings.path or context.root / "observatory" / "observatory.db")
        self._turn = trio.Lock()

    async def start(self) -> None:
        """Open the database, or make it; see that it is whole, and bring it to the newest version.

        Raises:
            StorageError: it cannot be used; it says why, and what to do.
        """
        async with self._turn:
            await interruptible_hop(self._database.open, self._database.interrupt)

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit a batch in one transaction; cancelled before it begins, or not at all.

        Raises:
            StorageError: when nothing was committed.
        """
        # A commit is not interrupted: the Mailbox would have to find out whether it came to its end.
        try:
            self._turn.acquire_nowait()
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            return await hop(partial(self._database.append, batch))
        finally:
            self._turn.release()

    async def replay(self, apply: Callable[[Sequence[Stored]], None]) -> None:
        """Hand over everything, in the order of commits; what is appended meanwhile waits.

        Raises:
            StorageError: when it cannot be read.
        """
        async with self._turn:
            with closing(self._database.replay()) as batches:
                while batch := await hop(partial(next, batches, ())):
                    apply(batch)

    async def compact(self) -> None:
        """Give room that is no longer needed back to the file system, in small steps.

        Raises:
            StorageError: when it could not; nothing is lost.
        """
        more = True
        while more:
            async with self._turn:
                more = await hop(self._database.give_back)

    async def flush(self) -> None:
        """Write the log back into the database. What was committed is durable already."""
        async with self._turn:
            try:
                await interruptible_hop(self._database.checkpoint, self._database.interrupt)
            except StorageError as error:
                _log.warning("the log stays as it is, and nothing is lost: %s", error)

    async def aclose(self) -> None:
        """Close the database, also when cancelled."""
        with trio.CancelScope(shield=True):
            async with self._turn:
                await hop(self._database.close)
