"""The suite for storage backends finds what is broken."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

import pytest
import trio
from trio.testing import MockClock

from observatory import (
    DeadLetter,
    DeliveryRecord,
    Durability,
    Entry,
    Expired,
    Forgotten,
    MemoryStorage,
    Message,
    Retracting,
    Sent,
    Settled,
    StorageBackend,
    StorageError,
    Stored,
    StoredKey,
    StoredMessage,
)
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
        return [next(numbers) if isinstance(entry, Message | Sent) else 0 for entry in batch]


def without(kind: type[Entry]) -> type[MemoryStorage]:
    """Return a class of backends that ignore one kind of entries."""

    class Ignores(MemoryStorage):
        async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
            return await super().append([entry for entry in batch if not isinstance(entry, kind)])

    return Ignores


class KeepsMessageOnly(MemoryStorage):
    """Keeps nothing but the message of what was sent."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Leave out the rest."""
        return await super().append([entry.message if isinstance(entry, Sent) else entry for entry in batch])


class ForgetsKeys(MemoryStorage):
    """Forgets the keys of messages that have expired."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Forget them."""
        if any(isinstance(entry, Expired) for entry in batch):
            self._keys.clear()
        return await super().append(batch)


class Backwards(MemoryStorage):
    """Replays everything beside the messages in the wrong order."""

    async def replay(self, apply: Callable[[Sequence[Stored]], None]) -> None:
        """Turn it round."""
        await super().replay(lambda batch: apply(batch if is_of_messages(batch) else batch[::-1]))


class MessagesLast(MemoryStorage):
    """Replays the messages after everything else."""

    async def replay(self, apply: Callable[[Sequence[Stored]], None]) -> None:
        """Hold the messages back."""
        batches: list[Sequence[Stored]] = []
        await super().replay(batches.append)
        for batch in sorted(batches, key=is_of_messages):
            apply(batch)


def is_of_messages(batch: Sequence[Stored]) -> bool:
    """Tell whether these are messages."""
    return any(isinstance(each, StoredMessage) for each in batch)


class KeepsFirst(MemoryStorage):
    """Does not replace what is there already."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit what is new."""
        return await super().append([entry for entry in batch if not self._knows(entry)])

    def _knows(self, entry: Entry) -> bool:
        if isinstance(entry, DeliveryRecord):
            return entry.delivery.channel in self._records.get(entry.id, {})
        return isinstance(entry, DeadLetter) and (entry.channel, entry.message.id) in self._letters


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


class CommitsInTwo(FailingStorage):
    """Commits what is no message in a commit of its own."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit the rest first."""
        await MemoryStorage.append(self, [entry for entry in batch if not isinstance(entry, Message | Sent)])
        await trio.lowlevel.checkpoint()
        return await super().append([entry for entry in batch if isinstance(entry, Message | Sent)])


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
        (LAWS.test_whole_batch_or_nothing, CommitsInTwo, "committed in part"),
        (LAWS.test_whole_batch_or_nothing, NeverFails, "DID NOT RAISE"),
        (LAWS.test_numbers, CountsAgain, "a number was used again"),
        (LAWS.test_numbers, CountsEntries, "assert"),
        (LAWS.test_replay, without(Expired), "assert"),
        (LAWS.test_replay, KeepsMessageOnly, "assert"),
        (LAWS.test_replay, FlushLoses, "compact or flush changed"),
        (LAWS.test_replay_of_the_rest, KeepsMessageOnly, "assert"),
        (LAWS.test_replay_of_the_rest, without(DeliveryRecord), "assert"),
        (LAWS.test_replay_of_the_rest, without(DeadLetter), "assert"),
        (LAWS.test_replay_of_the_rest, without(Retracting), "assert"),
        (LAWS.test_replay_of_the_rest, Backwards, "assert"),
        (LAWS.test_replay_of_the_rest, MessagesLast, "after something else"),
        (LAWS.test_replay_of_the_rest, ForgetsKeys, "went with its message"),
        (LAWS.test_replay_of_the_rest, KeepsFirst, "was forgotten, settled or replaced that should not be"),
        (LAWS.test_replay_of_the_rest, without(Forgotten), "was forgotten, settled or replaced that should not be"),
        (LAWS.test_replay_of_the_rest, without(Settled), "was forgotten, settled or replaced that should not be"),
        (LAWS.test_cancelled_append, CommitsOneByOne, "committed in part"),
        (LAWS.test_cancelled_append, CommitsInTwo, "committed in part"),
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
    found: list[Stored] = []
    await kind().replay(found.extend)
    messages = [(each.message.to, each.sequence) for each in found if isinstance(each, StoredMessage)]
    assert messages == [("a", 1), ("a", 2), ("a", 3), ("c", 1), ("b", 2)]
    assert [type(each) for each in found[len(messages) :]] == [StoredKey, Retracting, DeliveryRecord, DeadLetter]


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
