"""What holds at the start for any delivery channel that recovers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import attrs
import pytest

from observatory import (
    Adopt,
    Clock,
    Entry,
    Message,
    Observatory,
    StorageError,
)
from observatory.testing import DurableStorage, RecordingChannel
from observatory.testing.samples import messages

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class FolderChannel(RecordingChannel):
    """A delivery channel whose messages outlive the Observatory, like files."""

    recovers: ClassVar[bool] = True

    def __init__(self, *delivered: Message, batch_size: int = 100) -> None:
        super().__init__()
        self.delivered = list(delivered)
        self.asked: list[Collection[str] | None] = []
        self._batch_size = batch_size

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Hand over what is there."""
        self.asked.append(agents)
        found = [message for message in self.delivered if agents is None or message.to in agents]
        for start in range(0, len(found), self._batch_size):
            await adopt(found[start : start + self._batch_size])


class FlakyStorage(DurableStorage):
    """Refuses one batch.

    Args:
        failing: which one, counted from 1.
    """

    def __init__(self, failing: int) -> None:
        super().__init__()
        self._left = failing

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit a batch, or not."""
        self._left -= 1
        if self._left == 0:
            raise StorageError("planned by the test")
        return await super().append(batch)


class TestChannels:
    """What holds for any delivery channel that recovers."""

    async def test_it_is_asked_once(self, open_here: Open) -> None:
        """At the start, for everybody or for whom the caller names."""
        for recover in (None, ["a"]):
            channel = FolderChannel()
            async with open_here(channels={"folder": channel}, recover=recover):
                pass
            assert channel.asked == [recover]

    async def test_batches(self, open_here: Open) -> None:
        """However many batches it takes, everything is there before the Observatory is open."""
        found = messages(*"ababa")
        async with open_here(channels={"folder": FolderChannel(*found, batch_size=2)}) as obs:
            assert obs.mailbox.get_messages("a") == [found[4], found[2], found[0]]
            assert obs.mailbox.get_messages("b") == [found[3], found[1]]

    async def test_the_same_message_twice(self, open_here: Open) -> None:
        """In one batch, in two, and through two channels, it is one message."""
        (message,) = messages("a")
        channels = {"one": FolderChannel(message, message, message, batch_size=2), "two": FolderChannel(message)}
        async with open_here(channels=channels) as obs:
            assert obs.mailbox.get_messages("a") == [message]

    async def test_the_same_id_of_two_recipients(self, open_here: Open) -> None:
        """They are two messages, and the file of one does not stand for that of the other."""
        storage = DurableStorage()
        (first,) = messages("a")
        second = attrs.evolve(first, to="b")
        await storage.append([first])
        channel = FolderChannel(second)
        async with open_here(storage=storage, channels={"folder": channel}) as obs:
            assert obs.mailbox.get_messages("a") == [first]
            assert obs.mailbox.get_messages("b") == [second]
        assert channel.delivered == [second, first]

    async def test_nobody_is_told(self, open_here: Open) -> None:
        """What was delivered before goes to no live delivery channel again."""
        live = RecordingChannel()
        channels = {"folder": FolderChannel(*messages("a", "b")), "live": live}
        async with open_here(channels=channels):
            pass
        assert live.jobs == []

    @pytest.mark.parametrize(
        "changes", [{"from_": "../x"}, {"type": "\n"}, {"content": "\ud800"}, {"metadata": {"a": float("nan")}}]
    )
    async def test_what_is_not_allowed_is_left(
        self, open_here: Open, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A delivery channel cannot bring in what a sender could not."""
        good, bad = messages("a", "a")
        channel = FolderChannel(attrs.evolve(bad, **changes), good)
        async with open_here(channels={"folder": channel}) as obs:
            assert obs.mailbox.get_messages("a") == [good]
            assert obs.statistics().mailbox.left_behind == 1
            assert obs.health().healthy
        assert f"recovered message '{bad.id}' of 'a' is left where it is" in caplog.text

    async def test_storage_fails_meanwhile(self, open_here: Open) -> None:
        """The Mailbox begins again, and everything is there once."""
        found = messages("a", "b", "a")
        channel = FolderChannel(*found, batch_size=1)
        async with open_here(storage=FlakyStorage(failing=2), channels={"folder": channel}, clock=Clock()) as obs:
            assert obs.mailbox.get_messages("a") == [found[2], found[0]]
            assert obs.statistics().mailbox.messages == 3
            assert len(channel.asked) == 2

    async def test_offered_again(self, open_here: Open) -> None:
        """What storage could not take in has not happened: a delivery channel may offer the same messages again."""

        class Patient(FolderChannel):
            async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
                with pytest.raises(StorageError):
                    await adopt(self.delivered)
                await super().recover(agents, adopt)

        found = messages(*"aba")
        async with open_here(storage=FlakyStorage(failing=1), channels={"folder": Patient(*found)}) as obs:
            assert obs.mailbox.get_messages("a") == [found[2], found[0]]
            totals = obs.statistics().mailbox
            assert (totals.messages, totals.left_behind) == (3, 0)
            for name in "ab":
                await obs.mailbox.clear_messages(name)
            assert obs.statistics().mailbox.bytes == 0

    async def test_many_that_storage_holds(self, open_here: Open) -> None:
        """A message that storage holds as read, but for the recipient's folder, is taken back there."""
        storage = DurableStorage()
        found = messages(*"aaa")
        async with open_here(storage=storage, channels={"folder": FolderChannel(*found)}) as obs:
            await obs.mailbox.mark_read("a", found[1].id)
        channel = FolderChannel(*found)
        async with open_here(storage=storage, channels={"folder": channel}):
            pass
        assert channel.ids("a") == [found[0].id, found[2].id]
        batches: list[Any] = []
        await storage.replay(batches.append)
        assert [stored.sequence for stored in batches[0]] == [1, 2, 3]
