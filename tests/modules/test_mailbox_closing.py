"""When an Observatory is cancelled, nobody outside of it waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import ClosedError, EssentialChildError, Observatory, OutcomeUnknownError

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


async def test_requests(open_here: Open, broken_storage: Any) -> None:
    """What is in hand has an unknown outcome, what waits has not happened, and nothing is accepted any more."""
    broken_storage.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with open_here(storage=broken_storage, mailbox={"max_requests": 1}) as obs:
                send = obs.mailbox.send_message
                nursery.start_soon(expect, OutcomeUnknownError, "in hand", send, "a", "x", "")
                await wait_all_tasks_blocked()
                for _ in range(3):  # one waits, two are held back
                    nursery.start_soon(expect, ClosedError, "nothing has happened", send, "a", "x", "")
                await wait_all_tasks_blocked()
                scope.cancel()
                await trio.sleep_forever()
    await expect(ClosedError, "closing", obs.mailbox.send_message, "a", "x", "")
    await expect(ClosedError, "closing", obs.mailbox.mark_read, "a", "0" * 16)


async def test_waiting_for_messages(open_here: Open) -> None:
    """`receive` and `request` say that nothing will come."""
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with open_here() as obs:
                receive, request = obs.mailbox.receive, obs.mailbox.request
                nursery.start_soon(expect, ClosedError, "no message will come", receive, "a")
                nursery.start_soon(expect, ClosedError, "has not come", request, "b", "x", "?")
                await wait_all_tasks_blocked()
                scope.cancel()
                await trio.sleep_forever()
    await expect(ClosedError, "no message will come", obs.mailbox.receive, "a")


async def expect(kind: type[Exception], match: str, function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function that must raise."""
    with pytest.raises(kind, match=match):
        await function(*arguments)


async def test_while_the_mailbox_backs_off(open_here: Open, broken_storage: Any) -> None:
    """Whoever waits for the next run of the Mailbox's task is told that there will be none."""
    broken_storage.breaks = "before"
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with open_here(storage=broken_storage) as obs:
                send, receive = obs.mailbox.send_message, obs.mailbox.receive
                nursery.start_soon(expect, ClosedError, "no message will come", receive, "a")
                await expect(OutcomeUnknownError, "in hand", send, "a", "x", "")
                nursery.start_soon(expect, ClosedError, "nothing has happened", send, "a", "x", "")
                await wait_all_tasks_blocked()
                scope.cancel()
                await trio.sleep_forever()


async def test_after_the_mailbox_has_failed_for_good(
    open_here: Open, broken_storage: Any, autojump_clock: MockClock
) -> None:
    """Nobody waits for a Mailbox that is gone."""
    opened: list[Observatory] = []

    async def use() -> None:
        async with open_here(storage=broken_storage) as obs:
            opened.append(obs)
            broken_storage.breaks, broken_storage.replays_fail = "before", 100
            await expect(OutcomeUnknownError, "in hand", obs.mailbox.send_message, "a", "x", "")
            await trio.sleep_forever()

    await expect(EssentialChildError, "failed for good", use)
    await expect(ClosedError, "closing", opened[0].mailbox.send_message, "a", "x", "")
    await expect(ClosedError, "no message will come", opened[0].mailbox.receive, "a")
