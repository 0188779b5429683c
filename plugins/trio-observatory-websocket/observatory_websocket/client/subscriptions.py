"""Events of one topic or pattern, as they come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from observatory import ClientSubscription, Event, Gap

_CAPACITY = 1_000
"""Events that wait for a reader; beyond, the oldest go, and an event with a `Gap` stands in their place."""


class WebSocketSubscription(ClientSubscription):
    """What `subscribe` returns.

    Args:
        topic: the topic or pattern.
        since: the last number that was seen; None for what comes from now on.
        epoch: what that number belongs to.
        leave: ends it at the service.
    """

    def __init__(
        self, topic: str, since: int | None, epoch: str | None, leave: Callable[[str], Awaitable[None]]
    ) -> None:
        self.topic = topic
        self.since = since
        """The number to go on from, should the connection be lost."""
        self.epoch = epoch
        """What that number belongs to."""
        self._leave = leave
        self._by_position = topic.endswith(":*")
        self._events: deque[Event] = deque()
        self._missed = 0
        self._came = trio.Event()
        self._closed = False

    async def __anext__(self) -> Event:
        """Return the next event."""
        await trio.lowlevel.checkpoint()
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            await self._came.wait()
        if not self._missed:
            return self._events.popleft()
        missed, self._missed = self._missed, 0
        first = self._events[0]
        return Event(self.topic, first.epoch, 0 if self._by_position else first.sequence - 1, Gap(missed))

    async def aclose(self) -> None:
        """Unsubscribe."""
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        self.end()
        self._events.clear()
        await self._leave(self.topic)

    def begin(self, epoch: str, newest: int) -> None:
        """Note where it begins, unless something has come already."""
        if self.epoch is None:
            self.epoch, self.since = epoch, newest

    def take(self, event: Event) -> None:
        """Take what has come in."""
        number = event.position if self._by_position else event.sequence
        if event.epoch != self.epoch or self.since is None:
            self.epoch, self.since = event.epoch, number
        else:
            self.since = max(self.since, number)
        self._events.append(event)
        if len(self._events) > _CAPACITY:
            self._events.popleft()
            self._missed += 1
        self._wake()

    def end(self) -> None:
        """Let the reader have what is there, and no more."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._came.set()
        self._came = trio.Event()
