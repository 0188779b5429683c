"""One hop to a worker thread of Trio's and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio
from outcome import Outcome

T = TypeVar("T")


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run blocking code in a worker thread; being cancelled waits for its end.

    This is `trio.to_thread.run_sync` without what a lane has no use for: a limiter, since a lane makes one call at a
    time; a name for the thread; calling back into Trio. That is a quarter of a hop, and a send waits for it.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    task = trio.lowlevel.current_task()
    token = trio.lowlevel.current_trio_token()

    def deliver(result: Outcome[T]) -> None:
        token.run_sync_soon(trio.lowlevel.reschedule, task, result)

    trio.lowlevel.start_thread_soon(work, deliver)
    result: T = await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
    return result
