"""Coming back to a pattern against a model: each event once and in order, or a gap before what is missing."""

from collections import Counter, defaultdict

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from observatory import Event, Gap, PubSub, PubSubSettings, Subscription

TOPICS = ["a:1", "a:2", "a:3", "b:1", "b:2"]
PATTERN = "a:*"
SECONDS = 30

OPERATIONS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(TOPICS), st.sampled_from([0, 500, 5_000])),
    st.tuples(st.just("burst"), st.sampled_from(TOPICS), st.integers(2, 30)),
    st.tuples(st.just("read"), st.none() | st.integers(1, 5)),
    st.tuples(st.just("leave")),
    st.tuples(st.just("come"), st.integers(1, 12)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("wait"), st.integers(1, 25)),
)


@attrs.define
class Visit:
    """One subscription of the reader, and all that it was given."""

    subscription: Subscription
    since: int
    begun: int
    """Position of the newest event when it began: what comes up to there is replayed."""
    known: bool
    """Whether `since` belongs to this epoch."""
    loose: bool
    """Whether topics were forgotten, so that nobody knows what was in them."""
    got: list[Event] = attrs.field(factory=list)
    upto: int = 0
    """Position up to which it has been given everything."""
    drained: bool = False
    """Whether it was given everything at the last look."""

    @property
    def whole(self) -> bool:
        """Whether nothing is still to come of what was replayed, or of what its last gap stands for."""
        return self.upto >= self.begun and (self.drained or not self.got or self.got[-1].position > 0)


class World:
    """A PubSub, one reader that comes and goes, and what was published."""

    def __init__(self, bounds: PubSubSettings, topics: int) -> None:
        self.bounds = bounds
        self.topics = topics
        self.pubsub = PubSub(bounds)
        self.seen = (self.pubsub.epoch, 0)
        self.published: list[Event] = []
        self.times: dict[int, float] = {}
        self.sizes: dict[int, int] = {}
        self.visit: Visit | None = None
        self.come(12)

    def publish(self, topic: str, size: int) -> None:
        """Publish one event."""
        event = self.pubsub.publish(topic, object(), size=size)
        self.published.append(event)
        assert event.position == len(self.published)
        self.times[event.position] = trio.current_time()

    def burst(self, topic: str, count: int) -> None:
        """Publish many events."""
        for _ in range(count):
            self.publish(topic, 0)

    def come(self, capacity: int) -> None:
        """Come back with what was seen last."""
        self.leave()
        epoch, since = self.seen
        subscription = self.pubsub.subscribe(PATTERN, since=since, epoch=epoch, capacity=capacity)
        known = epoch == self.pubsub.epoch
        loose = not known or len({event.topic for event in self.published}) > self.topics
        self.visit = Visit(subscription, since if known else 0, len(self.published), known, loose)
        if self.bounds.replay_bytes >= 1_000_000 and not loose:
            self.check_replay(self.visit)

    def check_replay(self, visit: Visit) -> None:
        """See that everything is replayed that may be, and nothing else; about a second nobody is sure."""
        ages: Counter[str] = Counter()
        sure, possible = 0, 0
        for event in reversed(self.published[visit.since :]):
            ages[event.topic] += 1
            if event.topic.startswith("a:") and ages[event.topic] <= self.bounds.replay_events:
                age = trio.current_time() - self.times[event.position]
                sure += age <= SECONDS - 1
                possible += age <= SECONDS
        assert sure <= visit.subscription.backlog().events <= possible

    async def read(self, limit: int | None) -> None:
        """Read what waits, if anything does."""
        if self.visit is None:
            return
        with trio.move_on_after(0.001) as scope:
            waiting = self.visit.subscription.backlog().events
            batch = await self.visit.subscription.receive_batch(limit)
            events = [event for event in batch if event.position]
            assert len(events) == waiting if limit is None else len(batch) <= limit
            self.visit.got += batch
            if events:
                self.visit.upto = events[-1].position
                self.seen = (self.pubsub.epoch, self.visit.upto)
        self.visit.drained = limit is None or scope.cancelled_caught
        if self.visit.drained:
            self.visit.upto = len(self.published)

    def leave(self) -> None:
        """Leave, perhaps before everything was read."""
        if self.visit is not None:
            self.visit.subscription.close()
            self.check(self.visit)
            self.visit = None

    def restart(self) -> None:
        """Lose everything."""
        self.leave()
        self.pubsub = PubSub(self.bounds)
        self.published = []

    async def wait(self, seconds: int) -> None:
        """Let time pass."""
        await trio.sleep(seconds)

    def check(self, visit: Visit) -> None:
        """See that a reader was given each event once and in order, or a gap in the right place."""
        given_ = [event for event in visit.got if event.position]
        assert all(event is self.published[event.position - 1] for event in given_)
        positions = [event.position for event in given_]
        assert positions == sorted(set(positions))
        assert all(position > visit.since for position in positions)
        gaps = self.gaps(visit)
        missing = self.missing(visit, {*positions})
        assert gaps.keys() >= missing.keys()
        if not visit.known:
            assert not visit.got or visit.got[0].payload == Gap(None)
        elif visit.whole and not visit.loose:
            assert gaps.keys() == missing.keys()
            assert all(gaps[place] in (None, missing[place]) for place in missing)
        assert None not in [gaps[place] for place in gaps if place]

    def gaps(self, visit: Visit) -> dict[int, int | None]:
        """Return what gaps say together, by the position after which they stand: 0 for those before all events."""
        gaps: dict[int, int | None] = {}
        place = 0
        for event in visit.got:
            if event.position:
                place = event.position
            else:
                earlier, more = gaps.get(place, 0), event.payload.missed
                gaps[place] = None if earlier is None or more is None else earlier + more
        return gaps

    def missing(self, visit: Visit, got: set[int]) -> dict[int, int]:
        """Return how many events are missing, by where a gap ought to stand."""
        missing: dict[int, int] = defaultdict(int)
        place = 0
        for event in self.published[visit.since : visit.upto]:
            if event.position in got:
                place = event.position
            elif event.topic.startswith("a:"):
                missing[place if event.position > visit.begun else 0] += 1
        return missing


@settings(max_examples=300, deadline=None)
@given(
    operations=st.lists(OPERATIONS, max_size=60),
    replay_events=st.integers(0, 20),
    replay_bytes=st.sampled_from([1_000, 20_000, 1_000_000]),
    topics=st.sampled_from([3, 1_000]),
)
def test_each_event_once_or_a_gap(
    operations: list[tuple[str, str | int | None, int]], replay_events: int, replay_bytes: int, topics: int
) -> None:
    """A reader of a pattern that leaves and comes back with its last position misses nothing silently, nor twice."""

    async def run() -> None:
        bounds = PubSubSettings(replay_events=replay_events, replay_bytes=replay_bytes, replay_seconds=SECONDS)
        world = World(bounds, topics)
        for name, *arguments in operations:
            outcome = getattr(world, name)(*arguments)
            if outcome is not None:
                await outcome
        await world.read(None)
        world.leave()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("observatory.pubsub._MAX_TOPICS", topics)
        trio.run(run, clock=MockClock(autojump_threshold=0))
