"""The suite for storage backends finds what is broken."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

import pytest
import trio
from trio.testing import MockClock

from observatory import Durability, Entry, Expired, MemoryStorage, Message, StorageBackend, StorageError, StoredMessage
from observatory.testing import FailingStorage, StorageBackendConformance


class Suite(StorageBackendConformance):
    """Breaks what can be broken."""

    def break_storage(self, backend: StorageBackend) -> None:
        """Let it fail."""
        vars(backend)["failing"] = True

    def mend_storage(self, backend: StorageBackend) -> None:
        """Let it commit."""
        vars(backend)["failing"] = False


class CommitsInPart(FailingStorage):
    """Has committed the first entry when it fails."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit the first entry before anything else."""
        if self.failing:
            await MemoryStorage.append(self, batch[:1])
        return await super().append(batch)


class NeverFails(MemoryStorage):
    """Says nothing when it could not commit."""

    failing = False

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit, or do nothing."""
        return [0] * len(batch) if self.failing else await super().append(batch)


class CountsAgain(MemoryStorage):
    """Forgets its numbers when it is compacted."""

    async def compact(self) -> None:
        """Forget."""
        self.__init__()  # type: ignore[misc]


class CountsEntries(MemoryStorage):
    """Returns a number for every entry."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Return too many numbers."""
        numbers = iter(await super().append(batch))
        return [next(numbers) if isinstance(entry, Message) else 0 for entry in batch]


class KeepsExpired(MemoryStorage):
    """Replays what has expired."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Ignore that something has expired."""
        return await super().append([entry for entry in batch if not isinstance(entry, Expired)])


class FlushLoses(MemoryStorage):
    """Loses everything when it is flushed."""

    async def flush(self) -> None:
        """Lose it."""
        self.__init__()  # type: ignore[misc]


class CommitsOneByOne(MemoryStorage):
    """Can be cancelled between two entries of a batch."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit one entry after the other."""
        numbers: list[int] = []
        for entry in batch:
            await trio.lowlevel.checkpoint()
            numbers += await super().append([entry])
        return numbers


class ClaimsDurability(MemoryStorage):
    """Claims to keep what it does not."""

    durability: ClassVar[Durability] = "flushed"


class Shared(MemoryStorage):
    """Keeps everything for the next one, under a flag of the test's choice."""

    _all: ClassVar[dict[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        vars(self).update(self._all)


def shared(durability: Durability) -> type[Shared]:
    """Return a class of backends that share what they hold."""

    class Durable(Shared):
        _all = vars(MemoryStorage())

    Durable.durability = durability
    return Durable


LAWS = Suite()


@pytest.mark.parametrize(
    ("law", "kind", "finding"),
    [
        (LAWS.test_whole_batch_or_nothing, CommitsInPart, "committed in part"),
        (LAWS.test_whole_batch_or_nothing, NeverFails, "DID NOT RAISE"),
        (LAWS.test_numbers, CountsAgain, "a number was used again"),
        (LAWS.test_numbers, CountsEntries, "assert"),
        (LAWS.test_replay, KeepsExpired, "assert"),
        (LAWS.test_replay, FlushLoses, "compact or flush changed"),
        (LAWS.test_cancelled_append, CommitsOneByOne, "committed in part"),
        (LAWS.test_durability, ClaimsDurability, "assert"),
        (LAWS.test_durability, shared("memory"), "its durability is not `memory`"),
    ],
)
async def test_broken(
    law: Any,
    kind: Callable[[], StorageBackend],
    finding: str,
    broken: Callable[..., Awaitable[str]],
) -> None:
    """A law that is broken is found, by the test of that law."""
    assert finding in await broken(law, kind)


async def test_durable() -> None:
    """A backend that keeps what it claims to keep passes; the law has asked a second one."""
    kind = shared("fsynced")
    await LAWS.test_durability(kind)
    found: list[StoredMessage] = []
    await kind().replay(found.extend)
    assert [(each.message.to, each.sequence) for each in found] == [("a", 1), ("a", 2), ("a", 3), ("b", 2)]


async def test_other_error() -> None:
    """An error that is not ours, where `StorageError` is asked for, comes out."""

    class Wrong(FailingStorage):
        async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
            try:
                return await super().append(batch)
            except StorageError as error:
                raise OSError("no room") from error

    with pytest.raises(OSError, match="no room"):
        await LAWS.test_whole_batch_or_nothing(Wrong)


async def test_hangs(autojump_clock: MockClock, broken: Callable[..., Awaitable[str]]) -> None:
    """A backend that never answers breaks the law that waits for it."""

    class Hangs(MemoryStorage):
        async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
            await trio.sleep_forever()
            return []

    assert "it hangs: it was not done after 10 s" in await broken(LAWS.test_numbers, Hangs)
