"""Cancelling a function wherever it can be cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio


class _Cancelling(trio.abc.Instrument):
    """Cancels a scope after so many steps of whatever task: at that moment a task waits, or is about to go on."""

    def __init__(self, steps: int) -> None:
        self.scope = trio.CancelScope()
        self._left = steps

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self.scope.cancel()


async def cancel_at_every_checkpoint(
    function: Callable[[], Awaitable[object]], check: Callable[[], Awaitable[object]] | None = None
) -> int:
    """Run a function again and again, cancelled at its first checkpoint, then at its second, and so on.

    Before all others comes a run that is cancelled from the beginning; the last one is not cancelled any more. The
    steps of other tasks count too, so that a call to a task is also cancelled while that task is in the middle of
    serving it. For a function that ends by itself: one that waits for ever is never done.

    Args:
        function: what is run. It is called anew each time, so it can begin with fresh values.
        check: awaited after each run, outside of what is cancelled: looks whether everything is consistent.

    Returns:
        How many runs ended by being cancelled.
    """
    cancelled = steps = 0
    while True:
        scope = await _run_cancelled_after(steps, function)
        cancelled += scope.cancelled_caught
        if check is not None:
            await check()
        if not scope.cancel_called:
            return cancelled
        steps += 1


async def _run_cancelled_after(steps: int, function: Callable[[], Awaitable[object]]) -> trio.CancelScope:
    cancelling = _Cancelling(steps)
    if steps == 0:
        cancelling.scope.cancel()
    trio.lowlevel.add_instrument(cancelling)
    try:
        with cancelling.scope:
            await function()
    finally:
        trio.lowlevel.remove_instrument(cancelling)
    return cancelling.scope
