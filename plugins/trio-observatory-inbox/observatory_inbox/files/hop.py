"""A worker thread of Trio's, one call at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import trio
from outcome import Outcome

T = TypeVar("T")


class Hop:
    """To a worker thread and back, quicker than `trio.to_thread.run_sync`: every send waits for it.

    It leaves out what a lane has no use for: a limiter, since a lane makes one call at a time; a name for the thread;
    calling back into Trio. And the end of a call is a byte in a pipe, which wakes the one task that waits for it,
    instead of a job in the run loop's queue, which wakes the task that wakes this one.
    """

    def __init__(self) -> None:
        self._ends, self._end = os.pipe()  # read there, written here

    async def run(self, work: Callable[[], T]) -> T:
        """Run blocking code in a worker thread; being cancelled waits for its end.

        Raises:
            What the code raises.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        results: list[Outcome[T]] = []

        def deliver(result: Outcome[T]) -> None:
            results.append(result)
            os.write(self._end, b"\0")

        trio.lowlevel.start_thread_soon(work, deliver)
        try:
            await self._wait_for(results)
        except trio.Cancelled:  # noqa: ASYNC103 -- it is raised again wherever whoever called waits next
            with trio.CancelScope(shield=True):  # only now: every send would pay for one
                await self._wait_for(results)
        return results[0].unwrap()

    async def _wait_for(self, results: list[Outcome[T]]) -> None:
        await self._wait_for_a_byte()
        while not results:  # it was left over from a call whose wait has failed
            await self._wait_for_a_byte()

    async def _wait_for_a_byte(self) -> None:
        await trio.lowlevel.wait_readable(self._ends)
        os.read(self._ends, 1)

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self._ends)
        os.close(self._end)
