"""The clients that are connected: as many as there is room for, none of whom another one's trouble reaches."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, TypeAlias, cast

import trio
from anycorn import Config
from anycorn.app_wrappers import ASGIWrapper
from anycorn.protocol.h11 import H11Protocol
from anycorn.tcp_server import TCPServer
from anycorn.typing import TaskGroup
from anycorn.worker_context import AnyioSingleTask, WorkerContext
from anyio.abc import SocketStream
from trio.abc import Stream

from observatory import Asgi, Identity
from observatory_http.server.answers import ALWAYS, RefusedError
from observatory_http.server.client_stream import ClientStream
from observatory_http.settings import HttpSettings

_log = logging.getLogger("observatory.http")

_MAX_HEAD = 16 * 1024
"""Bytes of the largest head of a request (431)."""

_SHARE = 4
"""The part of all connections that may be one agent's is one of so many."""

_GOODBYE = 1.0
"""Seconds that requests in hand have when the service ends."""

_FULL = b"\r\n".join(
    [
        b"HTTP/1.1 503 Service Unavailable",
        *(b"retry-after: 1", b"content-length: 0", b"connection: close"),
        *[name + b": " + value for name, value in ALWAYS],
        b"\r\n",
    ]
)

Receive: TypeAlias = Callable[[], Awaitable[Asgi]]
Send: TypeAlias = Callable[[Asgi], Awaitable[None]]
Handle: TypeAlias = "Callable[[Connection, Asgi, Receive, Send], Awaitable[None]]"
"""Answers one request of a connection."""


class Connection:
    """One client.

    Args:
        stream: what it is read from.
        there: all that are connected.
        most: how many of them may be one agent's.
    """

    def __init__(self, stream: ClientStream, there: Collection[Connection], most: int) -> None:
        self.stream = stream
        self.identity: Identity | None = None
        """Who it has said it is, with its last request that was let in."""
        self._there = there
        self._most = most

    def belong_to(self, identity: Identity) -> None:
        """Note who it has said it is.

        Raises:
            RefusedError: that agent has as many connections already as one may have.
        """
        is_new = identity.name is not None and identity != self.identity
        if is_new and sum(one.identity == identity for one in self._there) >= self._most:
            reason = f"{identity.name!r} has {self._most} connections already: let one of them go first"
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, reason, Connection="close", Retry_After="1")
        self.identity = identity


class Connections:
    """All clients of one run of the service.

    Args:
        settings: the bounds.
        handle: answers a request.
    """

    def __init__(self, settings: HttpSettings, handle: Handle) -> None:
        self.accepted = 0
        """Connections that were let in."""
        self.turned_away = 0
        """Connections for which there was no room, or that had to make room."""
        self._settings = settings
        self._handle = handle
        self._config = _config(settings)
        self._there: dict[Connection, None] = {}  # the first that came stands first
        self._worker = WorkerContext(None)
        self._empty = trio.Event()  # nobody is there any more

    def __len__(self) -> int:
        return len(self._there)

    async def listen(
        self, listeners: list[trio.SocketListener], tls: ssl.SSLContext | None, started: Callable[[], None]
    ) -> None:
        """Let clients in until cancelled; then give those a moment that have asked for something."""
        self._worker = WorkerContext(None)
        async with trio.open_nursery() as nursery:
            clients = await nursery.start(_hold_clients)
            try:
                started()
                await trio.serve_listeners(partial(self._serve, tls), listeners, handler_nursery=clients)
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + _GOODBYE):
                    await self._worker.terminated.set()
                    if self._there:
                        await self._empty.wait()
                for connection in self._there:
                    connection.stream.cut()
                clients.cancel_scope.cancel()

    async def _serve(self, tls: ssl.SSLContext | None, socket: trio.SocketStream) -> None:
        spoken: Stream = socket
        if tls is not None:
            spoken = trio.SSLStream(socket, tls, server_side=True, https_compatible=True)
        stream = ClientStream(socket, spoken, self._settings.write_seconds)
        connection = Connection(stream, self._there, max(1, self._settings.max_connections // _SHARE))
        if not await self._make_room(socket, encrypted=tls is not None):
            return
        if not self._there:
            self._empty = trio.Event()
        self._there[connection] = None
        self.accepted += 1
        app = ASGIWrapper(partial(self._handle, connection))
        try:
            server = _Server(app, self._config, self._worker, {}, cast("SocketStream", stream))  # as far as it is used
            server.idle_task = idle = _IdleTask()
            stream.on_end = idle.end
            await server.run()
        except Exception as error:  # noqa: BLE001 -- one of the four edges: a connection
            _log.error("a connection has failed", exc_info=error)
        finally:
            self._leave(connection)
            socket.socket.close()

    async def _make_room(self, socket: trio.SocketStream, *, encrypted: bool) -> bool:
        """Return whether there is a place for one more; who has not said who it is, and came first, makes room."""
        if len(self._there) < self._settings.max_connections:
            return True
        self.turned_away += 1
        stranger = next((one for one in self._there if one.identity is None), None)
        if stranger is not None:
            self._leave(stranger)
            stranger.stream.cut()
            return True
        if not encrypted:
            with trio.move_on_after(_GOODBYE), suppress(trio.BrokenResourceError):
                await socket.send_all(_FULL)
        socket.socket.close()
        return False

    def _leave(self, connection: Connection) -> None:
        self._there.pop(connection, None)
        if not self._there:
            self._empty.set()


class _Http1(H11Protocol):
    """Speaks HTTP/1.1, also with whoever would like HTTP/2 better: that keeps none of our bounds."""

    async def _check_protocol(self, event: Any) -> None:  # noqa: ASYNC124 -- as anycorn has it
        """Stay with it."""


class _Server(TCPServer):
    """Serves one connection."""

    async def _read_data(self) -> None:
        made = self.protocol
        common = (made.app, made.config, made.context, made.task_group, made.state, made.client, made.server, made.send)
        made.protocol = _Http1(*common, made.tls, zero_copy_send=made.zero_copy_send)
        await super()._read_data()


class _Config(Config):
    """What anycorn is told."""

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:
        """Return what stands in every answer, those that anycorn gives itself included."""
        return [*super().response_headers(protocol), *ALWAYS]


class _IdleTask(AnyioSingleTask):
    """Waits while a connection is idle; with anycorn's own, one that the client has closed would count as that, too."""

    def __init__(self) -> None:
        super().__init__()
        self._over = False

    async def restart(self, task_group: TaskGroup, action: Callable[..., Awaitable[None]]) -> None:
        """Begin to wait, unless the connection is closed."""
        if not self._over:
            await super().restart(task_group, action)

    async def end(self) -> None:
        """Wait no more."""
        self._over = True
        await self.stop()


def _config(settings: HttpSettings) -> Config:
    config = _Config()
    config.h11_max_incomplete_size = _MAX_HEAD
    config.keep_alive_timeout = settings.request_seconds
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("observatory.http.anycorn")
    config.errorlog.setLevel(logging.WARNING)  # below that it tells what clients have sent, tokens included
    return config


async def _hold_clients(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    """Hold the tasks of clients, whom nothing cancels but the service, once it has said goodbye."""
    async with trio.open_nursery() as clients:
        clients.cancel_scope.shield = True
        task_status.started(clients)
        await trio.sleep_forever()
