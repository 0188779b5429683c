"""Websocket frames as a server sends them: whole, not masked, not compressed. Made once, written to many."""

from __future__ import annotations

import struct
from collections.abc import Sequence

CLOSE = 0x88
"""First byte of a close frame."""

PING = b"\x89\x00"
"""A ping."""

TOO_LARGE = 1009
"""The code of a close frame for a message that is larger than one may be."""

_TEXT = 0x81
_SMALL = 125
_MEDIUM = 0xFFFF
_MAX_REASON = 123  # bytes: a close frame holds 125, two of which are the code


def text_frame(data: bytes) -> bytes:
    """Return the frame of a text message; `data` is UTF-8."""
    size = len(data)
    if size <= _SMALL:
        return bytes((_TEXT, size)) + data
    if size <= _MEDIUM:
        return struct.pack("!BBH", _TEXT, 126, size) + data
    return struct.pack("!BBQ", _TEXT, 127, size) + data


def close_frame(code: int, reason: str, last: Sequence[str] = ()) -> bytes:
    """Return the frame that ends a connection.

    Args:
        code: why.
        reason: the same in words; as many bytes of them as a frame holds.
        last: how far topics were told, such as `7@build`: as many as it holds, and of the first what it holds.
    """
    words = reason
    for place, one in enumerate(last):
        longer = f"{words} {one}" if place else f"{words}; last {one}"
        if place and len(longer.encode()) > _MAX_REASON:
            break
        words = longer
    data = words.encode()[:_MAX_REASON].decode(errors="ignore").encode()  # whole characters
    return struct.pack("!BBH", CLOSE, 2 + len(data), code) + data
