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
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


@attrs.frozen
class Head:
    """The head of a request for a websocket."""

    raw: bytes
    """All that was read, the head and what came with it."""
    method: bytes
    """Such as `GET`."""
    target: bytes
    """The path, with a query if there is one."""
    headers: Sequence[tuple[bytes, bytes]]
    """Names in lower case, and values."""

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
    raw = b""
    while True:
        data = await stream.receive_some(_READ)
        if not data:
            return None
        raw += bytes(data)
        try:
            parser.receive_data(bytes(data))
            event = parser.next_event()
        except h11.RemoteProtocolError as error:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if len(raw) >= _MAX_HEAD else HTTPStatus.BAD_REQUEST
            raise RefusedError(status, f"this is no request that can be read: {error}") from error
        if isinstance(event, h11.Request):
            return Head(raw, event.method, event.target, list(event.headers))


def check_head(head: Head, security: Security, port: int) -> Identity | None:
    """See that a request may become a websocket, and who asks for it.

    Returns:
        Who it is; None when the token is still to come, as the first message.

    Raises:
        RefusedError: it may not.
    """
    try:
        security.check_host(head.values(b"host"), port)
        security.check_origin(head.values(b"origin"))
    except ForbiddenError as error:
        raise RefusedError(HTTPStatus.FORBIDDEN, str(error)) from error
    _check_upgrade(head)
    try:
        token = security.bearer(head.values(b"authorization"))
        return None if token is None else security.identify(token)
    except UnauthorizedError as error:
        raise RefusedError(HTTPStatus.UNAUTHORIZED, str(error), WWW_Authenticate="Bearer") from error


def _check_upgrade(head: Head) -> None:
    if head.target != b"/":
        raise RefusedError(HTTPStatus.NOT_FOUND, "there is nothing here: the websocket is at /")
    if head.method != b"GET":
        raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "a websocket is asked for with GET", Allow="GET")
    version = head.values(b"sec-websocket-version")
    if b"websocket" not in _tokens(head, b"upgrade") or b"upgrade" not in _tokens(head, b"connection"):
        words = "this is a websocket, which a browser's address line cannot open: connect a websocket client"
        raise RefusedError(HTTPStatus.UPGRADE_REQUIRED, words, Upgrade="websocket", Connection="Upgrade, close")
    if version != [b"13"]:
        words = "version 13 of the websocket protocol is spoken here"
        raise RefusedError(HTTPStatus.UPGRADE_REQUIRED, words, Sec_WebSocket_Version="13")
    if not _is_key(head.values(b"sec-websocket-key")):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the header Sec-WebSocket-Key must stand there once, with 16 bytes")


def _tokens(head: Head, name: bytes) -> list[bytes]:
    return [token.strip().lower() for value in head.values(name) for token in value.split(b",")]


def _is_key(values: Sequence[bytes]) -> bool:
    try:
        return len(values) == 1 and len(base64.b64decode(values[0], validate=True)) == 16
    except binascii.Error:
        return False
