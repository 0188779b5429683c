"""The cleanup: every minute, what is read and older than 24 hours goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import ClassVar

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    MESSAGE_OVERHEAD,
    Adopt,
    Entry,
    Expired,
    Message,
    Observatory,
    StorageError,
)
from observatory.testing import DurableStorage, FailingStorage, RecordingChannel
from observatory.testing.samples import messages

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
Fill = Callable[..., Awaitable[list[Message]]]

HOUR = 3600.0


class WatchedStorage(FailingStorage):
    """Keeps what it is told, and can fail to compact."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Entry] = []
        self.compacted = 0

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Keep the batch and commit it."""
        numbers = await super().append(batch)
        self.log.extend(batch)
        return numbers

    async def compact(self) -> None:
        """Count, or fail."""
        self.compacted += 1
        await super().compact()
        if self.failing:
            raise StorageError("no room to compact")


def contents(obs: Observatory, agent: str = "a") -> str:
    """Return what is in a mailbox, oldest first."""
    return "".join(message.content for message in reversed(obs.mailbox.get_messages(agent)))


class TestCleanup:
    """Every minute, what is read and older than a day goes."""

    async def test_after_a_day(self, open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
        """A read message stays for 24 hours from when it was sent, an unread one for ever."""
        async with open_here() as obs:
            await fill(obs, "abc", 0, 2)
            await trio.sleep(24 * HOUR - 60)
            assert contents(obs) == "abc"
            await trio.sleep(180)
            assert contents(obs) == "b"
            await trio.sleep(48 * HOUR)
            assert contents(obs) == "b"
            assert obs.statistics().mailbox.bytes == MESSAGE_OVERHEAD + 1

    async def test_read_late(self, open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
        """What is acknowledged when it is old already goes with the next cleanup."""
        async with open_here() as obs:
            (message,) = await fill(obs, "a")
            await trio.sleep(48 * HOUR)
            await obs.mailbox.mark_read("a", message.id)
            assert contents(obs) == "a"
            await trio.sleep(61)
            assert obs.mailbox.get_stats() == {}
            assert obs.statistics().mailbox.mailboxes == 0

    async def test_settings(self, open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
        """Age and interval can be set."""
        async with open_here(mailbox={"cleanup_age": 5, "cleanup_interval": 1}) as obs:
            await fill(obs, "a", 0)
            await trio.sleep(4.5)
            assert contents(obs) == "a"
            await trio.sleep(2)
            assert contents(obs) == ""

    async def test_many(self, open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
        """More than fits one batch goes in one cleanup, over all mailboxes; storage is compacted once."""
        storage = WatchedStorage()
        async with open_here(storage=storage, mailbox={"cleanup_age": 30}) as obs:
            for agent, count in (("a", 1_500), ("b", 1), ("c", 700)):
                receipts = [await obs.mailbox.send_message(agent, "x", "") for _ in range(count)]
                await obs.mailbox.mark_read(agent, *(receipt.message.id for receipt in receipts))
            await fill(obs, "x", to="d")
            await trio.sleep(60.5)
            assert list(obs.mailbox.get_stats()) == ["d"]
            assert storage.compacted == 1
            assert sum(isinstance(entry, Expired) for entry in storage.log) == 5

    async def test_nothing_to_do(self, open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
        """Then nothing is committed or compacted."""
        storage = WatchedStorage()
        async with open_here(storage=storage) as obs:
            await fill(obs, "a")
            await trio.sleep(HOUR)
            assert (len(storage.log), storage.compacted) == (1, 0)

    async def test_a_failed_commit(self, open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
        """Nothing goes, and a later cleanup does it."""
        storage = WatchedStorage()
        async with open_here(storage=storage, mailbox={"cleanup_age": 5}) as obs:
            await fill(obs, "abc", 2, 0)
            storage.failing = True
            await trio.sleep(120.5)
            assert storage.failures == 2
            assert contents(obs) == "abc"
            assert obs.statistics().mailbox.bytes == 3 * (MESSAGE_OVERHEAD + 1)
            storage.failing = False
            await trio.sleep(60)
            assert contents(obs) == "b"

    async def test_compacting_fails(self, open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
        """That is no reason to stop: messages go, and the Mailbox does not restart."""

        class Full(WatchedStorage):
            async def compact(self) -> None:
                self.failing = True
                try:
                    await super().compact()
                finally:
                    self.failing = False

        storage = Full()
        async with open_here(storage=storage, mailbox={"cleanup_age": 5}) as obs:
            for agent in ("a", "b"):
                await fill(obs, "a", 0, to=agent)
                await trio.sleep(60.5)
            assert storage.compacted == 2
            assert obs.mailbox.get_stats() == {}
            assert all(child.restarts == 0 for child in obs.health().children)

    async def test_while_closing(self, open_here: Open, autojump_clock: MockClock) -> None:
        """A cleanup that comes while lanes are drained is left out."""
        mailbox = {"cleanup_interval": 0.5}
        async with trio.open_nursery() as nursery, open_here(storage=SlowStorage(), mailbox=mailbox) as obs:
            send = obs.mailbox.send_message
            nursery.start_soon(send, "a", "x", "slow")
            await wait_all_tasks_blocked()
        assert contents(obs) == "slow"


class SlowStorage(FailingStorage):
    """Takes five seconds for each commit."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Wait, then commit."""
        await trio.sleep(5)
        return await super().append(batch)


class Ahead(RecordingChannel):
    """Has a message from a clock that is far ahead, and an older one behind it."""

    recovers: ClassVar[bool] = True

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Hand them over."""
        first, second, third = messages("a", "a", "a")
        await adopt([attrs.evolve(first, timestamp=datetime(9999, 1, 1, tzinfo=UTC)), second])
        await adopt([attrs.evolve(third, timestamp=datetime(9998, 1, 1, tzinfo=UTC))])


async def test_a_clock_that_is_ahead(open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
    """Messages from the future are as old as their time here, and so hold up the cleanup of none."""
    async with open_here(channels={"c": Ahead()}, mailbox={"cleanup_age": 5}) as obs:
        await fill(obs, "abc")
        sent = obs.mailbox.get_messages("a")
        await obs.mailbox.mark_read("a", *(message.id for message in sent[1:]))
        await trio.sleep(4)
        assert [message.timestamp.year for message in sent[-3:]] == [9998, sent[-2].timestamp.year, 9999]
        await trio.sleep(57)
        assert obs.mailbox.get_messages("a") == sent[:1]


async def test_a_clock_that_is_ahead_and_restarts(open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
    """What an Observatory that restarts often believes to be young holds up nobody either."""
    storage, mailbox = DurableStorage(), {"cleanup_age": 3, "cleanup_interval": 1}
    for life in range(4):
        async with open_here(storage=storage, channels={} if life else {"c": Ahead()}, mailbox=mailbox) as obs:
            if not life:
                await fill(obs, "a")
                await obs.mailbox.mark_read("a", *(message.id for message in obs.mailbox.get_messages("a")))
            await trio.sleep(1.5)
            left = {message.timestamp.year for message in obs.mailbox.get_messages("a")}
    assert left == {9998, 9999}
