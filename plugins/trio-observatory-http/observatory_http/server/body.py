"""The body of a request, within its bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import trio

from observatory import Asgi
from observatory_http.server.answers import RefusedError
from observatory_http.server.client_stream import ClientStream
from observatory_http.settings import HttpSettings


class Body:
    """Hands on the body of a request as it comes in: what ASGI calls `receive`.

    Args:
        receive: what it comes from.
        stream: the connection.
        settings: the bounds.
    """

    def __init__(self, receive: Callable[[], Awaitable[Asgi]], stream: ClientStream, settings: HttpSettings) -> None:
        self.complete = False
        """Whether all of it has come."""
        self._receive = receive
        self._stream = stream
        self._room = settings.max_body_bytes
        self._most = settings.max_body_bytes
        self._seconds = settings.request_seconds
        self._deadline = trio.current_time() + settings.request_seconds

    async def receive(self) -> Asgi:
        """Return the next part; after the last one, wait until the client has gone.

        Whether it has is known at once, without a turn of the loop, also where nobody has read so far yet.

        Raises:
            RefusedError: it is too large, or does not come in time.
        """
        if self.complete:
            return {"type": "http.disconnect"} if self._stream.gone else await self._receive()
        message = None
        with trio.CancelScope(deadline=self._deadline):
            message = await self._receive()
        if message is None:
            words = f"the body of this request was not there within {self._seconds:g} s"
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, words, Connection="close")
        self._room -= len(message.get("body", b""))
        if self._room < 0:
            raise too_large(self._most)
        self.complete = not message.get("more_body", False)  # also when the client has gone
        return message


async def read_all(receive: Callable[[], Awaitable[Asgi]]) -> bytes:
    """Return a whole body.

    Raises:
        RefusedError: as `Body.receive` does; or the client has gone, which hears of nothing any more.
    """
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the client has gone before its request was complete")
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(most: int) -> RefusedError:
    """Return what is said of a body that is too large."""
    words = f"the body of a request has at most {most:,} bytes"
    return RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words, Connection="close")
