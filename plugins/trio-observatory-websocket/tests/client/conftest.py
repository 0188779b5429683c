"""What the tests of the client share: an Observatory with the door, and a proxy before it that can be cut off."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio
from observatory_websocket import WebSocketClient, open_client
from trio.testing import wait_all_tasks_blocked

from observatory import Observatory, SecuritySettings, Settings, open_observatory, read_service

Until: TypeAlias = Callable[[Callable[[], object]], Awaitable[None]]


async def until_true(condition: Callable[[], object]) -> None:
    """Look again and again until something in another task, or behind a socket, has come about."""
    with trio.fail_after(20):  # noqa: ASYNC912 -- what is there needs no waiting
        while not condition():  # noqa: ASYNC110 -- nobody tells
            await trio.sleep(0.001)


@pytest.fixture
def until() -> Until:
    """Return what waits for a condition."""
    return until_true


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBSERVATORY_TOKEN", raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root of the test's own."""
    return tmp_path / "root"


@pytest.fixture
def settings(root: Path) -> Callable[..., Settings]:
    """Return what makes settings with the websocket and no other plugin."""
    others = tuple(sorted({found.name for found in entry_points(group="observatory")} - {"websocket"}))

    def settings(**tables: Any) -> Settings:
        return Settings(root=root, disabled_plugins=others, **tables)

    return settings


class Proxy:
    """Stands between client and service; it can be cut off at any byte.

    Attributes:
        cuts: connections that it has cut off.
        budget: gives the bytes after which a connection is cut off; None for never.
        refusing: whether it ends every new connection at once.
        silent: whether it swallows what it should pass on.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        self.cuts = 0
        self.budget: Callable[[], int | None] = lambda: None
        self.refusing = False
        self.silent = False
        self.port = 0
        self._target = target
        self._scopes: set[trio.CancelScope] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._scopes)

    def cut(self) -> None:
        """Cut off every connection."""
        for scope in self._scopes:
            scope.cancel()

    async def cut_off(self) -> None:
        """Cut off every connection, and let no other one come."""
        self.refusing = True
        self.cut()
        await until_true(lambda: not self._scopes)
        await wait_all_tasks_blocked(0.001)

    async def run(self, listener: trio.SocketListener) -> None:
        """Serve until cancelled."""
        await trio.serve_listeners(self._handle, [listener])

    async def _handle(self, client: trio.SocketStream) -> None:
        if self.refusing:
            await trio.aclose_forcefully(client)
            return
        try:
            service = await trio.open_tcp_stream("127.0.0.1", self._target())
        except OSError:
            await trio.aclose_forcefully(client)
            return
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                async with client, service, trio.open_nursery() as nursery:
                    nursery.start_soon(self._pass_on, client, service, None, nursery.cancel_scope)
                    nursery.start_soon(self._pass_on, service, client, self.budget(), nursery.cancel_scope)
            finally:
                self._scopes.discard(scope)
        self.cuts += scope.cancelled_caught

    async def _pass_on(
        self, one: trio.SocketStream, other: trio.SocketStream, budget: int | None, scope: trio.CancelScope
    ) -> None:
        try:
            async for data in one:
                if self.silent:
                    continue
                if budget is not None and len(data) >= budget:
                    await other.send_all(data[:budget])
                    self.cuts += 1
                    break
                budget = None if budget is None else budget - len(data)
                await other.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()


OpenProxied: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[Observatory, Proxy, WebSocketClient]]]


@asynccontextmanager
async def proxied(
    settings: Callable[..., Settings], security: dict[str, Any] | None = None, **tables: Any
) -> AsyncIterator[tuple[Observatory, Proxy, WebSocketClient]]:
    """Open an Observatory, a proxy before it, and a client that goes through that."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    given = SecuritySettings(hosts=(f"127.0.0.1:{port}",), **security or {})
    async with open_observatory(settings(security=given, **tables)) as observatory, trio.open_nursery() as nursery:
        proxy = Proxy(lambda: port_of(observatory))
        proxy.port = port
        nursery.start_soon(proxy.run, listener)  # noqa: ASYNC113 -- the listener listens already
        async with open_client(proxy.url, token=observatory.security.token) as client:
            yield observatory, proxy, client
        nursery.cancel_scope.cancel()


def port_of(observatory: Observatory) -> int:
    """Return the port of the service."""
    found = read_service(observatory.settings.root)
    assert found is not None
    return int(found.doors["websocket"].rstrip("/").rpartition(":")[2])


@pytest.fixture
def open_proxied(settings: Callable[..., Settings]) -> OpenProxied:
    """Return what opens an Observatory, a proxy, and a client."""
    return lambda **tables: proxied(settings, **tables)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Return numbers that are the same in every run of a test."""
    return random.Random(request.node.name)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients come back at once, so that many cuts take little time."""
    monkeypatch.setattr("observatory_websocket.client.session._FIRST_PAUSE", 0.001)
