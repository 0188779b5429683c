"""Dead letters in storage that lasts: they survive a restart, and leave storage when they are settled."""

import math
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    DeadLetter,
    Message,
    Observatory,
    Settled,
)
from observatory.testing import FailingChannel, RecordingChannel


async def send(observatory: Observatory, to: str = "a") -> Message:
    """Send a message."""
    return (await observatory.mailbox.send_message(to, "x", "hello")).message


async def test_dead_letters_survive(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """After a restart they are listed, are not tried by themselves, and can be delivered again."""
    storage = durable_storage

    class Recovering(RecordingChannel):
        recovers = True

        async def recover(self, agents: Any, adopt: Any) -> None:
            await trio.lowlevel.checkpoint()

    async with open_with({"c": FailingChannel()}, storage=storage, retry_attempts=1) as observatory:
        message = await send(observatory)
        await wait_all_tasks_blocked()
        letters = observatory.dead_letters()
        assert len(letters) == 1
    channel = Recovering()
    async with open_with({"c": channel}, storage=storage) as observatory:
        await trio.sleep(10)
        assert (observatory.dead_letters(), channel.delivered) == (letters, [])
        assert await observatory.redeliver() == 1
        await wait_all_tasks_blocked()
        assert channel.delivered == [message]
    assert storage.told(Settled) == [Settled("c", (message.id,))]
    async with open_with({"c": Recovering()}, storage=storage) as observatory:
        assert observatory.dead_letters() == ()


async def test_an_acknowledged_dead_letter_is_settled(
    open_with: Any, durable_storage: Any, autojump_clock: MockClock
) -> None:
    """It is gone after a restart as well."""
    storage = durable_storage
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage, drain=0.0) as observatory:
        message = await send(observatory)
        await trio.sleep(2)
        assert len(storage.told(DeadLetter)) == 1
        await observatory.mailbox.mark_read("a", message.id)
    async with open_with({"c": RecordingChannel()}, storage=storage) as observatory:
        assert observatory.dead_letters() == ()


async def test_the_oldest_dead_letter_is_settled(
    open_with: Any, durable_storage: Any, autojump_clock: MockClock
) -> None:
    """What had to go at the bound leaves storage, too."""
    storage = durable_storage
    channel = FailingChannel(math.inf, permanent=True)
    async with open_with({"c": channel}, storage=storage, dead_letters=2) as observatory:
        messages = [await send(observatory) for _ in range(3)]
        await wait_all_tasks_blocked()
        listed = observatory.dead_letters()
        assert [letter.message for letter in listed] == messages[1:]
    async with open_with({"c": RecordingChannel()}, storage=storage) as observatory:
        assert observatory.dead_letters() == listed


async def test_a_dead_letter_without_its_message(
    open_with: Any, durable_storage: Any, autojump_clock: MockClock
) -> None:
    """A letter that a crash has left although its message was acknowledged is passed over."""
    storage = durable_storage
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage) as observatory:
        message = await send(observatory)
        await wait_all_tasks_blocked()
        (letter,) = observatory.dead_letters()
        await observatory.mailbox.mark_read("a", message.id)
    await storage.append([letter])
    async with open_with({"c": RecordingChannel()}, storage=storage, recover=()) as observatory:
        assert observatory.dead_letters() == ()


async def test_two_who_tell_at_once(open_with: Any, durable_storage: Any, autojump_clock: MockClock) -> None:
    """What changes while two commits of the ledger wait is told all the same."""
    storage = durable_storage
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage) as observatory:
        await send(observatory)
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(observatory.mailbox.record)
            nursery.start_soon(send, observatory)
        await wait_all_tasks_blocked()
    listed = observatory.dead_letters()
    kept: list[Any] = []
    await storage.replay(kept.extend)
    assert [each for each in kept if isinstance(each, DeadLetter)] == list(listed)
    assert len(listed) == 2


async def test_dead_letters_that_come_and_go_untold(
    open_with: Any, durable_storage: Any, autojump_clock: MockClock
) -> None:
    """Of a letter that storage never heard of, it does not hear that it is settled, either."""
    storage = durable_storage
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage) as observatory:
        storage.deaf = True
        message = await send(observatory)
        await wait_all_tasks_blocked()
        await observatory.mailbox.mark_read("a", message.id)
        storage.deaf = False
        await trio.sleep(2)
        assert storage.told(DeadLetter) == storage.told(Settled) == []


async def test_a_dead_letter_that_is_tried_again_while_storage_is_told(
    open_with: Any, durable_storage: Any, autojump_clock: MockClock
) -> None:
    """When it is given up once more, storage holds the newer letter."""
    storage = durable_storage
    storage.seconds = 3.0
    async with open_with({"c": FailingChannel(permanent=True)}, storage=storage) as observatory:
        message = await send(observatory)
        await trio.sleep(1.5)
        assert await observatory.redeliver() == 1
        await trio.sleep(10)
        listed = observatory.dead_letters()
        assert [letter.message for letter in listed] == [message]
    kept: list[Any] = []
    await storage.replay(kept.extend)
    assert [each for each in kept if isinstance(each, DeadLetter)] == list(listed)
