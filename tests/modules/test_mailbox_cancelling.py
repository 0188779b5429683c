"""Cancelling a call anywhere leaves table, storage, delivery channels and subscribers in agreement."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from observatory import Receipt
from observatory.testing import cancel_at_every_checkpoint

OpenBench = Callable[..., AbstractAsyncContextManager[Any]]


async def test_send_message(bench: Any) -> None:
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


async def test_send_message_beside_others(bench: Any) -> None:
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
        assert await cancel_at_every_checkpoint(send, check) >= 5


async def test_send_message_that_evicts(open_bench: OpenBench) -> None:
    """What must go for a message goes with it, or stays."""
    async with open_bench(mailbox={"max_messages": 2}) as bench:
        numbers = itertools.count()

        async def check() -> None:
            await bench.check()
            messages = bench.mailbox.get_messages("a")
            assert len(messages) == 2
            await bench.mailbox.mark_read("a", *(message.id for message in messages))

        await bench.send("first")
        await bench.send("second")
        await check()
        assert await cancel_at_every_checkpoint(lambda: bench.send(str(next(numbers))), check) >= 5
        assert bench.restarts == 0


async def test_broadcast_to_many(bench: Any) -> None:
    """Everybody has got a copy, or nobody."""
    numbers = itertools.count()

    async def check() -> None:
        await bench.check()
        assert bench.contents("a") == bench.contents("b")

    async def broadcast() -> None:
        await bench.mailbox.broadcast_to_many(["a", "b"], "x", str(next(numbers)))

    assert await cancel_at_every_checkpoint(broadcast, check) >= 5
    assert bench.contents("a")


async def test_mark_read(bench: Any) -> None:
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


async def test_clear_messages(bench: Any) -> None:
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


async def test_held_back(open_bench: OpenBench) -> None:
    """A call that is cancelled while too many others wait has not happened, or has."""
    async with open_bench(mailbox={"max_requests": 1}) as bench:

        async def send() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(bench.send)

        assert await cancel_at_every_checkpoint(send, bench.check) >= 10
        assert bench.restarts == 0
