"""What comes in, looked at before anybody takes it in: how large a message is, and in how many small frames it comes.

trio-websocket counts the characters of a text, of which one has up to four bytes, and wsproto keeps every frame of a
message, however many of them are empty.
"""

from __future__ import annotations

MOST = 1_024
"""Small frames of one message."""

SMALL = 32
"""Bytes: a frame with fewer costs more to take in than to hold."""

_AT_ONCE = 64
"""Small frames that are handed on at a time: so many are taken in before anybody else has a turn."""

_FINAL, _CONTROL = 0x80, 0x08
_MASKED, _LENGTH = 0x80, 0x7F
_TOO_LONG = 2**63
"""A length that no frame may say: whoever reads it next refuses it."""


class Incoming:
    """Looks at the frames that come in.

    Attributes:
        most: bytes of the largest message that is taken.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._size = 0  # of the message that is coming in ...
        self._pieces = 0  # ... and how many small frames it has so far
        self._ahead = 0  # bytes of the frame that is coming in, still to be passed over
        self._head = b""  # of a frame, cut off; it was handed on

    def look(self, data: bytes) -> tuple[int, str | None]:
        """Go through what comes in next.

        Returns:
            How many of these bytes may be handed on now, and what is wrong with those that follow; None when nothing
            is. Others that are left are looked at again.
        """
        handed_on = len(self._head)
        if handed_on:
            data = self._head + data
        at, end = self._ahead, len(data)
        pieces = 0
        while at + 2 <= end and pieces < _AT_ONCE:
            first, second = data[at], data[at + 1]
            size = second & _LENGTH
            extended = {126: 2, 127: 8}.get(size, 0)
            begin = at + 2 + extended
            if begin > end:
                break
            if extended:
                size = int.from_bytes(data[at + 2 : begin])
            if not first & _CONTROL and size < _TOO_LONG:  # control frames may stand within a message, and are small
                fault = self._count(size)
                if fault is not None:
                    self._head, self._ahead = b"", 0  # what follows is looked at again, and is still wrong
                    return max(0, at - handed_on), fault
                if first & _FINAL:
                    self._size = self._pieces = 0
                else:
                    pieces += size < SMALL
            at = begin + size + (4 if second & _MASKED else 0)
        if pieces == _AT_ONCE and at < end:
            self._head, self._ahead = b"", 0
            return at - handed_on, None
        self._head, self._ahead = data[at:], max(0, at - end)
        return end - handed_on, None

    def _count(self, size: int) -> str | None:
        """Count a frame of a message; return what is wrong with it."""
        self._size += size
        self._pieces += size < SMALL
        if self._size > self.most:
            return f"a message has at most {self.most} bytes"
        if self._pieces > MOST:
            return f"a message has at most {MOST:,} frames of less than {SMALL} bytes"
        return None
