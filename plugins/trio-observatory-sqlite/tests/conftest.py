"""Storage backends on a root of the test's own."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from observatory_sqlite import SqliteSettings, SqliteStorage

from observatory import Context, PubSub, StorageBackend, StorageError, Stored, StoredMessage, TrioClock


class Bench:
    """What the tests work with: a root, the database below it, and storage backends on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "observatory" / "observatory.db"
        self.log = Path(f"{self.path}-wal")

    def storage(self, path: Path | None = None) -> SqliteStorage:
        """Make a storage backend that is not started."""
        return SqliteStorage(Context(self.root, TrioClock(), PubSub(), SqliteSettings(path=path), {}, {}))

    @asynccontextmanager
    async def open(self, path: Path | None = None) -> AsyncIterator[SqliteStorage]:
        """Open a storage backend, as Observatory does."""
        storage = self.storage(path)
        await storage.start()
        try:
            yield storage
        finally:
            await storage.aclose()

    async def refusal(self, path: Path | None = None) -> str:
        """Return why a storage backend does not start; it is tried twice, and what is there stays as it is.

        Not while the database is open in this process: to read its file is to give up a lock.
        """
        place = path or self.path
        before = place.read_bytes() if place.is_file() else None
        refusals = set()
        for _ in range(2):
            with pytest.raises(StorageError) as info:
                await self.storage(path).start()
            refusals.add(str(info.value))
        assert (place.read_bytes() if place.is_file() else None) == before
        assert str(place) in str(info.value)
        assert len(refusals) == 1
        return refusals.pop()

    async def everything(self, storage: StorageBackend | None = None) -> list[Stored]:
        """Return what is replayed, by a storage backend or by a new one."""
        if storage is None:
            async with self.open() as storage:
                return await self.everything(storage)
        found: list[Stored] = []
        await storage.replay(found.extend)
        return found

    async def contents(self, storage: StorageBackend | None = None) -> list[str]:
        """Return the contents of the messages that are replayed."""
        found = await self.everything(storage)
        return [each.message.content for each in found if isinstance(each, StoredMessage)]

    def execute(self, statement: str) -> list[Any]:
        """Do something to the database with nothing but SQLite."""
        with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    @contextmanager
    def no_growth(self) -> Iterator[None]:
        """Let no file of this process grow: writing beyond its end fails."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a bench on an empty root."""
    root = tmp_path / "root"
    root.mkdir()
    return Bench(root)
