"""Cancelling at every checkpoint: everywhere, once, and until the end."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory.testing import cancel_at_every_checkpoint


async def test_everywhere() -> None:
    """A function of three checkpoints is cancelled before it begins and at each of them, and then let go."""
    reached: list[int] = []

    async def function() -> None:
        reached.append(0)
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            reached[-1] += 1

    assert await cancel_at_every_checkpoint(function) == 4
    assert reached == [0, 0, 1, 2, 3]


async def test_checks() -> None:
    """After each run, the cancelled ones and the last, everything is checked, where nothing is cancelled."""
    runs = checks = 0

    async def function() -> None:
        nonlocal runs
        runs += 1
        await trio.lowlevel.checkpoint()

    async def check() -> None:
        nonlocal checks
        await trio.lowlevel.checkpoint()
        checks += 1
        assert checks == runs

    assert await cancel_at_every_checkpoint(function, check) == 2
    assert checks == 3


async def test_inside_another_task() -> None:
    """A call to a task is also cancelled while the task is in the middle of serving it."""
    progress: list[str] = []
    seen: set[str] = set()
    send, receive = trio.open_memory_channel[trio.Event](0)

    async def serve() -> None:
        async for done in receive:
            progress.append("begun")
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            progress.append("served")
            done.set()

    async def call() -> None:
        await wait_all_tasks_blocked()
        progress.clear()
        try:
            done = trio.Event()
            await send.send(done)
            await done.wait()
        finally:
            seen.add(" ".join(progress))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await cancel_at_every_checkpoint(call)
        nursery.cancel_scope.cancel()
    assert {"begun", "begun served"} <= seen


async def test_where_nothing_can_be_cancelled() -> None:
    """A function that cannot be cancelled runs to its end each time, and that is no endless loop."""

    async def function() -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()

    assert await cancel_at_every_checkpoint(function) == 0


async def test_failure() -> None:
    """What the function raises comes out, and nothing is cancelled any more."""

    async def function() -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await cancel_at_every_checkpoint(function)
    await trio.lowlevel.checkpoint()
