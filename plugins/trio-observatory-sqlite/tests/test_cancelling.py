"""Being cancelled, anywhere."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio
import trio.testing
from observatory_sqlite.hop import hop, interruptible_hop

from observatory import StorageError
from observatory.testing import cancel_at_every_checkpoint
from observatory.testing.samples import messages


async def test_anything(bench: Any) -> None:
    """Whatever is cancelled, and wherever, what was committed is there and the next commit succeeds."""
    committed = 0
    async with bench.open() as storage:

        async def check() -> None:
            nonlocal committed
            assert len(await bench.everything(storage)) == committed
            committed += 1
            assert await storage.append(messages("a")) == [committed]

        for function in (storage.compact, storage.flush, lambda: bench.everything(storage)):
            assert await cancel_at_every_checkpoint(function, check) > 0
    assert len(await bench.everything()) == committed


async def test_opening_and_closing(bench: Any) -> None:
    """Wherever that is cancelled, the next one can have the database."""

    async def open_and_close() -> None:
        async with bench.open():
            pass

    async def check() -> None:
        async with bench.open() as storage:
            await storage.append(messages("a"))

    assert await cancel_at_every_checkpoint(open_and_close, check) > 0


async def test_a_commit_that_has_begun_comes_to_its_end(bench: Any) -> None:
    """Cancelled while the thread works, `append` returns the numbers."""
    async with bench.open() as storage:
        with trio.CancelScope() as scope:
            trio.lowlevel.spawn_system_task(cancel_soon, scope)
            assert await storage.append(messages(*["a"] * 20_000)) == list(range(1, 20_001))
        assert scope.cancel_called


async def cancel_soon(scope: trio.CancelScope) -> None:
    """Cancel at the next turn of the run loop."""
    await trio.lowlevel.checkpoint()
    await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_appending_while_it_is_replayed(bench: Any) -> None:
    """What is appended meanwhile waits for its turn, and a waiting commit that is cancelled has not happened."""
    async with bench.open() as storage:
        await storage.append(messages(*["a"] * 10_000))
        found: list[Any] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(storage.replay, found.extend)
            await trio.lowlevel.checkpoint()
            with trio.move_on_after(0):
                await storage.append(messages("a"))
            nursery.start_soon(storage.append, messages("a"))
        assert len(found) == 10_000
        assert len(await bench.everything(storage)) == 10_001


class Work:
    """Blocking work that lasts until it is interrupted."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.token = trio.lowlevel.current_trio_token()
        self.interrupted = threading.Event()

    def __call__(self) -> None:
        """Work."""
        self.token.run_sync_soon(self.begun.set)
        self.interrupted.wait()
        raise StorageError("interrupted")


async def test_interrupting() -> None:
    """Being cancelled interrupts the work, waits for its end, and is what comes out."""
    work = Work()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(interruptible_hop, work, work.interrupted.set)
        await work.begun.wait()
        nursery.cancel_scope.cancel()
    assert work.interrupted.is_set()


async def test_an_error_of_the_work() -> None:
    """Where nobody has cancelled anything, an error of the work comes out."""
    work = Work()
    work.interrupted.set()
    with pytest.raises(StorageError, match="interrupted"):
        await interruptible_hop(work, work.interrupted.set)


async def test_not_interrupting() -> None:
    """A plain hop waits for the end of the work, and gives its result although it was cancelled."""
    end = threading.Event()
    with trio.CancelScope() as scope:
        trio.lowlevel.spawn_system_task(cancel_and_end, scope, end)
        assert await hop(end.wait)
    assert not scope.cancelled_caught


async def cancel_and_end(scope: trio.CancelScope, end: threading.Event) -> None:
    """Cancel a scope, and then let the work in it end."""
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()
    end.set()
