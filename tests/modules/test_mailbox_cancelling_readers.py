"""Cancelling whoever waits for something, and whoever opens and closes, leaves everything in agreement."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    Gap,
    MemoryStorage,
    Message,
    Observatory,
)
from observatory.testing import RecordingChannel, cancel_at_every_checkpoint

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
OpenBench = Callable[..., AbstractAsyncContextManager[Any]]


async def test_receive(bench: Any) -> None:
    """Receiving changes nothing, whether the message was there or comes."""

    async def receive() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.send)
            await bench.mailbox.receive("a")

    async def check() -> None:
        await bench.check()
        await bench.mailbox.clear_messages("a")

    assert await cancel_at_every_checkpoint(receive, check) >= 5


async def test_request(bench: Any) -> None:
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


async def test_subscribing(bench: Any) -> None:
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
        topics = [each.topic for each in bench.obs.pubsub.statistics().subscriptions]
        assert topics.count("agent:a") == 1

    assert await cancel_at_every_checkpoint(subscribe, check) >= 5
    assert set(sent) <= set(seen)


async def test_reading_a_subscription(bench: Any) -> None:
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
