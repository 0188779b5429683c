"""To worker threads: one after the other, and for no longer than is fair."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

import trio

T = TypeVar("T")

_SLICE = 0.02
"""Seconds after which a thread is given back, and the work may be cancelled."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
"""Seconds between two attempts to have one's turn."""


async def in_slices(work: Generator[None, None, T], limiter: trio.CapacityLimiter) -> T:
    """Run in worker threads what may take long, and return what it returns.

    Args:
        work: yields wherever it may be cancelled.
        limiter: of threads.
    """
    with closing(work):
        while not (results := await trio.to_thread.run_sync(_go_on, work, limiter=limiter)):
            pass
    return results[0]


def _go_on(work: Generator[None, None, T]) -> tuple[T, ...]:
    """Work for a while; return what comes out of it once it is done."""
    end = time.monotonic() + _SLICE
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return (stop.value,)
        if time.monotonic() >= end:
            return ()


async def in_turn(attempt: Callable[[], T | None], limiter: trio.CapacityLimiter) -> T:
    """Run in a worker thread what only one may do at a time, and return what it returns.

    Nobody waits in a thread, where waiting could not be cancelled.

    Args:
        attempt: does all of it, or returns None when it is somebody else's turn.
        limiter: of threads.
    """
    pause = _FIRST_PAUSE
    while (result := await trio.to_thread.run_sync(attempt, limiter=limiter)) is None:
        await trio.sleep(random.uniform(0.5, 1) * pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return result
