"""To a worker thread of Trio's, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import trio
from outcome import Outcome

from observatory import StorageError

T = TypeVar("T")


async def hop(work: Callable[[], T]) -> T:
    """Run blocking code in a worker thread; cancelled before it begins, or not at all.

    Raises:
        What the code raises.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    return await _run(work, _go_on)


async def interruptible_hop(work: Callable[[], T], interrupt: Callable[[], None]) -> T:
    """Run blocking code in a worker thread; being cancelled interrupts it, and waits for its end.

    Args:
        work: raises `StorageError` when it was interrupted.
        interrupt: called from Trio's thread, beside `work`.

    Raises:
        What the code raises.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    try:
        return await _run(work, interrupt)
    except StorageError:
        await trio.lowlevel.checkpoint_if_cancelled()  # noqa: ASYNC120 -- that is what it was interrupted for
        raise


async def _run(work: Callable[[], T], cancelled: Callable[[], None]) -> T:
    # Not `trio.to_thread.run_sync`: that can wait for the thread, or leave it behind, but not tell it to end.
    task, token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()

    def deliver(result: Outcome[T]) -> None:
        token.run_sync_soon(trio.lowlevel.reschedule, task, result)

    def abort(_: Any) -> trio.lowlevel.Abort:
        cancelled()
        return trio.lowlevel.Abort.FAILED

    trio.lowlevel.start_thread_soon(work, deliver)
    result: T = await trio.lowlevel.wait_task_rescheduled(abort)
    return result


def _go_on() -> None:
    """Let what runs in the thread come to its end."""
