"""What expires, and is sent again, beside commits that fail: it happens once, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import (
    DeadLetter,
    Entry,
    MemoryStorage,
    Message,
    MessagesExpired,
    Observatory,
    OutcomeUnknownError,
)
from observatory.modules.expiry import Expiries

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class CountingStorage(MemoryStorage):
    """Counts the commits."""

    commits = 0

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Count one more."""
        self.commits += 1
        return await super().append(batch)


async def send(obs: Observatory) -> Message:
    """Send a message that expires after 10 s."""
    return (await obs.mailbox.send_message("a", "x", "hello", expires_in=10)).message


async def test_sent_again_and_restarted(open_here: Open, autojump_clock: MockClock) -> None:
    """The dead letter leaves with the same commit: it cannot be sent twice, whatever comes between."""
    storage = CountingStorage()
    async with open_here(storage=storage) as obs:
        await send(obs)
        await trio.sleep(11)
        commits = storage.commits
        assert await obs.redeliver() == 1
        assert storage.commits == commits + 1
        stored: list[Any] = []
        await storage.replay(stored.extend)
        assert not any(isinstance(each, DeadLetter) for each in stored)


async def test_the_task_dies_with_it(open_here: Open, broken_storage: Any, autojump_clock: MockClock) -> None:
    """What was committed all the same is a dead letter, and subscribers hear of it."""
    async with open_here(storage=broken_storage) as obs, obs.pubsub.subscribe("agent:a") as subscription:
        message = await send(obs)
        broken_storage.breaks = "after"
        await trio.sleep(30)
        assert obs.mailbox.get_messages("a") == []
        assert [letter.message for letter in obs.dead_letters()] == [message]
        payloads = [event.payload for event in await subscription.receive_batch()]
        assert payloads == [message, MessagesExpired("a", (message.id,))]
        assert await obs.redeliver() == 1


async def test_the_task_dies_while_it_is_sent_again(
    open_here: Open, broken_storage: Any, autojump_clock: MockClock
) -> None:
    """What was committed all the same is no dead letter any more, and is not sent a second time."""
    async with open_here(storage=broken_storage) as obs:
        await send(obs)
        await trio.sleep(11)
        broken_storage.breaks = "after"
        with pytest.raises(OutcomeUnknownError):
            await obs.redeliver()
        await trio.sleep(30)
        assert obs.dead_letters() == ()
        assert await obs.redeliver() == 0
        assert len(obs.mailbox.get_messages("a")) == 1


async def test_what_is_forgotten_leaves_storage(open_here: Open, autojump_clock: MockClock) -> None:
    """Dead letters beyond their bound do not stay in a storage in memory."""
    storage = CountingStorage()
    async with open_here(storage=storage, delivery={"dead_letters": 2}) as obs:
        for _ in range(5):
            await send(obs)
        await trio.sleep(100)
        kept: list[Any] = []
        await storage.replay(kept.extend)
        assert {each.message.id for each in kept} == {letter.message.id for letter in obs.dead_letters()}
        assert len(kept) == 2


def test_times_of_what_was_acknowledged_are_forgotten() -> None:
    """Long before they come: what is kept is in proportion to what is unread."""
    later = datetime(2036, 1, 1, tzinfo=UTC)
    expiries = Expiries()
    for number in range(5_000):
        expiries.add(later, "a", f"{number}", lambda to, id: None)
    asked: list[str] = []
    assert expiries.due(later, 10_000, lambda to, id: asked.append(id)) == []
    assert len(asked) <= 1_000
