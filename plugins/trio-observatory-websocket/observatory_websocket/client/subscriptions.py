"""Events of one topic or pattern, as they come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import trio

from observatory import ClientSubscription, Event, Gap, ObservatoryError

_CAPACITY = 1_000
"""Events that wait for a reader ..."""
_CAPACITY_BYTES = 16 * 1024 * 1024
"""... and their size; beyond either, the oldest go, and an event with a `Gap` stands in their place."""


class WebSocketSubscription(ClientSubscription):
    """What `subscribe` returns.

    Args:
        topic: the topic or pattern.
        since: the last number that was seen; None for what comes from now on.
        epoch: what that number belongs to.
        leave: ends it at the service, without waiting for that.
    """

    def __init__(
        self, topic: str, since: int | None, epoch: str | None, leave: Callable[[WebSocketSubscription], None]
    ) -> None:
        self.topic = topic
        self.begun = False
        """Whether the service has said that it begins."""
        self._since = since  # the number to go on from, should the connection be lost, ...
        self._epoch = epoch  # ... and what that belongs to
        self._leave = leave
        self._by_position = topic.endswith(":*")
        self._events: deque[tuple[Event, int]] = deque()  # and their size
        self._bytes = 0
        self._came = trio.Event()
        self._ended = False
        self._error: ObservatoryError | None = None
        self._busy = False

    @property
    def params(self) -> dict[str, Any]:
        """What to ask the service for, so that it goes on from what has come in."""
        return {"topic": self.topic, "since": self._since, "epoch": self._epoch}

    async def __anext__(self) -> Event:
        """Return the next event.

        Raises:
            StopAsyncIteration: it, or the client, is closed, and everything was read.
            trio.BusyResourceError: when another task is reading.
            ObservatoryError: why the service does not go on with it, after everything was read.
        """
        if self._busy:
            raise trio.BusyResourceError("another task is already reading this subscription")
        self._busy = True
        try:
            await trio.lowlevel.checkpoint()
            while not self._events:
                if self._error is not None:
                    raise self._error.with_traceback(None)
                if self._ended:
                    raise StopAsyncIteration
                await self._came.wait()
            return self._pop()
        finally:
            self._busy = False

    async def aclose(self) -> None:
        """Unsubscribe."""
        self.end()
        self._events.clear()
        self._bytes = 0
        self._error = None
        self._leave(self)
        await trio.lowlevel.checkpoint()

    def begin(self, answer: Mapping[str, Any]) -> None:
        """Take the service's answer: what comes from now on is of this subscription."""
        self.begun = True
        if self._since is None:
            self._since = answer["newest"]
        if self._epoch is None:
            self._epoch = answer["epoch"]

    def take(self, event: Event, size: int) -> None:
        """Take what has come in. It is the service that says where it goes on: numbers may fall, as after a restart.

        Args:
            event: what has come in.
            size: bytes that it came in.
        """
        if not self._by_position:
            self._since = event.sequence
        elif event.position:
            self._since = event.position
        elif event.epoch != self._epoch:
            self._since = 0  # a gap has no position: what comes after this one are all events of another epoch
        self._epoch = event.epoch
        self._events.append((event, size))
        self._bytes += size
        if len(self._events) > _CAPACITY or (self._bytes > _CAPACITY_BYTES and len(self._events) > 1):
            self._forget_oldest()
        self._wake()

    def end(self, error: ObservatoryError | None = None) -> None:
        """Let the reader have what is there, and then the error, if there is one."""
        if not self._ended:
            self._ended = True
            self._error = error
        self._wake()

    def _forget_oldest(self) -> None:
        """Put a gap in the place of the oldest events, one of which may be a gap itself; the newest one stays."""
        missed: int | None = 0
        while len(self._events) >= _CAPACITY or (self._bytes > _CAPACITY_BYTES and len(self._events) > 1):
            event = self._pop()
            more = event.payload.missed if isinstance(event.payload, Gap) else 1
            missed = None if missed is None or more is None else missed + more
        following, _ = self._events[0]
        sequence = 0 if self._by_position else following.sequence - (not isinstance(following.payload, Gap))
        self._events.appendleft((Event(self.topic, following.epoch, sequence, Gap(missed)), 0))

    def _pop(self) -> Event:
        event, size = self._events.popleft()
        self._bytes -= size
        return event

    def _wake(self) -> None:
        self._came.set()
        self._came = trio.Event()
