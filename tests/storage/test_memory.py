"""The storage backend that keeps nothing beyond the process."""

from __future__ import annotations

from typing import ClassVar

import pytest

from observatory import Cleared, Expired, MemoryStorage, Read, StorageFactory, Stored, StoredMessage
from observatory.testing import StorageBackendConformance
from observatory.testing.samples import messages


class TestConformance(StorageBackendConformance):
    """It keeps every law of a storage backend."""

    can_fail: ClassVar[bool] = False

    @pytest.fixture
    def backend_factory(self) -> StorageFactory:
        """Return what is registered as `memory`."""
        return lambda context: MemoryStorage()


async def replayed(storage: MemoryStorage) -> list[StoredMessage]:
    """Return every message that is live."""
    found: list[Stored] = []
    await storage.replay(found.extend)
    return [each for each in found if isinstance(each, StoredMessage)]


def test_promises_nothing() -> None:
    """Its durability is `memory`."""
    assert MemoryStorage().durability == "memory"


async def test_numbers_of_many_that_came_and_went() -> None:
    """Recipients without messages are forgotten at last, and their numbers are never used again all the same."""
    storage = MemoryStorage()
    (kept,) = messages("kept")
    assert await storage.append([kept]) == [1]
    for start in range(0, 201_000, 1_000):
        names = [f"a{number}" for number in range(start, start + 1_000)]
        await storage.append(messages(*names))
        await storage.append([Cleared(name) for name in names])
    assert await storage.append(messages("a0", "a200999", "new", "kept")) == [2, 2, 2, 2]
    assert [stored.sequence for stored in await replayed(storage) if stored.message.to == "kept"] == [1, 2]


@pytest.mark.parametrize("entry", [Read("a", (1,)), Expired("a", (1,)), Cleared("a")])
async def test_an_entry_changes_its_own_mailbox_only(entry: Read | Expired | Cleared) -> None:
    """The same number of another recipient is left alone."""
    storage = MemoryStorage()
    first, second = messages("a", "b")
    await storage.append([first, second, entry])
    assert StoredMessage(second, 1) in await replayed(storage)


async def test_clearing_what_is_empty() -> None:
    """That is no error."""
    storage = MemoryStorage()
    assert await storage.append([Cleared("nobody")]) == []
    assert await replayed(storage) == []
