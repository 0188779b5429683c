"""Acknowledging what somebody else is acknowledging: both have it behind them when they return."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import Adopt, Gone, Job, Observatory, Outcome, OutcomeUnknownError
from observatory.testing import RecordingChannel


class Bringing(RecordingChannel):
    """Delivers only while its gate is open, and brings what the test wants."""

    watches = True
    adopt: Adopt

    def __init__(self) -> None:
        super().__init__()
        self.gate = trio.Event()
        self.gate.set()

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Wait at the gate, then deliver."""
        await self.gate.wait()
        return await super().deliver(batch)

    async def watch(
        self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep the callback for the test."""
        self.adopt = adopt
        task_status.started()
        await trio.sleep_forever()


Open = Callable[..., AbstractAsyncContextManager[Observatory]]


@pytest.mark.parametrize("together", [True, False])
async def test_a_message_that_is_being_taken_back(open_here: Open, gated_channel: Any, together: bool) -> None:
    """Whoever acknowledges it too, with the first or later, waits until it has been taken back."""
    gated_channel.gate.set()
    done: list[str] = []
    async with open_here(channels={"c": gated_channel}, delivery={"required": ("c",)}) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello")).message
        gated_channel.gate = trio.Event()

        async def acknowledge(name: str) -> None:
            await obs.mailbox.mark_read("a", message.id)
            done.append(name)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(acknowledge, "first")
            if not together:
                await wait_all_tasks_blocked()
            nursery.start_soon(acknowledge, "second")
            await wait_all_tasks_blocked()
            assert done == []
            gated_channel.gate.set()
    assert sorted(done) == ["first", "second"]


async def test_clearing_waits_for_what_is_being_taken_back(open_here: Open, gated_channel: Any) -> None:
    """Also for what somebody else has acknowledged just before."""
    gated_channel.gate.set()
    counts: list[int] = []
    async with open_here(channels={"c": gated_channel}, delivery={"required": ("c",)}) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello")).message
        gated_channel.gate = trio.Event()

        async def clear() -> None:
            counts.append(await obs.mailbox.clear_messages("a"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(obs.mailbox.mark_read, "a", message.id)
            await wait_all_tasks_blocked()
            nursery.start_soon(clear)
            await wait_all_tasks_blocked()
            assert counts == []
            gated_channel.gate.set()
    assert counts == [1]


async def test_a_message_that_is_taken_back_twice_at_once(open_here: Open) -> None:
    """Acknowledged, cleared, brought back by somebody else and acknowledged again: everybody returns."""
    channel = Bringing()
    done: list[str] = []

    async def note(name: str, call: Callable[[], Awaitable[object]]) -> None:
        await call()
        done.append(name)

    async with open_here(channels={"c": channel}, delivery={"required": ("c",)}) as obs, trio.open_nursery() as nursery:
        message = (await obs.mailbox.send_message("a", "x", "hello")).message
        channel.gate = trio.Event()
        nursery.start_soon(note, "first", lambda: obs.mailbox.mark_read("a", message.id))
        await wait_all_tasks_blocked()
        nursery.start_soon(note, "clear", lambda: obs.mailbox.clear_messages("a"))
        await wait_all_tasks_blocked()
        await channel.adopt([message])
        nursery.start_soon(note, "second", lambda: obs.mailbox.mark_read("a", message.id))
        await wait_all_tasks_blocked()
        assert done == []
        channel.gate.set()
    assert sorted(done) == ["clear", "first", "second"]


async def test_the_task_dies_with_the_first(
    open_here: Open, broken_storage: Any, gated_channel: Any, autojump_clock: MockClock
) -> None:
    """What was committed all the same is taken back, and whoever asks again waits for that."""
    gated_channel.gate.set()
    done: list[str] = []
    options: dict[str, Any] = {"channels": {"c": gated_channel}, "delivery": {"required": ("c",)}}
    async with open_here(storage=broken_storage, **options) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello")).message
        gated_channel.gate = trio.Event()
        broken_storage.breaks = "after"
        with pytest.raises(OutcomeUnknownError):
            await obs.mailbox.mark_read("a", message.id)
        await trio.sleep(30)  # it starts again

        async def acknowledge() -> None:
            await obs.mailbox.mark_read("a", message.id)
            done.append("again")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(acknowledge)
            await wait_all_tasks_blocked()
            assert done == []
            gated_channel.gate.set()
    assert gated_channel.delivered == []
