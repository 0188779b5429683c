"""Opening parts and running tasks for the time of a block, and letting them fail where they wait."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import trio
from trio.testing import wait_all_tasks_blocked

from observatory import DeliveryChannel, StorageBackend

T = TypeVar("T")
PartT = TypeVar("PartT", bound=StorageBackend | DeliveryChannel)


class Run(Protocol):
    """The `run` of a module or a service."""

    def __call__(self, *, task_status: trio.TaskStatus[None]) -> Coroutine[Any, Any, None]:
        """Run until cancelled."""


class PlannedError(Exception):
    """Raised by the suites in a task that is to fail."""


@asynccontextmanager
async def opened(part: PartT) -> AsyncIterator[PartT]:
    """Start a storage backend or a delivery channel, and close it after the block."""
    await part.start()
    try:
        yield part
    finally:
        with trio.CancelScope(shield=True):
            await part.aclose()


@asynccontextmanager
async def running(run: Run, *, fail: bool = False) -> AsyncIterator[None]:
    """Run a module or a service for the time of the block; then cancel it, or let it fail where it waits.

    Raises:
        AssertionError: it was never ready, or it ended by itself, or it did not let itself be cancelled.
    """
    async with trio.open_nursery() as nursery:
        watch = _Watch(run)
        nursery.start_soon(watch.let_fail if fail else watch.cancel)
        await watch.ready.wait()
        yield
        await wait_all_tasks_blocked()
        watch.scope.cancel()


class _Watch:
    """One call of `run`; also the task status that it reports readiness to."""

    def __init__(self, run: Run) -> None:
        self.ready = trio.Event()
        self.scope = trio.CancelScope()
        self._run = run

    def started(self, value: None = None) -> None:
        assert not self.ready.is_set(), "run called task_status.started() twice"
        self.ready.set()

    async def cancel(self) -> None:
        with self.scope:
            await self._run_until_cancelled()
        assert self.scope.cancelled_caught, "run did not pass on that it was cancelled"

    async def let_fail(self) -> None:
        with self.scope:
            try:
                await fail_when_cancelled(self._run_until_cancelled(), PlannedError("to see it run again"))
            except* PlannedError:
                pass

    async def _run_until_cancelled(self) -> None:
        await self._run(task_status=self)
        assert self.scope.cancel_called, "run returned although nobody cancelled it"


@types.coroutine
def fail_when_cancelled(coroutine: Coroutine[Any, Any, T], error: Exception) -> Generator[Any, Any, T]:
    """Await a coroutine; where it would first be cancelled, it fails with `error` instead.

    An error where a task waits is the most that can be done to foreign code from outside: its own statements stay
    as they are, and what waits there is taken back as Trio does it when cancelling.
    """
    send: Callable[[Any], Any] = coroutine.send
    reply: Any = None
    while True:
        try:
            request = send(reply)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        send, reply = coroutine.send, (yield request)
        if isinstance(getattr(reply, "error", None), trio.Cancelled):
            send, reply = coroutine.throw, error
