"""From a stream to a websocket: the request is read, checked, and answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import TypeAlias

import attrs
import trio
from trio.abc import Stream
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.utilities import LocalProtocolError

from observatory import Identity
from observatory_websocket.server.frames import close_frame
from observatory_websocket.server.head import Head, RefusedError, read_head, upgrade_of
from observatory_websocket.server.incoming import Incoming
from observatory_websocket.server.stream import SharedStream, part
from observatory_websocket.settings import WebSocketSettings

_READ = 64 * 1024
"""Bytes that are read at a time."""

_MOMENT = 1.0
"""Seconds that it may take to say why a connection ends."""

_FIRST_MESSAGE = 4 * 1024
"""Bytes of a message of somebody who has not said who it is: a token needs a few hundred."""

_GONE = 1006
"""What trio-websocket calls it when the other side has gone without a word; it must not be sent."""

Check: TypeAlias = Callable[[Head], Identity | None]
"""Sees who asks, None when that is still to be said; raises `RefusedError`."""

Session: TypeAlias = Callable[[WebSocketConnection, SharedStream, Identity | None], Awaitable[None]]
"""What is done with a connection that was accepted."""

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Names, in lower case, and values."""


@attrs.frozen
class _Asked:
    """A request for a websocket."""

    identity: Identity | None
    upgrade: bytes
    early: bytes


async def accept(
    stream: Stream, check: Check, session: Session, settings: WebSocketSettings, headers: Headers = ()
) -> None:
    """Let a client ask for the websocket, hold the session with it, and close the connection.

    Args:
        stream: the client's connection.
        check: sees who it is.
        session: what is done with the websocket.
        settings: the bounds.
        headers: what the answer to the handshake says besides.

    Raises:
        RefusedError: it was refused, and has the answer.
    """
    try:
        asked = await _ask(stream, check, settings.handshake_seconds)
        if asked is not None:
            await _hold(asked, stream, session, settings, headers)
    except* (ConnectionClosed, LocalProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # it has gone; or trio-websocket has answered what came after the close frame, which wsproto forbids
    finally:
        await part(stream)  # noqa: ASYNC102 -- shielded, for a moment


async def _ask(stream: Stream, check: Check, seconds: float) -> _Asked | None:
    """Read what the client asks for; None when it has gone."""
    try:
        with trio.move_on_after(seconds):
            head = await read_head(stream)
            if head is None:
                return None
            return _Asked(check(head), upgrade_of(head), head.early)
        raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, f"there was no complete request within {seconds:g} s")
    except RefusedError as error:
        with trio.move_on_after(_MOMENT), suppress(trio.BrokenResourceError):
            await stream.send_all(error.response())  # noqa: ASYNC120 -- whoever cancels ends the service
        raise


async def _hold(asked: _Asked, stream: Stream, session: Session, settings: WebSocketSettings, headers: Headers) -> None:
    most = settings.max_frame_bytes if asked.identity else min(_FIRST_MESSAGE, settings.max_frame_bytes)
    shared = SharedStream(stream, asked.upgrade, asked.early, Incoming(most))
    async with trio.open_nursery() as nursery:
        request = await wrap_server_stream(
            nursery,
            shared,
            max_message_size=settings.max_frame_bytes,
            receive_buffer_size=_READ,
            message_queue_size=0,  # so that the stream is asked for more once every message was taken
        )
        socket = await request.accept(extra_headers=list(headers))
        await session(socket, shared, asked.identity)
        await _say_why(socket, shared)
        nursery.cancel_scope.cancel()


async def _say_why(socket: WebSocketConnection, shared: SharedStream) -> None:
    """Say why trio-websocket has given up a connection, such as for what is not UTF-8: it says nothing itself."""
    closed = socket.closed
    if closed is not None and closed.code != _GONE:
        with trio.move_on_after(_MOMENT):
            await shared.send_all(close_frame(closed.code, closed.reason or ""))
