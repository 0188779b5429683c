"""Who is connected: those who have said who they are, and those who still have to, and make room for others."""

from __future__ import annotations

import logging
import resource
from collections import Counter

import trio

from observatory import Identity

_SPARE = 64
"""Places beside those of the bound, for who has not said who it is."""

_OTHER_FILES = 64
"""Files and sockets that are left for everything else where a process may open few."""

_log = logging.getLogger("observatory.websocket")


def most_connections(wanted: int) -> int:
    """Return how many connections there can be: fewer than wanted where this process may open too few files."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if allowed == resource.RLIM_INFINITY else min(wanted, max(1, allowed - _SPARE - _OTHER_FILES))
    if most < wanted:
        _log.info(
            "at most %d connections, since this process may open %d files; `ulimit -n` allows more", most, allowed
        )
    return most


class Places:
    """The places of one service.

    One agent may have a quarter of them, and of every sixteen one is kept for the service's owner, so that whoever has
    an agent's token cannot keep the others out.

    Args:
        most: connections that have said who they are, at a time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._known: dict[trio.SocketStream, str | None] = {}
        self._agents: Counter[str] = Counter()
        self._strangers: dict[trio.SocketStream, None] = {}  # the one that came first stands first

    def __len__(self) -> int:
        """Return how many connections there are."""
        return len(self._known) + len(self._strangers)

    @property
    def full(self) -> bool:
        """Whether nobody else can be kept."""
        return len(self._known) >= self.most

    def take(self, stream: trio.SocketStream) -> trio.SocketStream | None:
        """Give a connection a place.

        Returns:
            Who is to be cut off, so that a flood of connections takes no room, and no place from others: the one that
            has not said for longest who it is. None when there is room.
        """
        self._strangers[stream] = None
        if len(self) <= self.most + _SPARE:
            return None
        first = next(iter(self._strangers))
        del self._strangers[first]
        return first

    def keep(self, stream: trio.SocketStream, identity: Identity) -> str | None:
        """Let a connection that has said who it is stay; return why it cannot, in one line, or None."""
        name = identity.name
        if name is not None:
            if self._agents[name] >= max(1, self.most // 4):
                return f"{name!r} has {self._agents[name]:,} connections open, which is what one agent may have"
            if self._agents.total() >= self.most - self.most // 16:
                return self.why_full
        if self.full:
            return self.why_full
        if stream in self._strangers:  # else it was cut off just now
            del self._strangers[stream]
            self._known[stream] = name
            if name is not None:
                self._agents[name] += 1
        return None

    @property
    def why_full(self) -> str:
        """What somebody is told for whom there is no place."""
        return f"{len(self._known):,} connections are open, which is what this service holds"

    def leave(self, stream: trio.SocketStream) -> None:
        """Free the place of a connection that is over."""
        self._strangers.pop(stream, None)
        name = self._known.pop(stream, None)
        if name is not None:
            self._agents[name] -= 1
            self._agents += Counter()  # without those of whom there are none
