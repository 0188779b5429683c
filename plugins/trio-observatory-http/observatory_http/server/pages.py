"""What a browser is told whose page may ask: CORS, for the origins that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeAlias

from starlette.responses import Response

from observatory import Asgi

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Names, in lower case, and values."""

_METHOD = b"access-control-request-method"

_READABLE = b"mcp-session-id, retry-after, www-authenticate"
"""Headers of answers that a page may read."""

_MAX_AGE = b"600"
"""Seconds for which a browser remembers what it may ask."""


def values_of(headers: Headers, name: bytes) -> list[bytes]:
    """Return the values of a header, in order."""
    return [value for key, value in headers if key == name]


def told_to_page(headers: Headers) -> Headers:
    """Return what the answer to a request says whose Origin, if it has one, is allowed."""
    return [
        told
        for origin in values_of(headers, b"origin")
        for told in (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _READABLE),
            (b"vary", b"origin"),
        )
    ]


def is_preflight(scope: Asgi) -> bool:
    """Return whether a browser asks what a page may ask: it never sends a token with that."""
    names = {name for name, _ in scope["headers"]}
    return scope["method"] == "OPTIONS" and b"origin" in names and _METHOD in names


def answer_preflight(headers: Headers) -> Response:
    """Return the answer to that, for an Origin that is allowed: whatever it likes, with a token."""
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    wanted = b", ".join(values_of(headers, b"access-control-request-headers"))
    response.raw_headers += [
        (b"access-control-allow-methods", b", ".join(values_of(headers, _METHOD))),
        (b"access-control-allow-headers", wanted),
        (b"access-control-max-age", _MAX_AGE),
    ]
    return response
