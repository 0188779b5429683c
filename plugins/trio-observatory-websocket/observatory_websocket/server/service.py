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

from observatory import Context, Door, Identity, Mailbox, Service
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

_MOMENT = 0.5
"""Seconds that telling all clients that the service ends may take."""

_WATCHED_AT_ONCE = 16
"""Connections that are looked after before anybody else has a turn."""

_TOTALS = ("requests", "failed", "written_bytes", "closed_slow")
"""Figures of connections that count on when a connection has ended."""


class WebSocketService(Service):
    """Serves the websocket of one root.

    Attributes:
        listeners: who listens for an agent's mail.

    Args:
        context: what every service is handed.
    """

    def __init__(self, context: Context) -> None:
        self.listeners = Listeners()
        self._context = context
        self._settings: WebSocketSettings = context.settings or WebSocketSettings()
        self._door = Door(context, DOOR, ("ws", "wss"), host=self._settings.host, port=self._settings.port)
        self._feeds = Feeds()
        self._fan_outs = FanOuts(self._feeds)
        self._connections: set[Connection] = set()
        self._places = Places(most_connections(self._settings.max_connections))
        self._accepted = 0
        self._refused: Counter[int] = Counter()  # by HTTP status
        self._ended: Counter[str] = Counter()  # what connections that are no more have done

    async def run(  # noqa: ASYNC128 -- the door calls it
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; while another process serves this root, wait until it has ended."""
        api = Api(self._context)
        await self._door.run(partial(self._listen, api), task_status=task_status)

    @property
    def url(self) -> str | None:
        """Where it can be reached; None while it cannot."""
        return self._door.url

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

    async def _listen(self, api: Api, listeners: list[trio.SocketListener], started: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            clients = await nursery.start(_hold_clients)
            try:
                nursery.start_soon(self._watch)
                started()
                await trio.serve_listeners(partial(self._let_in, api), listeners, handler_nursery=clients)
            finally:
                try:
                    await self._say_goodbye()  # noqa: ASYNC102 -- shielded, for a moment
                finally:
                    clients.cancel_scope.cancel()

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

    async def _let_in(self, api: Api, stream: trio.SocketStream) -> None:
        """Serve one connection, and let nothing that goes wrong with it reach another."""
        cut_off = self._places.take(stream)
        if cut_off is not None:
            self._refused[HTTPStatus.SERVICE_UNAVAILABLE] += 1
            cut_off.socket.close()
        try:
            readable: Stream = stream
            if self._door.tls is not None:
                readable = trio.SSLStream(stream, self._door.tls, server_side=True, https_compatible=True)
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
            identity = identify(head, self._context.security, self._door.port)
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
