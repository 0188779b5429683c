"""The laws of `StorageBackend`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

import attrs
import pytest

from observatory import (
    Cleared,
    Context,
    Expired,
    Message,
    Read,
    StorageBackend,
    StorageError,
    StorageFactory,
    StoredMessage,
)
from observatory.testing.cancelling import cancel_at_every_checkpoint
from observatory.testing.laws import Conformance, law
from observatory.testing.running import opened
from observatory.testing.samples import messages

Fresh: TypeAlias = Callable[[], StorageBackend]


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
            await backend.append(kept)
            if self.can_fail:
                self.break_storage(backend)
                with pytest.raises(StorageError):
                    await backend.append([*messages("a", "c"), Cleared("b")])
                self.mend_storage(backend)
            assert await replayed(backend) == numbered(kept, 1, 1), "a batch was committed in part, or got lost"

    @law
    async def test_numbers(self, fresh: Fresh) -> None:
        """It returns one number for each `Message` of the batch, in order."""
        async with opened(fresh()) as backend:
            assert list(await backend.append([])) == []
            first, second, other = messages("a", "a", "b")
            assert list(await backend.append([first, other, Read("a", (1,)), second])) == [1, 1, 2]
            assert list(await backend.append([Expired("a", (2,)), Cleared("b")])) == []
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
            await backend.append([first, other, second, gone, third])
            await backend.append([Read("a", (1, 3)), Expired("a", (1,)), Cleared("c"), Read("b", (1,))])
            live = {"a": [StoredMessage(second, 2), stored(third, 3, read=True)], "b": [stored(other, 1, read=True)]}
            assert await replayed(backend) == live
            await backend.compact()
            await backend.flush()
            assert await replayed(backend) == live, "compact or flush changed what is replayed"
            assert not any(message.read for message in sent), "the messages that were given have been changed"

    @law
    async def test_cancelled_append(self, fresh: Fresh) -> None:
        """A cancelled `append` has committed everything or nothing."""
        async with opened(fresh()) as backend:
            batches: list[list[Message]] = []

            async def append() -> None:
                batches.append(messages("a", "b", "a"))
                await backend.append(batches[-1])

            async def check() -> None:
                live = {each.message.id for group in (await replayed(backend)).values() for each in group}
                committed = [message.id in live for message in batches[-1]]
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
            await backend.append([Read("a", (2,)), Cleared("b")])
        expected = {"a": [StoredMessage(sent[0], 1), stored(sent[1], 2, read=True)]}
        if backend.durability != "memory":
            async with opened(backend):
                assert await replayed(backend) == expected
        async with opened(fresh()) as successor:
            if backend.durability == "memory":
                assert await replayed(successor) == {}, "it keeps messages: its durability is not `memory`"
            else:
                assert await replayed(successor) == expected
                assert list(await successor.append(messages("a", "b"))) == [3, 2], "a number was used again"


def stored(message: Message, sequence: int, *, read: bool) -> StoredMessage:
    """Return a message as it is replayed."""
    return StoredMessage(attrs.evolve(message, read=read), sequence)


def numbered(sent: Sequence[Message], *sequences: int) -> dict[str, list[StoredMessage]]:
    """Return messages to different recipients as they are replayed."""
    return {message.to: [StoredMessage(message, number)] for message, number in zip(sent, sequences, strict=True)}


async def replayed(backend: StorageBackend) -> dict[str, list[StoredMessage]]:
    """Return what a backend replays, by recipient."""
    batches: list[Sequence[StoredMessage]] = []
    await backend.replay(batches.append)
    live: dict[str, list[StoredMessage]] = {}
    for each in itertools.chain.from_iterable(batches):
        live.setdefault(each.message.to, []).append(each)
    return live
