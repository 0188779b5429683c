"""Opening parts and running tasks for the time of a block, and letting them fail where they wait."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any, NoReturn, Protocol, TypeVar

import trio
from trio.testing import wait_all_tasks_blocked

from observatory import DeliveryChannel, StorageBackend

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
        AssertionError: it ended by itself, or it did not pass on that it was cancelled.
    """
    async with trio.open_nursery() as nursery:
        watch = _Watch(run)
        nursery.start_soon(watch.until_failed if fail else watch.until_cancelled)
        await watch.ready.wait()
        yield
        await wait_all_tasks_blocked()
        if fail:
            watch.fail()
            await wait_all_tasks_blocked()
        watch.scope.cancel()


class _Watch:
    """One call of `run`; also the task status that it reports readiness to."""

    def __init__(self, run: Run) -> None:
        self.ready = trio.Event()
        self.scope = trio.CancelScope()
        self._breakable = _Breakable(run(task_status=self))

    def started(self, value: None = None) -> None:
        assert not self.ready.is_set(), "run called task_status.started() twice"
        self.ready.set()

    def fail(self) -> None:
        self._breakable.fail(PlannedError("to see it run again"))

    async def until_cancelled(self) -> None:
        with self.scope:
            await self._breakable.drive()
            assert self.scope.cancel_called, "run returned although nobody cancelled it"
        assert self.scope.cancelled_caught, "run did not pass on that it was cancelled"

    async def until_failed(self) -> None:
        try:
            await self.until_cancelled()
        except* PlannedError:
            pass


class _Breakable:
    """Awaits a coroutine, and can let it fail where it waits: as Trio itself does it with Ctrl-C."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self._stop_waiting: Callable[[Callable[[], NoReturn]], trio.lowlevel.Abort] | None = None
        self._error: Exception | None = None

    @types.coroutine
    def drive(self) -> Generator[Any, Any, None]:
        self._task = trio.lowlevel.current_task()
        send: Callable[[Any], Any] = self._coroutine.send
        reply: Any = None
        while True:
            try:
                request = send(reply)
            except StopIteration:
                return
            self._stop_waiting = getattr(request, "abort_func", None)
            reply = yield request
            send = self._coroutine.send
            if self._error is not None:
                send, reply, self._error = self._coroutine.throw, self._error, None

    def fail(self, error: Exception) -> None:
        """Let the coroutine fail; it must be waiting."""

        def raise_error() -> NoReturn:
            raise error

        assert self._stop_waiting is not None
        if self._stop_waiting(raise_error) is trio.lowlevel.Abort.SUCCEEDED:
            self._error = error
            trio.lowlevel.reschedule(self._task)
