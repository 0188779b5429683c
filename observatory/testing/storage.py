"""The laws of `StorageBackend`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeAlias

import attrs
import pytest

from observatory import (
    Cleared,
    Context,
    DeadLetter,
    Delivery,
    DeliveryRecord,
    Entry,
    Expired,
    Forgotten,
    Key,
    Message,
    Read,
    Retracting,
    Sent,
    Settled,
    StorageBackend,
    StorageError,
    StorageFactory,
    Stored,
    StoredKey,
    StoredMessage,
)
from observatory.testing.cancelling import cancel_at_every_checkpoint
from observatory.testing.laws import Conformance, law
from observatory.testing.running import opened
from observatory.testing.samples import messages

Fresh: TypeAlias = Callable[[], StorageBackend]
KINDS: Sequence[type[Any]] = (StoredMessage, StoredKey, Retracting, DeliveryRecord, DeadLetter)


class StorageBackendConformance(Conformance):
    """The laws of a storage backend. A subclass gives the fixture `backend_factory`.

    When commits can fail, it also implements `break_storage` and `mend_storage`; else it sets `can_fail` to False.
    """

    can_fail: ClassVar[bool] = True
    """Whether a commit can fail at all; then `break_storage` and `mend_storage` are needed."""

    @pytest.fixture
    def backend_factory(self) -> StorageFactory:
        """Return what the plugin registers; backends made of the same context share what is durable."""
        raise NotImplementedError("give your suite a fixture `backend_factory` that returns what you register")

    @pytest.fixture
    def fresh(self, backend_factory: StorageFactory, context: Context) -> Fresh:
        """Return what makes one more backend on the same root."""
        return lambda: backend_factory(context)

    def break_storage(self, backend: StorageBackend) -> None:
        """Bring it about that nothing can be committed."""
        raise NotImplementedError("implement break_storage and mend_storage, or set can_fail = False")

    def mend_storage(self, backend: StorageBackend) -> None:
        """Take back what `break_storage` did."""
        raise NotImplementedError("implement break_storage and mend_storage, or set can_fail = False")

    @law
    async def test_whole_batch_or_nothing(self, fresh: Fresh) -> None:
        """`append` commits the whole batch or nothing, and raises `StorageError` when it could not."""
        async with opened(fresh()) as backend:
            kept = messages("a", "b")
            await backend.append([*kept, record(kept[0])])
            if self.can_fail:
                self.break_storage(backend)
                with pytest.raises(StorageError):
                    await backend.append(
                        [*messages("a"), *of_every_kind("c"), Cleared("b"), Forgotten((), (kept[0].id,))]
                    )
                self.mend_storage(backend)
            assert await replayed(backend) == numbered(kept, 1, 1), "a batch was committed in part, or got lost"
            assert await rest(backend) == [record(kept[0])], "a batch was committed in part, or got lost"

    @law
    async def test_numbers(self, fresh: Fresh) -> None:
        """It returns one number for each `Message` and each `Sent` of the batch, in order."""
        async with opened(fresh()) as backend:
            assert list(await backend.append([])) == []
            first, second, other = messages("a", "a", "b")
            assert list(await backend.append([Sent(first), other, Read("a", (1,)), second])) == [1, 1, 2]
            assert list(await backend.append([Expired("a", (2,)), Cleared("b"), record(first), letter(other)])) == []
            assert list(await backend.append(messages("b", "a"))) == [2, 3], "a number was used again"
            await backend.append([Cleared("a"), Cleared("b")])
            await backend.compact()
            assert list(await backend.append(messages("a", "b"))) == [4, 3], "a number was used again"

    @law
    async def test_replay(self, fresh: Fresh) -> None:
        """`replay` gives exactly the messages that are live."""
        async with opened(fresh()) as backend:
            assert await replayed(backend) == {}
            first, second, third = sent = messages("a", "a", "a", metadata={"deep": [{"ü": None}, 1.5, "\u2028"]})
            other, gone = messages("b", "c", content="")
            until = second.timestamp + timedelta(days=1, microseconds=1)
            await backend.append([first, other, Sent(second, until), gone, third])
            await backend.append([Read("a", (1, 3)), Expired("a", (1,)), Cleared("c"), Read("b", (1,))])
            live = {
                "a": [StoredMessage(second, 2, until), stored(third, 3, read=True)],
                "b": [stored(other, 1, read=True)],
            }
            assert await replayed(backend) == live
            await backend.compact()
            await backend.flush()
            assert await replayed(backend) == live, "compact or flush changed what is replayed"
            assert not any(message.read for message in sent), "the messages that were given have been changed"

    @law
    async def test_replay_of_the_rest(self, fresh: Fresh) -> None:
        """After the messages, `replay` gives every idempotency key, every delivery record and every retraction."""
        async with opened(fresh()) as backend:
            one, two, three, four = messages("a", "b", "a", "b")
            keys = [Key("me", "one", "00"), Key("you", "one", "01"), Key("me", "two", "02")]
            soon = one.timestamp + timedelta(hours=1)
            await backend.append(
                [Sent(one, soon, keys[0]), Sent(two, key=keys[1]), record(one), record(two), letter(two)]
            )
            await backend.append([Sent(three, key=keys[2]), record(three), letter(three), letter(four), letter(one)])
            leaving = [Retracting("b", four.id), Retracting("a", one.id), Retracting("b", one.id)]
            await backend.append([*leaving, leaving[1]])
            expected = [
                *(stored_key(keys[0], one, 1, soon), stored_key(keys[1], two, 1), stored_key(keys[2], three, 2)),
                *leaving,
                *(record(each) for each in (one, two, three)),
                *(letter(each) for each in (two, three, four, one)),
            ]
            assert await rest(backend) == expected
            await backend.append([Expired("a", (1, 2)), Cleared("b")])
            await backend.compact()
            assert await rest(backend) == expected, "a key, a record or something else went with its message"
            later = Key("me", "one", "03")
            await backend.append([Sent(four, key=later), record(three, "log"), record(three, attempts=3)])
            forgotten = Forgotten((("me", "two"),), (one.id,), (("b", one.id), ("b", "0" * 16)))
            await backend.append([letter(one, attempts=7), letter(one, "log"), forgotten])
            await backend.append([Settled("inbox", (two.id, three.id)), Settled("log", (four.id,)), Forgotten()])
            assert await rest(backend) == [
                *(stored_key(keys[1], two, 1), stored_key(later, four, 2), *leaving[:2]),
                *(record(two), record(three, attempts=3), record(three, "log")),
                *(letter(four), letter(one, attempts=7), letter(one, "log")),
            ], "something was forgotten, settled or replaced that should not be, or the other way round"

    @law
    async def test_cancelled_append(self, fresh: Fresh) -> None:
        """A cancelled `append` has committed everything or nothing."""
        async with opened(fresh()) as backend:
            batches: list[list[Entry]] = []

            async def append() -> None:
                batches.append([*messages("a", "b"), *of_every_kind("a")])
                await backend.append(batches[-1])

            async def check() -> None:
                live = {trace_of(each) for each in await everything(backend)}
                committed = [trace in live for entry in batches[-1] for trace in traces_of(entry)]
                assert len(set(committed)) == 1, f"committed in part: {committed}"

            await cancel_at_every_checkpoint(append, check)
            numbers = [each.sequence for each in (await replayed(backend))["a"]]
            assert numbers == sorted(set(numbers)), "after cancelled appends a number was used again"

    @law
    async def test_durability(self, fresh: Fresh) -> None:
        """After `aclose` and `start`, a backend whose `durability` is not `memory` replays the same."""
        sent = messages("a", "a", "b")
        async with opened(fresh()) as backend:
            await backend.append(sent)
            await backend.append([Read("a", (2,)), Cleared("b"), *of_every_kind("c")])
            expected = await everything(backend)
        if backend.durability != "memory":
            async with opened(backend):
                assert await everything(backend) == expected
        async with opened(fresh()) as successor:
            if backend.durability == "memory":
                assert await everything(successor) == [], "it keeps messages: its durability is not `memory`"
            else:
                assert await everything(successor) == expected
                assert list(await successor.append(messages("a", "b"))) == [3, 2], "a number was used again"


def of_every_kind(to: str) -> list[Entry]:
    """Return a message sent under a key, and one each of what is kept beside messages, of a message of its own."""
    sent, left, recorded, dead = messages(to, to, to, to)
    key = Key("sender", f"key of {sent.id}", "00")
    expiring = Sent(sent, sent.timestamp + timedelta(hours=1), key)
    return [expiring, Retracting(to, left.id), record(recorded), letter(dead)]


def record(message: Message, channel: str = "inbox", *, attempts: int = 1) -> DeliveryRecord:
    """Return a delivery record."""
    delivery = Delivery(channel, "written", attempts, "fsynced", None if attempts == 1 else "ünable")
    return DeliveryRecord(message.id, delivery, message.timestamp, message.timestamp + timedelta(microseconds=attempts))


def letter(message: Message, channel: str = "inbox", *, attempts: int = 1) -> DeadLetter:
    """Return a dead letter."""
    return DeadLetter(message, 1, channel, attempts, "ünable", message.timestamp + timedelta(microseconds=attempts))


def stored_key(key: Key, message: Message, sequence: int, expires_at: datetime | None = None) -> StoredKey:
    """Return a key as it is replayed."""
    return StoredKey(key, message.to, message.id, sequence, message.timestamp, expires_at)


def stored(message: Message, sequence: int, *, read: bool) -> StoredMessage:
    """Return a message as it is replayed."""
    return StoredMessage(attrs.evolve(message, read=read), sequence)


def numbered(sent: Sequence[Message], *sequences: int) -> dict[str, list[StoredMessage]]:
    """Return messages to different recipients as they are replayed."""
    return {message.to: [StoredMessage(message, number)] for message, number in zip(sent, sequences, strict=True)}


def traces_of(entry: Entry) -> list[tuple[type, str]]:
    """Return what must be replayed of an entry: kinds, and the id of the message."""
    if isinstance(entry, Sent):
        return [(StoredMessage, entry.message.id), (StoredKey, entry.message.id)]
    return [(StoredMessage, entry.id) if isinstance(entry, Message) else trace_of(entry)]


def trace_of(each: Any) -> tuple[type, str]:
    """Return the kind of what is replayed, and the id of the message that it is about."""
    return type(each), getattr(each, "message", each).id


async def everything(backend: StorageBackend) -> list[Stored]:
    """Return what a backend replays, one kind after the other, and the messages by recipient."""
    found: list[Stored] = []
    await backend.replay(found.extend)
    others = [not isinstance(each, StoredMessage) for each in found]
    assert others == sorted(others), "a message was replayed after something else"
    return sorted(found, key=_place)


def _place(each: Stored) -> tuple[int, str]:
    return KINDS.index(type(each)), each.message.to if isinstance(each, StoredMessage) else ""


async def replayed(backend: StorageBackend) -> dict[str, list[StoredMessage]]:
    """Return the messages that a backend replays, by recipient."""
    live: dict[str, list[StoredMessage]] = {}
    for each in await everything(backend):
        if isinstance(each, StoredMessage):
            live.setdefault(each.message.to, []).append(each)
    return live


async def rest(backend: StorageBackend) -> list[Stored]:
    """Return what a backend replays beside the messages, one kind after the other."""
    return [each for each in await everything(backend) if not isinstance(each, StoredMessage)]
