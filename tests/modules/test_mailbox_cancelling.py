"""Cancelling a call anywhere leaves table, storage, delivery channels and subscribers in agreement."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    Gap,
    MailboxCleared,
    MemoryStorage,
    Message,
    MessagesRead,
    Observatory,
    Receipt,
    StoredMessage,
)
from observatory.testing import RecordingChannel, cancel_at_every_checkpoint

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class SlowChannel(RecordingChannel):
    """Takes a few steps for each batch, so that a call can be cancelled in the middle of them."""

    async def deliver(self, batch: Sequence[Any]) -> Sequence[Any]:
        """Deliver, slowly."""
        await trio.lowlevel.checkpoint()
        outcomes = await super().deliver(batch)
        await trio.lowlevel.checkpoint()
        return outcomes


class Bench:
    """An Observatory, and whatever else should agree with its table."""

    def __init__(self, obs: Observatory, storage: MemoryStorage, channel: RecordingChannel) -> None:
        self.obs = obs
        self.mailbox = obs.mailbox
        self._storage = storage
        self._channel = channel
        self._subscription = obs.pubsub.subscribe("agent:*", capacity=100_000)
        self._told: dict[str, Message] = {}  # unread messages, as a subscriber knows them

    async def send(self, content: str = "hello", to: str = "a") -> Message:
        """Send a message."""
        return (await self.mailbox.send_message(to, "x", content)).message

    def contents(self, agent: str = "a") -> list[str]:
        """Return what is unread, oldest first."""
        return [message.content for message in reversed(self.mailbox.get_messages(agent, unread_only=True))]

    async def check(self) -> None:
        """See that everybody knows the same, and that the Mailbox still works."""
        await self.send("still there", to="probe")
        await self.mailbox.clear_messages("probe")
        await wait_all_tasks_blocked()
        stored: list[StoredMessage] = []
        await self._storage.replay(stored.extend)
        for agent in {each.message.to for each in stored} | set(self.mailbox.get_stats()):
            mine = [each.message for each in stored if each.message.to == agent]
            assert self.mailbox.get_messages(agent, limit=100_000) == mine[::-1]
            unread = [message.id for message in mine if not message.read]
            assert self._channel.ids(agent) == unread
            assert self.mailbox.agent_stats(agent).unread == len(unread)
        await self._read_events()
        assert set(self._told) == {each.message.id for each in stored if not each.message.read}
        assert self.obs.statistics().mailbox.bytes == sum(size_of(each.message) for each in stored)
        assert all(child.restarts == 0 for child in self.obs.health().children)

    async def _read_events(self) -> None:
        for event in await self._subscription.receive_batch():
            if isinstance(event.payload, Message):
                self._told[event.payload.id] = event.payload
            elif isinstance(event.payload, MessagesRead):
                for id in event.payload.ids:
                    del self._told[id]
            else:
                assert isinstance(event.payload, MailboxCleared)
                owner = event.payload.to
                self._told = {id: message for id, message in self._told.items() if message.to != owner}


def size_of(message: Message) -> int:
    """Return what a message with texts in its metadata is counted for."""
    fields = [len(key) + 8 + len(text) for key, text in message.metadata.items()]
    return len(message.content) + (8 + sum(fields) if fields else 0)


@pytest.fixture
async def bench(open_here: Open) -> AsyncIterator[Bench]:
    """Return a bench with a required delivery channel that takes its time."""
    storage, channel = MemoryStorage(), SlowChannel()
    async with open_here(storage=storage, channels={"files": channel}, delivery={"required": ["files"]}) as obs:
        yield Bench(obs, storage, channel)


async def test_send_message(bench: Bench) -> None:
    """The message is everywhere or nowhere, and what was receipted is there."""
    numbers = itertools.count()
    receipts: list[Receipt] = []

    async def send() -> None:
        receipts.append(await bench.mailbox.send_message("a", "x", str(next(numbers))))

    assert await cancel_at_every_checkpoint(send, bench.check) >= 5
    contents = bench.contents()
    assert contents == sorted(contents, key=int)
    assert {receipt.message.content for receipt in receipts} <= set(contents)
    assert "0" not in contents  # cancelled before anything else: nothing has happened
    assert len(contents) > len(receipts)  # cancelled after the commit: the message stands


async def test_send_message_beside_others(bench: Bench) -> None:
    """Whoever shares a batch with a call that is cancelled gets a receipt."""

    async def send() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                others.start_soon(bench.send, "other")
            nursery.start_soon(bench.send, "mine")
            nursery.start_soon(bench.send, "mine", "b")

    runs = 0

    async def check() -> None:
        nonlocal runs
        runs += 1
        await wait_all_tasks_blocked()
        await bench.check()
        assert bench.contents().count("other") == 3 * runs

    async with trio.open_nursery() as others:
        await cancel_at_every_checkpoint(send, check)


async def test_send_message_that_evicts(open_here: Open) -> None:
    """What must go for a message goes with it, or stays."""
    storage, channel = MemoryStorage(), SlowChannel()
    async with open_here(
        storage=storage, channels={"files": channel}, delivery={"required": ["files"]}, mailbox={"max_messages": 2}
    ) as obs:
        bench = Bench(obs, storage, channel)
        numbers = itertools.count()

        async def check() -> None:
            await bench.check()
            messages = bench.mailbox.get_messages("a")
            assert len(messages) == 2
            await bench.mailbox.mark_read("a", *(message.id for message in messages))

        await bench.send("first")
        await bench.send("second")
        await check()
        await cancel_at_every_checkpoint(lambda: bench.send(str(next(numbers))), check)


async def test_broadcast_to_many(bench: Bench) -> None:
    """Everybody has got a copy, or nobody."""
    numbers = itertools.count()

    async def check() -> None:
        await bench.check()
        assert bench.contents("a") == bench.contents("b")

    async def broadcast() -> None:
        await bench.mailbox.broadcast_to_many(["a", "b"], "x", str(next(numbers)))

    assert await cancel_at_every_checkpoint(broadcast, check) >= 5
    assert bench.contents("a")


async def test_mark_read(bench: Bench) -> None:
    """The message is read everywhere or nowhere."""
    states: list[bool] = []
    message = await bench.send()

    async def check() -> None:
        nonlocal message
        await bench.check()
        states.append(bench.mailbox.unread_count("a") == 0)
        message = await bench.send()
        await bench.mailbox.mark_read("a", *(old.id for old in bench.mailbox.get_messages("a")[1:]))

    cancelled = await cancel_at_every_checkpoint(lambda: bench.mailbox.mark_read("a", message.id), check)
    assert cancelled >= 5
    assert (states[0], states[-1]) == (False, True)


async def test_clear_messages(bench: Bench) -> None:
    """Everything goes, or nothing."""
    states: list[int] = []

    async def fill() -> None:
        await bench.mailbox.clear_messages("a")
        for number in range(3):
            await bench.send(str(number))
        await bench.mailbox.mark_read("a", bench.mailbox.get_messages("a")[1].id)

    async def check() -> None:
        await bench.check()
        states.append(bench.mailbox.agent_stats("a").total)
        await fill()

    await fill()
    assert await cancel_at_every_checkpoint(lambda: bench.mailbox.clear_messages("a"), check) >= 5
    assert set(states) == {0, 3}


async def test_held_back(open_here: Open) -> None:
    """A call that is cancelled while too many others wait has not happened, or has."""
    storage, channel = MemoryStorage(), SlowChannel()
    async with open_here(
        storage=storage, channels={"files": channel}, delivery={"required": ["files"]}, mailbox={"max_requests": 1}
    ) as obs:
        bench = Bench(obs, storage, channel)

        async def send() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(bench.send)

        assert await cancel_at_every_checkpoint(send, bench.check) >= 10


async def test_receive(bench: Bench) -> None:
    """Receiving changes nothing, whether the message was there or comes."""

    async def receive() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.send)
            await bench.mailbox.receive("a")

    async def check() -> None:
        await bench.check()
        await bench.mailbox.clear_messages("a")

    assert await cancel_at_every_checkpoint(receive, check) >= 5


async def test_request(bench: Bench) -> None:
    """The question is there or not; a reply is an unread message, unless the asker has it."""
    answers: list[Message] = []

    async def answer() -> None:
        while True:
            question = await bench.mailbox.receive("answerer")
            await bench.mailbox.mark_read("answerer", question.id)
            await bench.mailbox.reply(question, question.content)

    async def ask() -> None:
        answers.append(await bench.mailbox.request("answerer", "asker", "what?"))

    async def check() -> None:
        await wait_all_tasks_blocked()
        await bench.check()
        assert bench.mailbox.agent_stats("answerer").total == bench.mailbox.agent_stats("asker").total
        assert bench.mailbox.unread_count("answerer") == 0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        assert await cancel_at_every_checkpoint(ask, check) >= 10
        nursery.cancel_scope.cancel()
    assert answers
    assert all(message.read for message in answers)
    assert bench.mailbox.agent_stats("asker").total > 1


async def test_subscribing(bench: Bench) -> None:
    """A subscription that was cancelled is gone, and the others miss nothing."""
    witness = bench.obs.pubsub.subscribe("agent:a")
    sent: list[str] = []
    seen: list[str] = []

    async def subscribe() -> None:
        async with bench.obs.pubsub.subscribe("agent:a") as subscription:
            sent.append((await bench.send()).id)
            assert [event.payload.id for event in await subscription.receive_batch()] == sent[-1:]

    async def check() -> None:
        await bench.check()
        await bench.send("probe")
        seen.extend(event.payload.id for event in await witness.receive_batch() if event.payload.content != "probe")
        assert bench.contents().count("hello") == len(seen)
        assert len(bench.obs.pubsub.statistics().subscriptions) == 2

    assert await cancel_at_every_checkpoint(subscribe, check) >= 5
    assert set(sent) <= set(seen)


async def test_reading_a_subscription(bench: Bench) -> None:
    """A cancelled read loses nothing: the next one gives what it would have given."""
    subscription = bench.obs.pubsub.subscribe("agent:a", capacity=100_000)
    got: list[str] = []
    numbers = itertools.count()

    async def read() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.send, str(next(numbers)))
            for event in await subscription.receive_batch():
                assert not isinstance(event.payload, Gap)
                got.append(event.payload.content)

    assert await cancel_at_every_checkpoint(read, bench.check) >= 5
    if subscription.statistics().pending:
        got.extend(event.payload.content for event in await subscription.receive_batch())
    assert got == bench.contents()


async def test_opening_and_closing(open_here: Open) -> None:
    """An Observatory that is cancelled while it opens or closes leaves what was committed in storage."""
    storage = MemoryStorage()
    contents: list[str] = []
    numbers = itertools.count()

    async def use() -> None:
        async with open_here(storage=storage, channels={"files": RecordingChannel()}) as obs:
            content = str(next(numbers))
            await obs.mailbox.send_message("a", "x", content)
            contents.append(content)

    async def check() -> None:
        async with open_here(storage=storage) as obs:
            found = [message.content for message in reversed(obs.mailbox.get_messages("a"))]
            assert set(contents) <= set(found)
            assert len(found) == len(set(found))

    assert await cancel_at_every_checkpoint(use, check) >= 10
