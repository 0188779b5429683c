"""Who is connected: those who have said who they are, and those who still have to, and make room for others."""

from __future__ import annotations

import trio

_SPARE = 64
"""Places beside those of the bound, for who has not said who it is."""


class Places:
    """The places of one service.

    Args:
        most: connections that have said who they are, at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[trio.SocketStream] = set()
        self._strangers: dict[trio.SocketStream, None] = {}  # the one that came first stands first

    def __len__(self) -> int:
        """Return how many connections there are."""
        return len(self._known) + len(self._strangers)

    @property
    def full(self) -> bool:
        """Whether nobody else can be kept."""
        return len(self._known) >= self._most

    def take(self, stream: trio.SocketStream) -> trio.SocketStream | None:
        """Give a connection a place.

        Returns:
            Who is to be cut off, so that a flood of connections takes no room, and no place from others: the one that
            has not said for longest who it is. None when there is room.
        """
        self._strangers[stream] = None
        if len(self) <= self._most + _SPARE:
            return None
        first = next(iter(self._strangers))
        del self._strangers[first]
        return first

    def keep(self, stream: trio.SocketStream) -> bool:
        """Let a connection that has said who it is stay; return False when there is no place, or it was cut off."""
        if self.full or stream not in self._strangers:
            return False
        del self._strangers[stream]
        self._known.add(stream)
        return True

    def leave(self, stream: trio.SocketStream) -> None:
        """Free the place of a connection that is over."""
        self._known.discard(stream)
        self._strangers.pop(stream, None)
