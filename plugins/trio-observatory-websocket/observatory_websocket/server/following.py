"""What one connection follows: a task for each topic or pattern, which writes what is published there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import trio

from observatory import ClosedError, InvalidInputError, PubSub, Subscription
from observatory_websocket.server.fan_out import FanOut, FanOuts
from observatory_websocket.server.feeds import Feeds, Piece, take_some
from observatory_websocket.server.stream import SharedStream

_CAPACITY = 10_000
"""Events that a subscription may fall behind before there is a gap. They lie in the topic's log, not with us, and long
before that the connection is full."""


class Follower:
    """One subscription of a connection.

    Attributes:
        last: number of the last event of a topic that was written; of a pattern, its position.
        caught_up: Trio's time at which nothing more waited for it last.
    """

    def __init__(
        self, subscription: Subscription, last: int, feeds: Feeds, fan_out: FanOut, stream: SharedStream
    ) -> None:
        self.last = last
        self.caught_up = trio.current_time()
        self.topic = subscription.topic
        self.subscription = subscription
        self._feeds = feeds
        self._fan_out = fan_out
        self._stream = stream
        self._by_position = self.topic.endswith(":*")
        self._stopped = False
        self._pieces: Iterator[Piece] = iter(())  # what was read, and is still to be written

    @property
    def ready(self) -> bool:
        """Whether the connection has taken everything."""
        return not self._stream.unwritten

    async def run(self) -> None:
        """Write until it is stopped, or the connection is gone."""
        try:
            while not self._stopped:
                while not self.write_nowait():
                    await self._stream.flush()
                await self._fan_out.keep_up(self)
                await self._stream.flush()  # what was taken is not all written
        except (ClosedError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # whoever has closed it knows

    def write_nowait(self) -> bool:
        """Write what waits as far as the connection takes it at once; return whether that was everything."""
        while self._put(self._pieces):
            events = take_some(self.subscription)
            if not events:
                self.caught_up = trio.current_time()
                return True
            self._pieces = self._feeds.writes(self.topic, events)
        return False

    def take(self, pieces: Iterable[Piece]) -> bool:
        """Write what comes next at once, as `write_nowait` does; the subscription has gone past it."""
        self.caught_up = trio.current_time()
        return self._put(pieces)

    def _put(self, pieces: Iterable[Piece]) -> bool:
        self._pieces = iter(pieces)
        while self.ready:  # else it would only pile up
            piece = next(self._pieces, None)
            if piece is None:
                return True
            data, event = piece
            self.last = (event.position or self.last) if self._by_position else event.sequence
            self._stream.send_nowait(data)
        return False

    def stop(self) -> None:
        """Write nothing any more."""
        self._stopped = True
        self.subscription.close()
        self._pieces = iter(())
        self._fan_out.dismiss(self)


class Following:
    """All subscriptions of a connection.

    Args:
        pubsub: what is subscribed to.
        feeds: what is written, shared with all other connections ...
        fan_outs: ... as is who writes it to those that keep up.
        stream: the connection's.
        most: topics and patterns that it may follow.
    """

    def __init__(self, pubsub: PubSub, feeds: Feeds, fan_outs: FanOuts, stream: SharedStream, most: int) -> None:
        self._pubsub = pubsub
        self._feeds = feeds
        self._fan_outs = fan_outs
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
        fan_out = self._fan_outs.of(topic)
        follower = self._followers[topic] = Follower(subscription, last, self._feeds, fan_out, self._stream)
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

    def end(self) -> Mapping[str, int]:
        """Stop, and return how far the connection was served: the last number of each topic."""
        for follower in self._followers.values():
            follower.stop()
        return {topic: follower.last for topic, follower in self._followers.items()}
