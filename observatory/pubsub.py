"""Topics: numbered, replayed, bounded, and never waiting for a reader.

Every topic has one log of events that all its readers share. Publishing therefore costs the same for one reader
and for a thousand, apart from waking those that wait, and a slow reader costs the others nothing: it only falls
behind. A pattern such as `agent:*` has a log of its own, which exists while somebody reads it.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Any

import attrs
import trio

from observatory.errors import ClosedError, InvalidInputError
from observatory.event_log import EventLog
from observatory.makers import maker
from observatory.messages import Event
from observatory.settings import PubSubSettings
from observatory.subscriptions import Subscription, SubscriptionStatistics, WhenFull, check_at_least

_OVERHEAD = 300
"""Bytes an event is counted for beside its payload.

tracemalloc: 140 in a busy topic; a topic's own 1,400 are not counted.
"""

_MAX_TOPICS = 200_000
"""Topics whose last sequence number is remembered; beyond, those that nobody reads are forgotten."""

_MAX_REPLAYED = 10_000
"""Events that a pattern goes back, of all topics together: more would hold up everybody while they are gathered."""

_make_event = maker(Event)

_MAX_LENGTH = 256
"""Characters of a topic or pattern: the longest of ours have a word, a colon and a name of 128."""


def _check_topic(topic: object) -> None:
    if not isinstance(topic, str) or not topic:
        raise InvalidInputError("topic", f"{topic!r:.80} is not allowed; use a string that is not empty")
    if len(topic) > _MAX_LENGTH:
        raise InvalidInputError("topic", f"has {len(topic):,} characters; at most {_MAX_LENGTH} are allowed")


def _one_topic(topic: str) -> str:
    _check_topic(topic)
    if topic.endswith(":*"):
        raise InvalidInputError("topic", f"{topic!r:.80} is a pattern; publish to one topic")
    return topic


@attrs.frozen
class PubSubStatistics:
    """Figures of all topics together."""

    topics: int
    """Topics that are known."""
    published: int
    """Events published since the start."""
    replay_bytes: int
    """Bytes that the replay buffers are counted for."""
    subscriptions: tuple[SubscriptionStatistics, ...]
    """Every live subscription."""


class PubSub:
    """Topics and subscriptions of one Observatory.

    Args:
        settings: the bounds.
    """

    def __init__(self, settings: PubSubSettings | None = None) -> None:
        self._settings = settings or PubSubSettings()
        self.epoch = secrets.token_hex(4)
        """Changes at every start; sequence numbers and positions of different epochs do not compare."""
        self._topics: dict[str, EventLog] = {}
        self._recent: OrderedDict[EventLog, None] = OrderedDict()  # logs that hold events, least recent first
        self._patterns: dict[str, EventLog] = {}  # by prefix, colon included
        self._readers: dict[EventLog, dict[Subscription, None]] = {}
        self._generation = 0  # changes with the set of patterns
        self._max_bytes = self._settings.replay_bytes
        self._log_bytes = max(self._max_bytes // 8, 1)  # so that one busy topic leaves room for the others
        self._bytes = 0
        self._published = 0
        self._forgotten = 0  # no forgotten topic had a sequence number above this ...
        self._forgotten_position = 0  # ... or an event with a position above this
        self._closed = False

    def publish(
        self, topic: str, payload: Any, *, size: int = 0, origin: str | None = None, verified: bool = False
    ) -> Event:
        """Publish to a topic. Never waits, and never fails for a reader's sake.

        Args:
            topic: such as `agent:agent-42`, 1 to 256 characters.
            payload: what subscribers get; a value that nobody changes any more.
            size: bytes that the payload keeps alive, for the bound on replay.
            origin: the delivery channel by which it came from another process.
            verified: whether whoever sent it has made sure that the sender is who it says.

        Raises:
            InvalidInputError: nobody could subscribe to that topic; nothing has happened.
        """
        try:
            log = self._topics.get(topic)
        except TypeError:  # no string: refused below
            log = None
        if log is None:
            log = self._add_topic(_one_topic(topic))  # looked at here, and then never again
        self._published += 1
        event = _make_event(topic, self.epoch, log.next, payload, origin, self._published, verified)
        size += _OVERHEAD
        if log.events:
            self._recent.move_to_end(log)
        else:
            self._recent[log] = None
        self._bytes += size - log.add(event, size, self._log_bytes)
        if log.generation != self._generation:
            self._find_followers(log)
        for follower in log.followers:
            follower.add(event, size, self._max_bytes)
        if self._bytes > self._max_bytes:
            self._evict()
        return event

    def subscribe(
        self,
        topic: str,
        *,
        since: int | None = None,
        epoch: str | None = None,
        capacity: int | None = None,
        when_full: WhenFull = "drop_oldest",
    ) -> Subscription:
        """Subscribe to a topic, or with `prefix:*` to every topic that begins so.

        The subscription begins when this call returns. Use it as an asynchronous context manager.

        Args:
            topic: the topic, or a pattern such as `agent:*`; 1 to 256 characters.
            since: the last event seen, by its sequence number in a topic, by its position for a pattern: first comes
                what was missed.
            epoch: the epoch that `since` belongs to; from another one everything held is replayed, after a gap.
            capacity: events it may fall behind; by default `[pubsub] subscription_capacity`.
            when_full: `drop_oldest` forgets, and puts an event with a `Gap` in their place; `close` raises
                `SubscriptionOverflowError` at the reader.

        Raises:
            ClosedError: when Observatory is closed.
            InvalidInputError: when an argument is not allowed.
        """
        if self._closed:
            raise ClosedError("this Observatory is closed; nothing is published any more")
        _check_topic(topic)
        if when_full not in ("drop_oldest", "close"):
            raise InvalidInputError("when_full", f"{when_full!r} is not allowed; use 'drop_oldest' or 'close'")
        room = self._settings.subscription_capacity if capacity is None else capacity
        check_at_least(1, "capacity", room)
        if since is not None:
            check_at_least(0, "since", since)
        log = self._log_for(topic)
        subscription = Subscription(log, epoch=self.epoch, capacity=room, when_full=when_full, leave=self._leave)
        if since is not None:
            go_back = self._replay if topic.endswith(":*") else self._rewind
            go_back(subscription, log, since if epoch in (None, self.epoch) else None)
        log.keep = max(log.keep, subscription.room)
        self._readers.setdefault(log, {})[subscription] = None
        return subscription

    def newest(self, topic: str) -> int:
        """Return the number of the last event, 0 for none: a sequence number, or for a pattern a position."""
        if topic.endswith(":*"):
            return self._published
        log = self._topics.get(topic)
        return log.next - 1 if log else 0

    def statistics(self) -> PubSubStatistics:
        """Return the figures of all topics and subscriptions."""
        return PubSubStatistics(
            topics=len(self._topics),
            published=self._published,
            replay_bytes=self._bytes,
            subscriptions=tuple(reader.statistics() for readers in self._readers.values() for reader in readers),
        )

    @property
    def closed(self) -> bool:
        """Whether nothing is published any more."""
        return self._closed

    def close(self) -> None:
        """Let every reader have what is there, and no more."""
        self._closed = True
        for readers in self._readers.values():
            for reader in readers:
                reader.end()

    def _log_for(self, topic: str) -> EventLog:
        if not topic.endswith(":*"):
            return self._topics.get(topic) or self._add_topic(topic)
        prefix = topic[:-1]
        if prefix not in self._patterns:
            self._patterns[prefix] = EventLog(topic)
            self._generation += 1
        return self._patterns[prefix]

    def _leave(self, subscription: Subscription) -> None:
        log = self._log_for(subscription.topic)
        readers = self._readers[log]
        del readers[subscription]
        if not readers:
            del self._readers[log]
        rooms = [reader.room for reader in readers]
        if not subscription.topic.endswith(":*"):
            log.keep = max([self._settings.replay_events, *rooms])
            if not rooms and not log.newest:  # nobody has ever published there
                del self._topics[log.topic]
        elif rooms:
            log.keep = max(rooms)
        else:
            del self._patterns[subscription.topic[:-1]]
            self._generation += 1

    def _rewind(self, subscription: Subscription, log: EventLog, since: int | None) -> None:
        """Go back to what followed `since`; None stands for another epoch, of which nothing is known."""
        start = self._replay_start(log, trio.current_time())
        if since is None or since >= log.next:
            subscription.rewind(start, None)
        elif since + 1 < start:
            subscription.rewind(start, start - since - 1)
        else:
            subscription.rewind(since + 1, 0)

    def _replay(self, subscription: Subscription, pattern: EventLog, since: int | None) -> None:
        """Hand over what followed the position `since` in the topics of a pattern; None as in `_rewind`."""
        prefix = pattern.topic[:-1]
        missed: int | None = 0
        if since is None or since > self._published:
            since, missed = 0, None
        elif since < self._forgotten_position:
            missed = None
        now = trio.current_time()
        oldest = self._published - _MAX_REPLAYED
        held: list[tuple[Event, int]] = []
        for topic, log in self._topics.items():
            if topic.startswith(prefix) and log.newest > since:
                events, others = log.after(since, self._replay_start(log, now), oldest)
                held += events
                missed = None if missed is None or others is None else missed + others
        held.sort(key=lambda each: each[0].position)
        subscription.replay(held, missed)

    def _replay_start(self, log: EventLog, now: float) -> int:
        """Return the number of a topic's oldest event that may be replayed."""
        horizon = now - self._settings.replay_seconds
        return max(log.first, log.next - self._settings.replay_events, log.next_after(horizon))

    def _find_followers(self, log: EventLog) -> None:
        """Note the patterns that match a topic: their prefixes end in a colon, and there may be very many others."""
        prefixes = [log.topic[: place + 1] for place, letter in enumerate(log.topic) if letter == ":"]
        log.followers = tuple(self._patterns[prefix] for prefix in prefixes if prefix in self._patterns)
        log.generation = self._generation

    def _add_topic(self, topic: str) -> EventLog:
        if len(self._topics) >= _MAX_TOPICS:
            self._forget_topics()
        log = self._topics[topic] = EventLog(topic, start=self._forgotten + 1, keep=self._settings.replay_events)
        return log

    def _evict(self) -> None:
        """Forget the events of the topics that were silent longest, until the bound holds."""
        while self._bytes > self._max_bytes:
            log, _ = self._recent.popitem(last=False)
            self._bytes -= log.forget(len(log.events))

    def _forget_topics(self) -> None:
        """Forget half of the topics, the silent ones first, but none that somebody reads."""
        silent = [log for log in self._topics.values() if log not in self._recent]
        candidates = [log for log in (*silent, *self._recent) if log not in self._readers]
        for log in candidates[: _MAX_TOPICS // 2]:
            del self._topics[log.topic]
            self._recent.pop(log, None)
            self._bytes -= log.bytes
            self._forgotten = max(self._forgotten, log.next - 1)
            self._forgotten_position = max(self._forgotten_position, log.newest)
