"""What one connection follows: a task for each topic or pattern, which writes what is published there."""

from __future__ import annotations

import trio

from observatory import ClosedError, InvalidInputError, PubSub, Subscription
from observatory_websocket.server.feeds import Feed, Feeds
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
        last: number of the last event of a topic that was written; of a pattern, its position.
    """

    def __init__(self, subscription: Subscription, feed: Feed, stream: SharedStream) -> None:
        self.begun = False
        self.last = 0
        self.topic = subscription.topic
        self.subscription = subscription
        self._feed = feed
        self._stream = stream
        self._by_position = self.topic.endswith(":*")
        self._ended = trio.Event()

    async def run(self) -> None:
        """Write until the subscription is closed, or the connection is gone."""
        try:
            while True:
                events = await self.subscription.receive_batch(_TOGETHER)
                for data in self._feed.writes(events):
                    await self._stream.send_all(data)
                newest = events[-1]
                self.last = newest.position if self._by_position else newest.sequence
        except (ClosedError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # whoever has closed it knows, and the connection's reader hears of the rest
        finally:
            self._ended.set()

    async def end(self) -> str:
        """Stop after what is being written, and say how far it has come."""
        self.subscription.close()
        if self.begun:
            await self._ended.wait()
        return f"{self.last}@{self.topic}"


class Following:
    """All subscriptions of a connection.

    Args:
        pubsub: what is subscribed to.
        feeds: the frames, shared with all other connections.
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
        """Subscribe; what is published from now on is written once `begin` is called.

        Raises:
            InvalidInputError: it is followed already, there are too many, or an argument is not allowed.
            ClosedError: Observatory is closed.
        """
        if topic in self._followers:
            raise InvalidInputError("topic", f"{topic!r:.80} is followed by this connection already")
        if len(self._followers) >= self._most:
            raise InvalidInputError("topic", f"a connection may follow {self._most:,} topics, and this one does")
        subscription = self._pubsub.subscribe(topic, since=since, epoch=epoch, capacity=_CAPACITY)
        follower = Follower(subscription, self._feeds.enter(topic), self._stream)
        self._followers[topic] = follower
        return follower

    async def unsubscribe(self, topic: str) -> bool:
        """End a subscription; return, once no more of it is written, whether there was one."""
        follower = self._followers.get(topic)
        if follower is None:
            return False
        self.drop(topic)
        await follower.end()
        return True

    def drop(self, topic: str) -> None:
        """End a subscription at once; what was taken from it is still written."""
        self._followers.pop(topic).subscription.close()
        self._feeds.leave(topic)

    def close(self) -> None:
        """End all of them."""
        for topic in tuple(self._followers):
            self.drop(topic)

    def is_full(self, events: int, size: int) -> bool:
        """Tell whether more than so many events, or bytes of them, wait for this connection."""
        backlogs = [follower.subscription.backlog() for follower in self._followers.values()]
        return sum(one.events for one in backlogs) > events or sum(one.bytes for one in backlogs) > size

    async def end(self) -> str:
        """Stop after what is being written; say how far the connection was served: the last number of each topic."""
        return " ".join([await follower.end() for follower in self._followers.values()])
