"""The service that runs already, for as long as it answers; or else an Observatory for the time of one command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

import trio
from cyclopts import CycloptsError

from observatory import (
    Client,
    EmbeddedClient,
    RateLimitError,
    ServiceInfo,
    Settings,
    UnreachableError,
    find_client,
    read_service,
)
from observatory.cli.opening import opened, opened_on_files
from observatory.cli.output import note

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE = 5
"""Seconds after which a service that says nothing does not answer."""


@asynccontextmanager
async def reached(settings: Settings, *, recover: Collection[str] | None) -> AsyncIterator[Client]:
    """Reach the Observatory of a root: the service that runs there, or else one for the time of this command.

    Raises:
        CycloptsError, ObservatoryError: as `service_on` and `opened_on_files`.
    """
    async with service_on(settings) as client:
        if client is not None:
            yield client
            return
    async with opened_on_files(settings, recover=recover) as observatory:
        yield EmbeddedClient(observatory)


@asynccontextmanager
async def reached_or_opened(settings: Settings, *, recover: Collection[str] | None) -> AsyncIterator[Client]:
    """Do the same as `reached` where messages are not what it is about: it does not matter whether any are kept.

    Raises:
        ObservatoryError: as `service_on` and `opened`.
    """
    async with service_on(settings) as client:
        if client is not None:
            yield client
            return
    async with opened(settings, recover=recover) as observatory:
        yield EmbeddedClient(observatory)


@asynccontextmanager
async def service_on(
    settings: Settings, *, identity: str | None = None, for_long: bool = False
) -> AsyncIterator[Client | None]:
    """Reach the service that runs on a root; None where none does, or none any more.

    Args:
        settings: whose root.
        identity: an agent's name: be that agent there.
        for_long: wait for it when it was reached and then is silent: it may be started again.

    Raises:
        UnreachableError: it does not answer; and what the connector raises.
    """
    running = await find_client(settings, identity=identity)
    if running is None:
        yield None
        return
    with trio.CancelScope() as scope:
        watch = _Watch(scope, for_long=for_long)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.count)
            async with _opened(running, settings.root) as client, trio.open_nursery() as asking:
                if client is not None:
                    asking.start_soon(watch.ask, client)
                yield client
                asking.cancel_scope.cancel()
            nursery.cancel_scope.cancel()
    if scope.cancelled_caught:
        raise await _unreachable(settings.root)


@asynccontextmanager
async def _opened(running: AbstractAsyncContextManager[Client], root: Path) -> AsyncIterator[Client | None]:
    """Open a client for a service that was found; None when it has ended since."""
    async with AsyncExitStack() as stack:
        client: Client | None = None
        try:
            client = await stack.enter_async_context(running)
        except UnreachableError:
            service = await trio.to_thread.run_sync(read_service, root)  # noqa: ASYNC120 -- cancelled, it may be that
            if service is not None:
                raise
        yield client


@asynccontextmanager
async def running_service(settings: Settings, *, for_long: bool = False) -> AsyncIterator[Client]:
    """Reach the service that runs on a root, for what only that can tell; arguments as of `service_on`.

    Raises:
        CycloptsError: none runs there; and what `service_on` raises.
    """
    async with service_on(settings, for_long=for_long) as client:
        if client is None:
            raise _no_service(settings.root)
        yield client


async def service_of(root: Path) -> ServiceInfo:
    """Find the service that runs on a root.

    Raises:
        CycloptsError: none runs there.
    """
    service = await trio.to_thread.run_sync(read_service, root)
    if service is None:
        raise _no_service(root)
    return service


def _no_service(root: Path) -> CycloptsError:
    return CycloptsError(
        msg=f"no service can be asked on the root {root}: start one with `observatory serve`; there and here a plugin "
        "with a door has to be installed, such as trio-observatory-websocket"
    )


async def in_time(ask: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Ask a client for something; when its service wants that more slowly, ask again after the time that it says.

    Args:
        ask: the client's method.
        *args: what it is given.
        **kwargs: by name.

    Raises:
        ObservatoryError: as the method, but never `RateLimitError`.
    """
    while True:
        try:
            return await ask(*args, **kwargs)
        except RateLimitError as error:
            await trio.sleep(error.retry_after)


class _Watch:
    """Asks a service again and again, whatever else it is asked, which may take any time.

    Args:
        scope: is cancelled when the service is silent.
        for_long: once it was reached, do not cancel but wait, and say so.
    """

    def __init__(self, scope: trio.CancelScope, *, for_long: bool) -> None:
        self._scope = scope
        self._for_long = for_long
        self._waits = False
        self._silent = 0

    async def count(self) -> None:
        """Count the seconds of silence, but not those for which this process was stopped, or its output waited."""
        while True:
            await trio.sleep(1)
            self._silent += 1
            if self._silent == _PATIENCE and self._waits:
                note("the service does not answer; waiting for it")
            elif self._silent == _PATIENCE:
                self._scope.cancel()

    async def ask(self, client: Client) -> None:
        """Ask once a second, and begin to count anew with every answer; that it was reached is the first one.

        A command that is quick has asked for nothing but what it is for, and one that waits to be allowed more takes
        what there is before this does: it knows to the moment when.
        """
        self._waits = self._for_long
        self._silent = 0
        while True:
            await trio.sleep(1)
            with suppress(RateLimitError):  # an answer, too, and it costs nothing
                await client.health()
            if self._silent >= _PATIENCE:
                note("the service answers again")
            self._silent = 0


async def _unreachable(root: Path) -> UnreachableError:
    service = await trio.to_thread.run_sync(read_service, root)
    if service is None:
        return UnreachableError(str(root), "the one that ran there has ended")
    return UnreachableError(
        str(root),
        f"process {service.pid} has not answered for {_PATIENCE} s, and may still do what it was asked; "
        f"if it hangs, end it with `kill -KILL {service.pid}`",
    )
