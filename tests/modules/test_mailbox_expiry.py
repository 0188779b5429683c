"""Expiry: mail that nobody acknowledges in time leaves the mailbox, and is a dead letter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    InvalidInputError,
    Message,
    MessagesExpired,
    Observatory,
    PluginError,
)
from observatory.testing import DurableStorage, FailingChannel, FailingStorage, RecordingChannel, StuckChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


async def send(obs: Observatory, seconds: float | None = 10, content: str = "hello", to: str = "a") -> Message:
    """Send a message that expires."""
    return (await obs.mailbox.send_message(to, "x", content, expires_in=seconds)).message


async def test_in_time(open_here: Open, autojump_clock: MockClock) -> None:
    """It leaves table and delivery channels when its time is over, not before, and subscribers hear of it."""
    channel = RecordingChannel()
    async with open_here(channels={"c": channel}) as obs, obs.pubsub.subscribe("agent:a") as subscription:
        message = await send(obs)
        await trio.sleep(9.9)
        assert obs.mailbox.get_messages("a") == channel.delivered == [message]
        await trio.sleep(0.2)
        assert obs.mailbox.get_messages("a") == channel.delivered == []
        assert obs.mailbox.statistics().bytes == obs.mailbox.statistics().mailboxes == 0
        payloads = [event.payload for event in await subscription.receive_batch()]
        assert payloads == [message, MessagesExpired("a", (message.id,))]


async def test_the_dead_letter(open_here: Open, autojump_clock: MockClock) -> None:
    """It says why, and holds the message."""
    async with open_here() as obs:
        message = await send(obs)
        await trio.sleep(11)
        (letter,) = obs.dead_letters()
        assert (letter.message, letter.channel, letter.attempts) == (message, "mailbox", 0)
        assert letter.error == "nobody acknowledged it in time"


async def test_the_receipt(open_here: Open) -> None:
    """It tells when."""
    async with open_here() as obs:
        receipt = await obs.mailbox.send_message("a", "x", "", expires_in=1.5)
        assert receipt.expires_at is not None
        assert (receipt.expires_at - receipt.message.timestamp).total_seconds() == 1.5
        assert (await obs.mailbox.send_message("a", "x", "")).expires_at is None


async def test_acknowledged_in_time(open_here: Open, autojump_clock: MockClock) -> None:
    """Then it stays as any other read message does."""
    async with open_here() as obs:
        message = await send(obs)
        await obs.mailbox.mark_read("a", message.id)
        await trio.sleep(20)
        assert len(obs.mailbox.get_messages("a")) == 1
        assert obs.dead_letters() == ()


async def test_the_earliest_first(open_here: Open, autojump_clock: MockClock) -> None:
    """One that comes later and expires earlier does so, between others of the same mailbox."""
    async with open_here() as obs:
        for content, seconds in (("late", 20), ("early", 5), ("never", None), ("middle", 10)):
            await send(obs, seconds, content)
        left = []
        for _ in range(4):
            left.append([message.content for message in obs.mailbox.get_messages("a")])
            await trio.sleep(6)
        assert left[0] == ["middle", "never", "early", "late"]
        assert left[1] == ["middle", "never", "late"]
        assert left[2] == ["never", "late"]
        assert left[3] == ["never", "late"]
        await trio.sleep(1)
        assert obs.mailbox.unread_count("a") == 1


async def test_many(open_here: Open, autojump_clock: MockClock) -> None:
    """More than a batch of them go at once, and those that were acknowledged are forgotten on the way."""
    async with open_here() as obs:
        for number in range(1_500):
            message = await send(obs, to=f"agent-{number % 7}")
            if number % 2:
                await obs.mailbox.mark_read(message.to, message.id)
        await trio.sleep(11)
        assert sum(stats.unread for stats in obs.mailbox.get_stats().values()) == 0
        assert len(obs.dead_letters()) == 750


async def test_a_full_mailbox_has_room_again(open_here: Open, autojump_clock: MockClock) -> None:
    """Mail for who is gone does not fill the mailbox for ever."""
    async with open_here(mailbox={"max_messages": 3}) as obs:
        for _ in range(3):
            await send(obs)
        await trio.sleep(11)
        await send(obs)
        assert obs.mailbox.unread_count("a") == 1


async def test_sent_again(open_here: Open, autojump_clock: MockClock) -> None:
    """Delivered again, it is a new message with the same content, which expires no more."""
    channel = RecordingChannel()
    async with open_here(channels={"c": channel}) as obs:
        message = await send(obs, content="expires")
        await trio.sleep(11)
        other = await send(obs, None, content="other")
        assert await obs.redeliver([other.id]) == 0
        assert await obs.redeliver([message.id]) == 1
        await trio.sleep(100)
        again, _ = obs.mailbox.get_messages("a")
        assert (again.content, again.from_, again.read) == ("expires", "x", False)
        assert again.id != message.id
        assert channel.delivered == [other, again]
        assert obs.dead_letters() == ()


async def test_put_back_without_room(open_here: Open, autojump_clock: MockClock) -> None:
    """What has no room stays a dead letter."""
    async with open_here(mailbox={"max_messages": 1}) as obs:
        await send(obs)
        await trio.sleep(11)
        await send(obs, None)
        assert await obs.redeliver() == 0
        assert len(obs.dead_letters()) == 1


async def test_put_back_twice_at_once(open_here: Open, autojump_clock: MockClock) -> None:
    """It is there once."""
    async with open_here() as obs:
        await send(obs)
        await trio.sleep(11)
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(obs.redeliver)
        assert len(obs.mailbox.get_messages("a")) == 1


async def test_the_commit_fails(open_here: Open, autojump_clock: MockClock) -> None:
    """It stays until it can be committed."""
    storage = FailingStorage()
    async with open_here(storage=storage) as obs:
        await send(obs)
        storage.failing = True
        await trio.sleep(15)
        assert obs.mailbox.unread_count("a") == 1
        assert 3 <= storage.failures <= 7
        storage.failing = False
        await trio.sleep(2)
        assert obs.mailbox.unread_count("a") == 0


async def test_after_a_restart(open_here: Open, autojump_clock: MockClock) -> None:
    """A storage backend that is durable keeps the time, and the dead letter."""
    storage = DurableStorage()
    async with open_here(storage=storage) as obs:
        early, late = await send(obs, 5), await send(obs, 100)
        await trio.sleep(6)
    async with open_here(storage=storage) as obs:
        assert [letter.message for letter in obs.dead_letters()] == [early]
        assert obs.mailbox.get_messages("a") == [late]
        await trio.sleep(100)
        assert obs.mailbox.get_messages("a") == []
        assert await obs.redeliver() == 2
    async with open_here(storage=storage) as obs:
        assert obs.dead_letters() == ()
        assert obs.mailbox.unread_count("a") == 2


async def test_what_still_fails_to_be_delivered(open_here: Open, autojump_clock: MockClock) -> None:
    """It expires all the same, and is tried no more."""
    channel = FailingChannel()
    async with open_here(channels={"c": channel}, delivery={"required": ("c",)}) as obs:
        await send(obs, 2)
        await wait_all_tasks_blocked()
        await trio.sleep(60)
        assert [letter.channel for letter in obs.dead_letters()] == ["mailbox"]
        channel.left["a"] = 0


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "10", 1e10])
async def test_what_is_no_time(open_here: Open, seconds: Any) -> None:
    """The error says what is allowed."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError, match="expires_in: expected seconds above 0 and up to 315,360,000"):
            await send(obs, seconds)
        assert obs.mailbox.get_messages("a") == []


class Files(RecordingChannel):
    """Keeps what was delivered for the next Observatory, and may fail to take it back."""

    recovers = True

    async def recover(self, agents: Any, adopt: Any) -> None:
        """Hand over what is there."""
        await adopt(self.delivered)


async def test_a_file_that_was_not_taken_back(open_here: Open, autojump_clock: MockClock) -> None:
    """What expired does not come back as unread at the next start, and its file goes."""
    storage, files = DurableStorage(), Files()
    async with open_here(storage=storage, channels={"c": files}) as obs:
        message = await send(obs)
        await trio.sleep(11)
    files.delivered = [message]
    async with open_here(storage=storage, channels={"c": files}) as obs:
        await wait_all_tasks_blocked()
        assert obs.mailbox.get_messages("a") == files.delivered == []
        assert [letter.message.id for letter in obs.dead_letters()] == [message.id]


async def test_what_is_owed_does_not_reach_what_is_sent_again(open_here: Open, autojump_clock: MockClock) -> None:
    """A retraction that comes late takes back the expired message, and not the one that was sent in its place."""
    channel = FailingChannel(times=0)
    async with open_here(channels={"c": channel}) as obs:
        await send(obs)
        await wait_all_tasks_blocked()
        channel.left["a"] = 1
        await trio.sleep(10.02)
        assert await obs.redeliver() == 1
        await trio.sleep(60)
        assert channel.delivered == obs.mailbox.get_messages("a")
        assert len(channel.delivered) == 1


async def test_beside_a_lane_that_is_almost_full(open_here: Open, autojump_clock: MockClock) -> None:
    """One message that expires needs room for one retraction, and holds nobody up."""
    delivery = {"required": ("c",), "lane_capacity": 20}
    with trio.CancelScope() as scope:
        async with open_here(channels={"c": StuckChannel()}, delivery=delivery) as obs, trio.open_nursery() as nursery:
            nursery.start_soon(send, obs)
            nursery.start_soon(send, obs, None, "other", "b")
            await trio.sleep(11)
            assert obs.mailbox.unread_count("a") == 0
            nursery.start_soon(send, obs, None, "third", "b")
            await trio.sleep(1)
            assert obs.mailbox.unread_count("b") == 2
            scope.cancel()


async def test_the_name_of_a_delivery_channel(open_here: Open) -> None:
    """None may be called what stands for the mailbox in a dead letter."""
    with pytest.raises(PluginError, match="the name for what expires in a mailbox; choose another"):
        async with open_here(channels={"mailbox": RecordingChannel()}):
            pytest.fail("it has opened")
