"""What one connection follows: a task for each topic or pattern, which writes what is published there."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from observatory import ClosedError, Event, InvalidInputError, PubSub, Subscription
from observatory_websocket.server.feeds import Feeds
from observatory_websocket.server.stream import SharedStream

_TOGETHER = 256
"""Events that are taken from a subscription at a time."""

_CAPACITY = 10_000
"""Events that a subscription may fall behind before there is a gap. They lie in the topic's log, not with us, and long
before that the connection is full."""


class Follower:
    """One subscription of a connection.

    Attributes:
        begun: whether `run` was called, or is about to be.
        last: number of the last event of a topic that the client has; of a pattern, its position.
        caught_up: Trio's time at which nothing more waited for it last.
    """

    def __init__(self, subscription: Subscription, last: int, feeds: Feeds, stream: SharedStream) -> None:
        self.begun = False
        self.last = last
        self.caught_up = trio.current_time()
        self.topic = subscription.topic
        self.subscription = subscription
        self._feeds = feeds
        self._stream = stream
        self._by_position = self.topic.endswith(":*")
        self._stopped = False
        self._ended = trio.Event()

    async def run(self) -> None:
        """Write until it is stopped, or the connection is gone."""
        try:
            while True:
                events = await self.subscription.receive_batch(_TOGETHER)
                if len(events) < _TOGETHER:
                    self.caught_up = trio.current_time()
                await self._write(events)
        except (ClosedError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # whoever has closed it knows
        finally:
            self._ended.set()

    def stop(self) -> None:
        """Begin to write nothing any more."""
        self._stopped = True
        self.subscription.close()

    async def end(self) -> str:
        """Wait until what is being written was taken, and say how far it has come."""
        if self.begun:
            await self._ended.wait()
        return f"{self.last}@{self.topic}"

    async def _write(self, events: Sequence[Event]) -> None:
        for data, event in self._feeds.writes(self.topic, events):
            if self._stopped:
                return
            if not self._stream.send_nowait(data):
                await self._stream.flush()
            self.last = (event.position or self.last) if self._by_position else event.sequence


class Following:
    """All subscriptions of a connection.

    Args:
        pubsub: what is subscribed to.
        feeds: what is written, shared with all other connections.
        stream: the connection's.
        most: topics and patterns that it may follow.
    """

    def __init__(self, pubsub: PubSub, feeds: Feeds, stream: SharedStream, most: int) -> None:
        self._pubsub = pubsub
        self._feeds = feeds
        self._stream = stream
        self._most = most
        self._followers: dict[str, Follower] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._followers)

    def subscribe(self, topic: str, since: int | None, epoch: str | None) -> Follower:
        """Subscribe; what is published from now on is written once the follower runs.

        Raises:
            InvalidInputError: it is followed already, there are too many, or an argument is not allowed.
            ClosedError: Observatory is closed.
        """
        if topic in self._followers:
            raise InvalidInputError("params.topic", f"{topic!r:.80} is followed by this connection already")
        if len(self._followers) >= self._most:
            raise InvalidInputError("params.topic", f"a connection may follow {self._most:,} topics, and this one does")
        subscription = self._pubsub.subscribe(topic, since=since, epoch=epoch, capacity=_CAPACITY)
        last = self._pubsub.newest(topic) if since is None else since
        follower = self._followers[topic] = Follower(subscription, last, self._feeds, self._stream)
        return follower

    def unsubscribe(self, topic: str) -> bool:
        """End a subscription: nothing of it is written after this. Return whether there was one."""
        follower = self._followers.pop(topic, None)
        if follower is None:
            return False
        follower.stop()
        return True

    def close(self) -> None:
        """End all of them."""
        for topic in tuple(self._followers):
            self.unsubscribe(topic)

    def full_since(self, events: int, size: int) -> float | None:
        """Return since when more than so many events, or bytes of them, may have waited; None while they do not."""
        backlogs = {follower: follower.subscription.backlog() for follower in self._followers.values()}
        waiting = sum([one.events for one in backlogs.values()]), sum([one.bytes for one in backlogs.values()])
        if waiting[0] <= events and waiting[1] <= size:
            return None
        return min([follower.caught_up for follower, backlog in backlogs.items() if backlog.events])

    async def end(self) -> str:
        """Stop, and say how far the connection was served: the last number of each topic."""
        followers = tuple(self._followers.values())
        for follower in followers:
            follower.stop()
        return " ".join([await follower.end() for follower in followers])
