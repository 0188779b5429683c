"""Pub/sub against a model: for any interleaving of publishing and reading nothing is lost silently or twice."""

from collections import defaultdict

import attrs
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from observatory import ClosedError, Event, Gap, PubSub, PubSubSettings, Subscription

TOPICS = ["a", "b:1", "b:2"]
READABLE = [*TOPICS, "b:*"]

OPERATIONS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(TOPICS), st.sampled_from([0, 500, 5_000])),
    st.tuples(st.just("burst"), st.sampled_from(TOPICS), st.integers(2, 40)),
    st.tuples(st.just("subscribe"), st.sampled_from(READABLE), st.integers(1, 12)),
    st.tuples(st.just("resume"), st.sampled_from(TOPICS), st.integers(0, 50)),
    st.tuples(st.just("read"), st.integers(0, 9), st.none() | st.integers(1, 5)),
    st.tuples(st.just("cancel"), st.integers(0, 9), st.none()),
    st.tuples(st.just("leave"), st.integers(0, 9), st.none()),
    st.tuples(st.just("wait"), st.just(""), st.integers(1, 20)),
)


@attrs.define
class Reader:
    """A subscription, and what it ought to see: everything from a position of what was published."""

    subscription: Subscription
    expected: list[Event]
    start: int

    def check(self, batch: list[Event]) -> None:
        """See that a batch goes on where the last one ended, with gaps that say how much is missing."""
        for event in batch:
            if isinstance(event.payload, Gap):
                assert event.payload.missed is not None
                assert event.payload.missed > 0
                self.start += event.payload.missed
            else:
                assert event is self.expected[self.start]
                self.start += 1


class World:
    """A PubSub and a model of it."""

    def __init__(self, replay: PubSubSettings) -> None:
        self.pubsub = PubSub(replay)
        self.published: dict[str, list[Event]] = defaultdict(list)
        self.readers: list[Reader] = []

    def publish(self, topic: str, size: int) -> None:
        """Publish one event."""
        event = self.pubsub.publish(topic, object(), size=size)
        self.published[topic].append(event)
        assert event.sequence == len(self.published[topic])
        if topic.startswith("b:"):
            self.published["b:*"].append(event)

    def burst(self, topic: str, count: int) -> None:
        """Publish many events."""
        for _ in range(count):
            self.publish(topic, 0)

    def subscribe(self, topic: str, capacity: int) -> None:
        """Read from now on."""
        subscription = self.pubsub.subscribe(topic, capacity=capacity)
        self.readers.append(Reader(subscription, self.published[topic], len(self.published[topic])))

    def resume(self, topic: str, since: int) -> None:
        """Read from an earlier number on."""
        published = self.published[topic]
        since = min(since, len(published))
        self.readers.append(Reader(self.pubsub.subscribe(topic, since=since, capacity=3), published, since))

    async def read(self, index: int, limit: int | None) -> None:
        """Let one reader read what waits, if anything does."""
        for reader in self.readers[index : index + 1]:
            with trio.move_on_after(0.001):
                batch = await reader.subscription.receive_batch(limit)
                assert limit is None or len(batch) <= limit
                reader.check(batch)

    async def cancel(self, index: int, _: None) -> None:
        """Let one reader be cancelled."""
        for reader in self.readers[index : index + 1]:
            with trio.CancelScope() as scope:
                scope.cancel()
                await reader.subscription.receive_batch()
            assert scope.cancelled_caught

    def leave(self, index: int, _: None) -> None:
        """Let one reader go."""
        for reader in self.readers[index : index + 1]:
            reader.subscription.close()
            self.readers.remove(reader)

    async def wait(self, _: str, seconds: int) -> None:
        """Let time pass."""
        await trio.sleep(seconds)

    async def finish(self) -> None:
        """Close, and see that every reader has had everything, or a gap in its place."""
        self.pubsub.close()
        for reader in self.readers:
            try:
                while True:
                    reader.check(await reader.subscription.receive_batch(3))
            except ClosedError:
                assert reader.start == len(reader.expected)


@settings(max_examples=150, deadline=None)
@given(
    operations=st.lists(OPERATIONS, max_size=60),
    replay_events=st.integers(0, 20),
    replay_bytes=st.sampled_from([1_000, 20_000, 1_000_000]),
)
def test_delivered_and_missed_are_all_that_was_published(
    operations: list[tuple[str, str | int, int | None]], replay_events: int, replay_bytes: int
) -> None:
    """For every reader: what it got and what its gaps say are all that was published, in order, never twice."""

    async def run() -> None:
        world = World(PubSubSettings(replay_events=replay_events, replay_bytes=replay_bytes, replay_seconds=30))
        for name, *arguments in operations:
            outcome = getattr(world, name)(*arguments)
            if outcome is not None:
                await outcome
            assert world.pubsub.statistics().replay_bytes <= replay_bytes
        await world.finish()

    trio.run(run, clock=MockClock(autojump_threshold=0))
