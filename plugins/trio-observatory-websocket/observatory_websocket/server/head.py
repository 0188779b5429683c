"""The head of a request, read within bounds and checked before anything is upgraded."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from http import HTTPStatus

import attrs
import h11
from trio.abc import ReceiveStream

from observatory import ForbiddenError, Identity, Security, UnauthorizedError

_MAX_HEAD = 16 * 1024
"""Bytes of the largest head that is read."""

_READ = 4 * 1024


class RefusedError(Exception):
    """Raised for a request that is answered in HTTP, and not upgraded.

    Attributes:
        status: the answer's status.
        headers: what it takes beside the usual.
    """

    def __init__(self, status: HTTPStatus, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers

    def response(self) -> bytes:
        """Return the answer, after which the connection is closed."""
        body = f"{self}\n".encode()
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "X-Content-Type-Options": "nosniff",
            **{name.replace("_", "-"): value for name, value in self.headers.items()},
        }
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", *(f"{n}: {v}" for n, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


@attrs.frozen
class Head:
    """The head of a request."""

    method: bytes
    """Such as `GET`."""
    target: bytes
    """The path, with a query if there is one."""
    version: bytes
    """Of HTTP, such as `1.1`."""
    headers: Sequence[tuple[bytes, bytes]]
    """Names in lower case, and values."""
    early: bytes
    """What was read behind it."""

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header, as often as it stands there."""
        return [value for key, value in self.headers if key == name]


async def read_head(stream: ReceiveStream) -> Head | None:
    """Read a request's head.

    Returns:
        The head; None when the client has gone before it was complete.

    Raises:
        RefusedError: it is too large, or not HTTP.
    """
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
    while True:
        data = await stream.receive_some(_READ)
        if not data:
            return None
        try:
            parser.receive_data(bytes(data))
            event = parser.next_event()
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            what = str(error).partition(": bytearray")[0]  # the line itself is theirs
            raise RefusedError(status, f"this is no request that can be read: {what:.200}") from error
        if isinstance(event, h11.Request):
            early, _ = parser.trailing_data
            return Head(event.method, event.target, event.http_version, list(event.headers), early)


def identify(head: Head, security: Security, port: int) -> Identity | None:
    """See who asks for something at the door of that port.

    Returns:
        Who it is; None when the token is still to come, as the first message.

    Raises:
        RefusedError: it may not come in.
    """
    try:
        security.check_host(head.values(b"host"), port)
        security.check_origin(head.values(b"origin"))
        token = security.bearer(head.values(b"authorization"))
        return None if token is None else security.identify(token)
    except ForbiddenError as error:
        raise RefusedError(HTTPStatus.FORBIDDEN, str(error)) from error
    except UnauthorizedError as error:
        raise RefusedError(HTTPStatus.UNAUTHORIZED, str(error), WWW_Authenticate="Bearer") from error


def upgrade_of(head: Head) -> bytes:
    """See that a request is one for a websocket.

    Returns:
        The same request in the words that trio-websocket needs: what nobody has checked does not reach it.

    Raises:
        RefusedError: it is not.
    """
    if head.version != b"1.1":
        raise RefusedError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.1 is spoken here")
    if head.target != b"/":
        raise RefusedError(HTTPStatus.NOT_FOUND, "there is nothing here: the websocket is at /")
    if head.method != b"GET":
        raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "a websocket is asked for with GET", Allow="GET")
    if head.values(b"transfer-encoding") or any(size != b"0" for size in head.values(b"content-length")):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "a request for a websocket has no body")
    if b"websocket" not in _tokens(head, b"upgrade") or b"upgrade" not in _tokens(head, b"connection"):
        words = "this is a websocket, which a browser's address line cannot open: connect a websocket client"
        raise RefusedError(HTTPStatus.UPGRADE_REQUIRED, words, Upgrade="websocket", Connection="Upgrade, close")
    if head.values(b"sec-websocket-version") != [b"13"]:
        words = "version 13 of the websocket protocol is spoken here"
        raise RefusedError(HTTPStatus.UPGRADE_REQUIRED, words, Sec_WebSocket_Version="13")
    keys = head.values(b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the header Sec-WebSocket-Key must stand there once, with 16 bytes")
    return _UPGRADE % keys[0]


_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
)


def _tokens(head: Head, name: bytes) -> list[bytes]:
    return [token.strip().lower() for value in head.values(name) for token in value.split(b",")]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False
