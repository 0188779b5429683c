"""The service: listens, lets clients in, and tells where it can be found."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import trio
from trio.abc import Stream
from trio_websocket import WebSocketConnection

from observatory import Context, Identity, Mailbox, Service, ServiceFile, ServiceRunningError
from observatory_websocket.server.accepting import Headers, accept
from observatory_websocket.server.api import Api
from observatory_websocket.server.connection import GOING_AWAY, Connection
from observatory_websocket.server.fan_out import FanOuts
from observatory_websocket.server.feeds import Feeds
from observatory_websocket.server.following import Following
from observatory_websocket.server.head import Head, RefusedError, identify
from observatory_websocket.server.listening import Listener, Listeners, Listening
from observatory_websocket.server.places import Places, most_connections
from observatory_websocket.server.stream import SharedStream
from observatory_websocket.settings import DOOR, WebSocketSettings

_log = logging.getLogger("observatory.websocket")

_RETRY = 2.0
"""Seconds between two looks whether another process's service on this root has ended."""

_MOMENT = 0.5
"""Seconds that telling all clients that the service ends may take."""

_WATCHED_AT_ONCE = 16
"""Connections that are looked after before anybody else has a turn."""

_TOTALS = ("requests", "failed", "written_bytes", "closed_slow")
"""Figures of connections that count on when a connection has ended."""

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- not bound here: what is told instead of it


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
        self._file = context.service_file or ServiceFile(context.root, context.security, context.clock)
        self._feeds = Feeds()
        self._fan_outs = FanOuts(self._feeds)
        self._connections: set[Connection] = set()
        self._places = Places(most_connections(self._settings.max_connections))
        self._accepted = 0
        self._refused: Counter[int] = Counter()  # by HTTP status
        self._ended: Counter[str] = Counter()  # what connections that are no more have done

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; while another process serves this root, wait until it has ended."""
        self._context.security.check_binding(self._settings.host)
        api = Api(self._context)
        self._told = ""  # why it waits
        while True:
            try:
                await self._serve(api, task_status.started)
            except ServiceRunningError as error:
                if str(error) != self._told:
                    self._told = str(error)
                    _log.warning("%s; this one waits until that has ended", error)
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await trio.sleep(_RETRY)

    def statistics(self) -> Mapping[str, Any]:
        """Return the figures of the service and of its connections."""
        clients = [connection.statistics() for connection in self._connections]
        return {
            "url": self.url,
            "open": len(self._places),
            "connections": len(self._connections),
            "accepted": self._accepted,
            "refused": {str(int(status)): count for status, count in self._refused.items()},
            **{name: self._ended[name] + sum([one[name] for one in clients]) for name in _TOTALS},
            "clients": clients,
        }

    async def _serve(self, api: Api, started: Callable[[], None]) -> None:
        listeners = await self._open_listeners()
        try:
            if not self._settings.port:  # of several addresses each would have a port of its own, and one is announced
                while len(listeners) > 1:
                    await listeners.pop().aclose()
            await self._announce(listeners[0])
            if self._told:
                _log.info("that has ended: clients are let in at %s", self.url)
            async with trio.open_nursery() as nursery:
                clients = await nursery.start(_hold_clients)
                try:
                    await self._listen(listeners, clients, api, started)
                finally:
                    try:
                        await self._say_goodbye()  # noqa: ASYNC102 -- shielded, for a moment
                    finally:
                        clients.cancel_scope.cancel()
        finally:
            self.url = None
            with trio.CancelScope(shield=True):
                for listener in listeners:
                    await listener.aclose()
                await trio.to_thread.run_sync(self._file.withdraw, DOOR)

    async def _open_listeners(self) -> list[trio.SocketListener]:
        host, port = self._settings.host, self._settings.port
        try:
            return await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            where = f"port {port} of {host!r:.80}" if port else f"a port of {host!r:.80}"
            remedy = "end what uses it, or set another host or port under plugins.websocket"
            raise OSError(error.errno, f"cannot listen at {where}: {error.strerror}; {remedy}") from error

    async def _announce(self, listener: trio.SocketListener) -> None:
        host, self._port = listener.socket.getsockname()[:2]
        self._tls = await trio.to_thread.run_sync(self._context.security.ssl_context)
        host = _ANY_ADDRESS.get(host, host)
        url = f"{'wss' if self._tls else 'ws'}://{f'[{host}]' if ':' in host else host}:{self._port}/"
        await trio.to_thread.run_sync(self._file.announce, DOOR, url)
        self.url = url

    async def _listen(
        self,
        listeners: list[trio.SocketListener],
        clients: trio.Nursery,
        api: Api,
        started: Callable[[], None],
    ) -> None:
        async def let_in(stream: trio.SocketStream) -> None:
            await self._let_in(stream, api)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            started()
            await trio.serve_listeners(let_in, listeners, handler_nursery=clients)

    async def _say_goodbye(self) -> None:
        """Tell all clients that the service ends, as long as that goes quickly."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _MOMENT):
            await trio.lowlevel.checkpoint()
            for connection in self._connections:
                connection.close_soon(GOING_AWAY, "the service is ending")
            for connection in tuple(self._connections):
                await connection.wait_ended()

    async def _watch(self) -> None:
        """Look after all connections, once a second."""
        while True:
            await trio.sleep(1)
            now = trio.current_time()
            for number, connection in enumerate(tuple(self._connections), 1):
                connection.watch(now)
                if number % _WATCHED_AT_ONCE == 0:
                    await trio.lowlevel.checkpoint()  # each has a look at all that it follows

    async def _let_in(self, stream: trio.SocketStream, api: Api) -> None:
        """Serve one connection, and let nothing that goes wrong with it reach another."""
        cut_off = self._places.take(stream)
        if cut_off is not None:
            self._refused[HTTPStatus.SERVICE_UNAVAILABLE] += 1
            cut_off.socket.close()
        try:
            readable: Stream = stream
            if self._tls is not None:
                readable = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
            check, session = partial(self._check, stream), partial(self._serve_one, stream, api)
            await accept(readable, check, session, self._settings, self._headers())
        except RefusedError as error:
            self._refused[error.status] += 1
        except Exception as error:  # noqa: BLE001 -- one of the four edges: a connection
            _log.error("a connection has failed", exc_info=error)
        finally:
            self._places.leave(stream)

    def _headers(self) -> Headers:
        """Return what a client need not find out: how much it may ask, and whom, who will remember it for how long."""
        mailbox = self._context.modules.get("Mailbox")  # always there where an Observatory is open
        durability = mailbox.durability if isinstance(mailbox, Mailbox) else "memory"
        return [
            (b"observatory-max-message", str(self._settings.max_frame_bytes).encode()),
            (b"observatory-run", self._context.pubsub.epoch.encode()),
            (b"observatory-durability", durability.encode()),
        ]

    def _check(self, stream: trio.SocketStream, head: Head) -> Identity | None:
        refusal = self._places.why_full if self._places.full else None
        identity = None
        if refusal is None:
            identity = identify(head, self._context.security, self._port)
            refusal = self._places.keep(stream, identity) if identity else None
        if refusal is not None:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, refusal, Retry_After="1")
        return identity

    async def _serve_one(
        self,
        stream: trio.SocketStream,
        api: Api,
        socket: WebSocketConnection,
        shared: SharedStream,
        identity: Identity | None,
    ) -> None:
        settings = self._settings
        following = Following(self._context.pubsub, self._feeds, self._fan_outs, shared, settings.max_subscriptions)
        listener = Listener(shared, settings.queue_events, settings.queue_bytes)
        listening = Listening(self.listeners, listener, settings.max_subscriptions)
        keep = partial(self._places.keep, stream)
        connection = Connection(socket, shared, api, following, listening, settings, identity, keep)
        self._accepted += 1
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            figures = connection.statistics()
            self._ended.update({name: figures[name] for name in _TOTALS})


async def _hold_clients(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    """Hold the tasks of clients, whom nothing cancels but the service, once it has said goodbye."""
    async with trio.open_nursery() as clients:
        clients.cancel_scope.shield = True
        task_status.started(clients)
        await trio.sleep_forever()
