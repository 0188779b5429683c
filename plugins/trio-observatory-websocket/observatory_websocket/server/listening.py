"""Agents that listen for their own mail: what the delivery channel `websocket` brings them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection

import orjson
import trio

from observatory import InvalidInputError, to_wire
from observatory_websocket.server.frames import text_frame
from observatory_websocket.server.stream import SharedStream

_LONGEST_NAME = 128
"""Characters of an agent's name."""


class Listener:
    """One connection that listens, and what waits for it.

    Args:
        stream: the connection's.
        most: frames that may wait ...
        most_bytes: ... and their bytes.
    """

    def __init__(self, stream: SharedStream, most: int, most_bytes: int) -> None:
        self._stream = stream
        self._most = most
        self._most_bytes = most_bytes
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._missed = 0  # posts that it had no room for, and has not been told of
        self._work = trio.Event()

    @property
    def waiting(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def put(self, frame: bytes) -> bool:
        """Let a frame wait to be written; return False when there is no room."""
        if len(self._frames) >= self._most or self._bytes >= self._most_bytes:
            self._missed += 1
            return False
        if self._missed:
            self._append(notification("mailbox.dropped", {"count": self._missed}))
            self._missed = 0
        self._append(frame)
        return True

    def take(self) -> list[bytes]:
        """Return what waits; it waits no more."""
        frames = list(self._frames)
        self._frames.clear()
        self._bytes = 0
        return frames

    async def run(self) -> None:
        """Write what waits, until cancelled or the connection is gone."""
        try:
            while True:
                await self._work.wait()
                self._work = trio.Event()
                await self._stream.send_all(b"".join(self.take()))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the connection's reader hears of it, too

    def _append(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._bytes += len(frame)
        self._work.set()


class Listeners:
    """Who listens for whose mail."""

    def __init__(self) -> None:
        self._by_agent: defaultdict[str, dict[Listener, None]] = defaultdict(dict)

    def add(self, agent: str, listener: Listener) -> None:
        """Let a connection have an agent's mail, from now on."""
        self._by_agent[agent][listener] = None

    def remove(self, agent: str, listener: Listener) -> None:
        """Let it have no more."""
        listeners = self._by_agent.get(agent, {})
        listeners.pop(listener, None)
        if not listeners:
            self._by_agent.pop(agent, None)

    def of(self, agent: str) -> Collection[Listener]:
        """Return the connections that listen for an agent's mail."""
        return self._by_agent.get(agent, {})

    def all(self) -> Collection[Listener]:
        """Return every connection that listens."""
        return {listener: None for listeners in self._by_agent.values() for listener in listeners}


class Listening:
    """For whose mail one connection listens.

    Attributes:
        listener: what waits for it.
        begun: whether the listener's `run` was called, or is about to be.

    Args:
        listeners: those of all connections.
        listener: this connection's.
        most: agents that one connection may listen for.
    """

    def __init__(self, listeners: Listeners, listener: Listener, most: int) -> None:
        self.listener = listener
        self.begun = False
        self._listeners = listeners
        self._most = most
        self._agents: set[str] = set()

    def begin(self, agent: str) -> None:
        """Have an agent's mail; what comes is written once `listener` runs.

        Raises:
            InvalidInputError: nobody can be called that, or there are too many.
        """
        if len(agent) > _LONGEST_NAME:
            raise InvalidInputError("params.agent", f"{agent!r:.80} has more than {_LONGEST_NAME} characters")
        if agent not in self._agents and len(self._agents) >= self._most:
            raise InvalidInputError(
                "params.agent", f"a connection may listen for {self._most:,} agents, and this one does"
            )
        self._agents.add(agent)
        self._listeners.add(agent, self.listener)

    def end(self, agent: str) -> bool:
        """Have it no more; return whether it was had."""
        listened = agent in self._agents
        self._agents.discard(agent)
        self._listeners.remove(agent, self.listener)
        return listened

    def close(self) -> None:
        """Have nobody's."""
        for agent in tuple(self._agents):
            self.end(agent)

    def __len__(self) -> int:
        """Return for how many agents."""
        return len(self._agents)


def notification(method: str, params: object) -> bytes:
    """Return the frame of a notification."""
    return text_frame(orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params}, default=to_wire))
