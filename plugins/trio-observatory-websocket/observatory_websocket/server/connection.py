"""One connection: says who it is, asks, follows topics, and is watched."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from observatory import Identity
from observatory_websocket.server.api import Api
from observatory_websocket.server.caller import Caller
from observatory_websocket.server.first_message import read_identity
from observatory_websocket.server.following import Following
from observatory_websocket.server.frames import PING, close_frame, text_frame
from observatory_websocket.server.listening import Listening
from observatory_websocket.server.requests import Requests
from observatory_websocket.server.stream import SharedStream
from observatory_websocket.settings import WebSocketSettings

_log = logging.getLogger("observatory.websocket")

GOING_AWAY = 1001
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013

_TOO_SLOW = TRY_AGAIN_LATER, "too slow"

_GRACE = 10.0
"""Seconds in which a connection that is closed can take what was written."""


class Connection:
    """One websocket.

    Args:
        socket: the websocket, accepted.
        stream: what it writes to.
        api: what can be asked for.
        following: what it follows.
        listening: for whose mail it listens.
        settings: the bounds.
        identity: who it is; None when the token is still to come.
        keep: keeps its place once it has said who it is; returns why it cannot.
    """

    def __init__(
        self,
        socket: WebSocketConnection,
        stream: SharedStream,
        api: Api,
        following: Following,
        listening: Listening,
        settings: WebSocketSettings,
        identity: Identity | None,
        keep: Callable[[Identity], str | None],
    ) -> None:
        self._socket = socket
        self._stream = stream
        self._api = api
        self._following = following
        self._listening = listening
        self._settings = settings
        self._identity = identity
        self._keep = keep
        self._requests = Requests(socket, stream, api, settings, self._write)
        self._full = False
        self._pinged = -math.inf  # when a ping was written last
        self._closing = trio.Event()
        self._why = GOING_AWAY, ""  # it is to be closed, once it is

    async def run(self) -> None:
        """Serve until it is closed, from either side."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._keep_alive)
                nursery.start_soon(self._until_ended)
                nursery.start_soon(self._close)
                with suppress(ConnectionClosed):
                    identity = self._identity = self._identity or await self._authenticate()
                    with self._api.present(identity):
                        await self._requests.run(partial(Caller, identity, self._following, self._listening))
                nursery.cancel_scope.cancel()
        finally:
            self._following.close()
            self._listening.close()

    def watch(self, now: float) -> None:
        """Look after it, once a second: one that stays full is closed, with how far it was served."""
        settings = self._settings
        blocked = self._stream.blocked_since
        since = self._following.full_since(settings.queue_events, settings.queue_bytes)
        if since is None and self._stream.unwritten + self._listening.listener.waiting > settings.queue_bytes:
            since = blocked
        self._full = since is not None and blocked is not None
        if since is not None and self._full and now - since >= settings.full_seconds and not self._closing.is_set():
            _log.warning("a connection of %s is closed: it does not read fast enough", self._name())
            self.close_soon(*_TOO_SLOW)

    def close_soon(self, code: int, reason: str) -> None:
        """Begin to close it, unless that has begun: with a reason, and the last number of each topic."""
        if not self._closing.is_set():
            self._why = code, reason
            self._closing.set()

    async def wait_ended(self) -> None:
        """Wait until it is over."""
        await self._stream.ended.wait()

    async def _close(self) -> None:
        """Once it is to be closed, say why, behind what waits; after a while it is over whether they take it or not."""
        await self._closing.wait()
        code, reason = self._why
        with trio.move_on_after(_GRACE):
            last = self._following.end()
            await self._send(close_frame(code, reason, [f"{number}@{topic}" for topic, number in last.items()]))
        self._nursery.cancel_scope.cancel()

    def statistics(self) -> dict[str, Any]:
        """Return its figures."""
        return {
            "identity": self._identity.name if self._identity else None,
            "owner": self._identity is not None and self._identity.name is None,
            "requests": self._requests.taken,
            "failed": self._requests.failed,
            "subscriptions": len(self._following),
            "written_bytes": self._stream.written,
            "full": self._full,
            "closed_slow": self._why == _TOO_SLOW,
        }

    def _name(self) -> str:
        if self._identity is None:
            return "somebody who has not said who it is"
        return "the owner" if self._identity.name is None else repr(self._identity.name)

    async def _until_ended(self) -> None:
        """Let go of everything once it is over: whoever is gone waits for nothing."""
        await self._stream.ended.wait()
        self._nursery.cancel_scope.cancel()

    async def _keep_alive(self) -> None:
        """Ping, and end a connection from which nothing comes in time, or that takes nothing."""
        patience = self._settings.ping_seconds
        while True:
            await trio.sleep(patience)
            blocked = self._stream.blocked_since
            stuck = blocked is not None and trio.current_time() - blocked >= patience
            silent = self._stream.quiet and self._stream.heard < self._pinged  # what is not read is not heard
            if (stuck or silent) and not self._closing.is_set():
                _log.warning("a connection of %s is ended: it does not answer", self._name())
                self._nursery.cancel_scope.cancel()
            if blocked is None:
                self._nursery.start_soon(self._ping)  # not here: cut off, it would break the stream

    async def _ping(self) -> None:
        await self._send(PING)
        self._pinged = trio.current_time()

    async def _authenticate(self) -> Identity:
        """Wait for the first message, which must say who it is; else close the connection."""
        with trio.move_on_after(self._settings.handshake_seconds):
            identity = await read_identity(self._socket, self._api, self._write)
            if identity is not None:
                refusal = self._keep(identity)
                if refusal is None:
                    self._stream.incoming.most = self._settings.max_frame_bytes
                    return identity
                self.close_soon(TRY_AGAIN_LATER, refusal)
        self.close_soon(POLICY_VIOLATION, "a token is needed: as a header, or as the first message")
        await trio.sleep_forever()

    async def _write(self, data: bytes) -> None:
        await self._send(text_frame(data))

    async def _send(self, frame: bytes) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # it is told of by the stream
            if not self._stream.send_nowait(frame):
                await self._stream.flush()
