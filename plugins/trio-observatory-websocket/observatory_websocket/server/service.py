"""The service: listens, lets clients in, and tells where it can be found."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

import trio
from trio.abc import Stream
from trio_websocket import WebSocketConnection, wrap_server_stream

from observatory import Context, Identity, Service, ServiceFile, ServiceRunningError
from observatory_websocket.server.api import DOOR, Api
from observatory_websocket.server.connection import Connection
from observatory_websocket.server.feeds import Feeds
from observatory_websocket.server.following import Following
from observatory_websocket.server.head import Head, RefusedError, check_head, read_head
from observatory_websocket.server.listening import Listener, Listeners, Listening
from observatory_websocket.server.stream import SharedStream
from observatory_websocket.settings import WebSocketSettings

_log = logging.getLogger("observatory.websocket")

_READ = 64 * 1024
"""Bytes that are read at a time."""

_RETRY = 2.0
"""Seconds between two looks whether another process's service on this root has ended."""

Session: TypeAlias = Callable[[WebSocketConnection, SharedStream, Identity | None], Awaitable[None]]
"""What is done with a connection that was accepted."""


class WebSocketService(Service):
    """Serves the websocket of one root.

    Attributes:
        url: where it can be reached; None while it cannot.
        listeners: who listens for an agent's mail.

    Args:
        context: what every service is handed.
    """

    def __init__(self, context: Context) -> None:
        self.url: str | None = None
        self.listeners = Listeners()
        self._context = context
        self._settings: WebSocketSettings = context.settings or WebSocketSettings()
        self._file = ServiceFile(context.root, context.security, context.clock)
        self._feeds = Feeds()
        self._connections: set[Connection] = set()
        self._open = 0  # connections, those included that have not asked for anything yet
        self._accepted = 0
        self._refused = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; while another process serves this root, wait until it has ended."""
        self._context.security.check_binding(self._settings.host)
        api = Api(self._context)
        while True:
            try:
                await self._serve(api, task_status)
            except ServiceRunningError as error:
                _log.warning("%s; this one waits until that has ended", error)
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await trio.sleep(_RETRY)

    def statistics(self) -> Mapping[str, Any]:
        """Return the figures of the service and of its connections."""
        return {
            "url": self.url,
            "connections": len(self._connections),
            "accepted": self._accepted,
            "refused": self._refused,
            "clients": [connection.statistics() for connection in self._connections],
        }

    async def _serve(self, api: Api, task_status: trio.TaskStatus[None]) -> None:
        listeners = await trio.open_tcp_listeners(self._settings.port, host=self._settings.host)
        try:
            await self._announce(listeners)
            async with trio.open_nursery() as nursery:
                await nursery.start(trio.serve_listeners, lambda stream: self._let_in(stream, api), listeners)
                nursery.start_soon(self._watch)
                task_status.started()
        finally:
            self.url = None
            with trio.CancelScope(shield=True):
                for listener in listeners:
                    await listener.aclose()
                await trio.to_thread.run_sync(self._file.withdraw, DOOR)

    async def _announce(self, listeners: list[trio.SocketListener]) -> None:
        self._port = int(listeners[0].socket.getsockname()[1])
        self._tls = await trio.to_thread.run_sync(self._context.security.ssl_context)
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        url = f"{'wss' if self._tls else 'ws'}://{host}:{self._port}/"
        await trio.to_thread.run_sync(self._file.announce, DOOR, url)
        self.url = url

    async def _watch(self) -> None:
        """Look after all connections, once a second."""
        while True:
            await trio.sleep(1)
            now = trio.current_time()
            for connection in self._connections:
                connection.watch(now)

    async def _let_in(self, stream: Stream, api: Api) -> None:
        """Serve one connection, and let nothing that goes wrong with it reach another."""
        self._open += 1
        try:
            if self._tls is not None:
                stream = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
            session = self._session(api)
            await accept(stream, self._check, session, self._settings)
        except RefusedError:
            self._refused += 1
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has gone
        except Exception as error:  # noqa: BLE001 -- one of the four edges: a connection
            _log.error("a connection has failed", exc_info=error)
        finally:
            self._open -= 1
            await trio.aclose_forcefully(stream)  # noqa: ASYNC102 -- does not wait

    def _check(self, head: Head) -> Identity | None:
        if self._open > self._settings.max_connections:
            words = f"{self._settings.max_connections:,} connections are open, which is what this service holds"
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, words, Retry_After="1")
        return check_head(head, self._context.security, self._port)

    def _session(self, api: Api) -> Session:
        async def session(socket: WebSocketConnection, stream: SharedStream, identity: Identity | None) -> None:
            following = Following(self._context.pubsub, self._feeds, stream, self._settings.max_subscriptions)
            listener = Listener(stream, self._settings.queue_events, self._settings.queue_bytes)
            listening = Listening(self.listeners, listener)
            connection = Connection(socket, stream, api, following, listening, self._settings, identity)
            self._accepted += 1
            self._connections.add(connection)
            try:
                await connection.run()
            finally:
                self._connections.discard(connection)

        return session


async def accept(
    stream: Stream, check: Callable[[Head], Identity | None], session: Session, settings: WebSocketSettings
) -> None:
    """Let a client ask for the websocket, and hold the session with it.

    Args:
        stream: the client's connection.
        check: sees who it is; raises `RefusedError`.
        session: what is done with the websocket, after which it is closed.
        settings: the bounds.

    Raises:
        RefusedError: it was refused, and has the answer.
        trio.BrokenResourceError: it has gone.
    """
    deadline = trio.current_time() + settings.handshake_seconds
    asked: tuple[Head, Identity | None] | None = None
    with trio.move_on_at(deadline):
        asked = await _ask(stream, check)
    if asked is None:
        return  # gone, or too slow to say what it wants
    head, identity = asked
    shared = SharedStream(stream, head.raw)
    socket: WebSocketConnection | None = None
    async with trio.open_nursery() as nursery:
        with trio.move_on_at(deadline):
            request = await wrap_server_stream(
                nursery, shared, max_message_size=settings.max_frame_bytes, receive_buffer_size=_READ
            )
            limit = str(settings.max_frame_bytes).encode()  # so that a client need not find out
            socket = await request.accept(extra_headers=[(b"observatory-max-message", limit)])
        if socket is not None:
            await session(socket, shared, identity)
        nursery.cancel_scope.cancel()


async def _ask(stream: Stream, check: Callable[[Head], Identity | None]) -> tuple[Head, Identity | None] | None:
    """Read what the client asks for; answer it where that is refused."""
    try:
        head = await read_head(stream)
        return None if head is None else (head, check(head))
    except RefusedError as error:
        await stream.send_all(error.response())
        raise
