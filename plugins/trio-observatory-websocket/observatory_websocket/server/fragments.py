"""In how many small frames a message comes in: wsproto keeps each, and a bound in bytes bounds no empty ones."""

from __future__ import annotations

MOST = 1_024
"""Small frames of one message."""

SMALL = 32
"""Bytes: a frame with fewer costs more to take in than to hold."""

_FINAL, _CONTROL = 0x80, 0x08
_MASKED, _LENGTH = 0x80, 0x7F


class Fragments:
    """Counts the small frames of the message that is coming in."""

    def __init__(self) -> None:
        self._count = 0
        self._ahead = 0  # bytes of the frame that is coming in, still to be passed over
        self._head = b""  # of a frame, cut off

    def too_many(self, data: bytes) -> bool:
        """Go through what comes in next; return whether a message has more of them than it may."""
        if self._head:
            data = self._head + data
        at, end = self._ahead, len(data)
        while at + 2 <= end:
            first, second = data[at], data[at + 1]
            size = second & _LENGTH
            extended = {126: 2, 127: 8}.get(size, 0)
            begin = at + 2 + extended
            if begin > end:
                break
            if extended:
                size = int.from_bytes(data[at + 2 : begin])
            if not first & _CONTROL:  # those may stand within a message, and belong to none
                self._count += size < SMALL
                if self._count > MOST:
                    return True
                if first & _FINAL:
                    self._count = 0
            at = begin + size + (4 if second & _MASKED else 0)
        self._head = data[at:]
        self._ahead = max(0, at - end)
        return False
