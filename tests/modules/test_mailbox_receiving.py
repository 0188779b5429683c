"""Waiting for messages: `receive`."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    Entry,
    InvalidInputError,
    Message,
    Observatory,
    StorageBackend,
    Stored,
    UnknownMessageError,
)

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class HastyStorage(StorageBackend):
    """Numbers messages without letting anybody else run in between, once its gate is open."""

    def __init__(self) -> None:
        self.gate = trio.Event()
        self._numbers = itertools.count(1)

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Number the messages of the batch."""
        if not self.gate.is_set():
            await self.gate.wait()
        return [next(self._numbers) for entry in batch if isinstance(entry, Message)]

    async def replay(self, apply: Callable[[Sequence[Stored]], None]) -> None:
        """Remember nothing."""
        await trio.lowlevel.checkpoint()


class Received:
    """A task that waits for one message, and what it got."""

    def __init__(self, obs: Observatory, nursery: trio.Nursery, agent: str = "a", **arguments: Any) -> None:
        self.message: Message | None = None
        nursery.start_soon(self._run, partial(obs.mailbox.receive, agent, **arguments))

    async def _run(self, receive: Callable[[], Awaitable[Message]]) -> None:
        self.message = await receive()


class TestReceive:
    """`receive` waits for the oldest unread message."""

    async def test_what_is_there(self, open_here: Open) -> None:
        """The oldest unread one comes at once, and stays unread until it is acknowledged."""
        async with open_here() as obs:
            first = (await obs.mailbox.send_message("a", "b", "first")).message
            second = (await obs.mailbox.send_message("a", "b", "second")).message
            assert await obs.mailbox.receive("a") == first
            assert await obs.mailbox.receive("a") == first
            await obs.mailbox.mark_read("a", first.id)
            assert await obs.mailbox.receive("a") == second

    async def test_what_comes(self, open_here: Open) -> None:
        """Everybody who waits for an agent's message is woken by it, and nobody else."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            waiting = [Received(obs, nursery), Received(obs, nursery), Received(obs, nursery, "b")]
            await wait_all_tasks_blocked()
            message = (await obs.mailbox.send_message("a", "x", "hello")).message
            await wait_all_tasks_blocked()
            assert [received.message for received in waiting] == [message, message, None]
            nursery.cancel_scope.cancel()

    async def test_after(self, open_here: Open) -> None:
        """Only what is newer than a message counts; what is read in between is passed over."""
        async with open_here() as obs:
            messages = [(await obs.mailbox.send_message("a", "b", "")).message for _ in range(4)]
            assert await obs.mailbox.receive("a", after=messages[0].id) == messages[1]
            await obs.mailbox.mark_read("a", messages[1].id, messages[2].id)
            assert await obs.mailbox.receive("a", after=messages[0].id) == messages[3]
            assert await obs.mailbox.receive("a", after=messages[2].id) == messages[3]

    async def test_after_the_newest(self, open_here: Open) -> None:
        """It waits although older ones are unread, and gets the first that comes."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            first = (await obs.mailbox.send_message("a", "b", "first")).message
            received = Received(obs, nursery, after=first.id)
            await wait_all_tasks_blocked()
            second, third = await send_together(obs, "second", "third")
            assert received.message == second
            assert await obs.mailbox.receive("a", after=second.id) == third

    async def test_after_one_that_leaves_meanwhile(self, open_here: Open) -> None:
        """What it waits behind may be cleared, or be evicted by the very message that comes."""
        async with open_here(mailbox={"max_messages": 1}) as obs, trio.open_nursery() as nursery:
            first = (await obs.mailbox.send_message("a", "b", "first")).message
            await obs.mailbox.mark_read("a", first.id)
            received = Received(obs, nursery, after=first.id)
            await wait_all_tasks_blocked()
            second = (await obs.mailbox.send_message("a", "b", "second")).message
            await wait_all_tasks_blocked()
            assert received.message == second

    async def test_one_that_is_gone_before_the_waiting_task_runs(self, open_here: Open) -> None:
        """Whoever finds nothing after being woken goes on waiting."""
        storage = HastyStorage()
        async with open_here(storage=storage) as obs:
            for _ in range(10):  # which of two tasks Trio runs first is left to chance
                storage.gate = trio.Event()
                async with trio.open_nursery() as nursery:
                    received = Received(obs, nursery)
                    nursery.start_soon(obs.mailbox.send_message, "a", "b", "first")
                    await wait_all_tasks_blocked()
                    nursery.start_soon(obs.mailbox.clear_messages, "a")
                    await wait_all_tasks_blocked()
                    storage.gate.set()
                    await wait_all_tasks_blocked()
                    if received.message is None:
                        await obs.mailbox.send_message("a", "b", "second")
                    await wait_all_tasks_blocked()
                    assert received.message is not None
                await obs.mailbox.clear_messages("a")

    async def test_cancelled(self, open_here: Open, cancelled_while_waiting: Any) -> None:
        """Others who wait go on waiting, and the message is theirs."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            received = Received(obs, nursery)
            assert await cancelled_while_waiting(obs.mailbox.receive, "a")
            message = (await obs.mailbox.send_message("a", "b", "hello")).message
            await wait_all_tasks_blocked()
            assert received.message == message

    async def test_unknown_after(self, open_here: Open) -> None:
        """A message that the mailbox does not hold is no place to wait behind."""
        async with open_here() as obs:
            with pytest.raises(UnknownMessageError):
                await obs.mailbox.receive("a", after="0" * 16)

    @pytest.mark.parametrize(("agent", "after", "field"), [("../a", None, "agent"), ("a", ["x"], "after")])
    async def test_bad_arguments(self, open_here: Open, agent: Any, after: Any, field: str) -> None:
        """They are errors at once, not tasks that wait for ever."""
        async with open_here() as obs:
            with pytest.raises(InvalidInputError, match=f"^{field}: "):
                await obs.mailbox.receive(agent, after=after)

    async def test_closing(self, open_here: Open, expect_closed: Any) -> None:
        """Who waits is told that nothing will come; what is there can still be had."""
        async with trio.open_nursery() as nursery, open_here() as obs:
            receive = obs.mailbox.receive
            nursery.start_soon(expect_closed, receive, "a")
            await obs.mailbox.send_message("b", "x", "hello")
            await wait_all_tasks_blocked()
        await expect_closed(obs.mailbox.receive, "a")
        assert (await obs.mailbox.receive("b")).content == "hello"


async def send_together(obs: Observatory, *contents: str) -> list[Message]:
    """Send messages to a as one batch."""
    async with trio.open_nursery() as nursery:
        for content in contents:
            nursery.start_soon(obs.mailbox.send_message, "a", "b", content)
    await wait_all_tasks_blocked()
    return obs.mailbox.get_messages("a", limit=len(contents))[::-1]
