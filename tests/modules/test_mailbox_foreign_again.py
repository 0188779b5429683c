"""What another process writes again although it was acknowledged, has expired, or is no message."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import Adopt, Gone, Observatory, Retraction, StoredMessage
from observatory.testing import DurableStorage, RecordingChannel
from observatory.testing.samples import messages

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
REQUIRED = {"required": ("w",)}


class WatchingChannel(RecordingChannel):
    """Tells what the test wants it to tell."""

    recovers = True
    watches = True
    adopt: Adopt

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Find nothing."""
        await trio.lowlevel.checkpoint()

    async def watch(
        self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep the callback for the test."""
        self.adopt = adopt
        task_status.started()
        await trio.sleep_forever()


async def test_what_was_acknowledged_is_taken_back_again(open_here: Open) -> None:
    """It is not unread again, and does not stay where somebody has put it."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}, delivery=REQUIRED) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello")).message
        await obs.mailbox.mark_read("a", message.id)
        channel.batches.clear()
        await channel.adopt([message])
        await wait_all_tasks_blocked()
        assert channel.jobs == [Retraction("a", message.id)]
        assert obs.mailbox.unread_count("a") == 0


async def test_what_is_unread_stays_where_it_is(open_here: Open) -> None:
    """Whoever finds it there finds what belongs there."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}, delivery=REQUIRED) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello")).message
        channel.batches.clear()
        await channel.adopt([message])
        await wait_all_tasks_blocked()
        assert channel.jobs == []


async def test_what_has_expired_is_taken_back_again(open_here: Open, autojump_clock: MockClock) -> None:
    """It is a dead letter, and no message any more."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}, delivery=REQUIRED) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello", expires_in=10)).message
        await trio.sleep(11)
        await channel.adopt([message])
        await wait_all_tasks_blocked()
        assert channel.jobs[-1] == Retraction("a", message.id)
        assert obs.mailbox.get_messages("a") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "\udcff"},
        {"id": "x" * 129},
        {"id": 7},
        {"timestamp": datetime(2026, 11, 21)},
        {"timestamp": "2026-11-21"},
        {"timestamp": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))},
    ],
    ids=["surrogate", "long", "no text", "naive", "no time", "no year"],
)
async def test_what_is_no_message_is_left_behind(open_here: Open, changes: dict[str, Any]) -> None:
    """It does not come into the table, nor into storage, and everything goes on."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}, delivery=REQUIRED) as obs:
        good, bad = messages("a", "a")
        await channel.adopt([attrs.evolve(bad, **changes), good])
        assert obs.mailbox.get_messages("a") == [good]
        assert obs.statistics().mailbox.left_behind == 1
        assert obs.health().healthy


async def test_another_offset_is_a_time(open_here: Open) -> None:
    """Whatever the offset from UTC, it is the same moment."""
    channel = WatchingChannel()
    async with open_here(channels={"w": channel}, delivery=REQUIRED) as obs:
        (message,) = messages("a")
        moment = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2)))
        await channel.adopt([attrs.evolve(message, timestamp=moment)])
        assert obs.mailbox.get_messages("a")[0].timestamp == datetime(2026, 11, 21, 10, tzinfo=UTC)


async def test_what_storage_holds_and_had_no_room_is_not_stored_again(open_here: Open) -> None:
    """Not even once there is room: at the next start there would be two of it."""
    storage, channel = DurableStorage(), WatchingChannel()
    sent = messages("a", "a")
    await storage.append(sent)
    options: dict[str, Any] = {"storage": storage, "channels": {"w": channel}, "delivery": REQUIRED}
    async with open_here(mailbox={"max_messages": 1}, **options) as obs:
        (held,) = obs.mailbox.get_messages("a")
        await obs.mailbox.mark_read("a", held.id)
        await channel.adopt([message for message in sent if message != held])
    stored: list[Any] = []
    await storage.replay(stored.extend)
    ids = [each.message.id for each in stored if isinstance(each, StoredMessage)]
    assert sorted(ids) == sorted(message.id for message in sent)
