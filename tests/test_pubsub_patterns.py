"""Positions, and coming back to a pattern: what its topics hold first, without a double and with honest gaps."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import (
    Backlog,
    ClosedError,
    Event,
    Gap,
    PubSub,
    PubSubSettings,
    Subscription,
    SubscriptionOverflowError,
)


def publish(pubsub: PubSub, topic: str, count: int = 1, size: int = 0) -> int:
    """Publish as many events to a topic; return the position of the last one."""
    for _ in range(count):
        position = pubsub.publish(topic, None, size=size).position
    return position


def seen(events: list[Event]) -> list[Any]:
    """Return the positions of events, and gaps as they are."""
    return [event.position or event.payload for event in events]


async def come_back(pubsub: PubSub, since: int, pattern: str = "a:*", **arguments: Any) -> list[Any]:
    """Return the positions that a subscriber gets that comes back, and gaps; the last one is published then."""
    async with pubsub.subscribe(pattern, since=since, **arguments) as subscription:
        publish(pubsub, "a:new")
        return seen(await subscription.receive_batch())


async def read(subscription: Subscription, limit: int | None = None) -> list[Any]:
    """Return the positions of what waits, and gaps."""
    return seen(await subscription.receive_batch(limit))


class TestPositions:
    """Every event has a number among all of its Observatory."""

    async def test_across_topics(self) -> None:
        """They count from 1, whatever the topic, and sequence numbers go on counting within each."""
        pubsub = PubSub()
        events = [pubsub.publish(topic, None) for topic in ("a", "b", "a")]
        assert [(event.sequence, event.position) for event in events] == [(1, 1), (1, 2), (2, 3)]

    async def test_of_a_gap(self) -> None:
        """A gap has none, in a topic as in a pattern."""
        pubsub = PubSub()
        publish(pubsub, "a:1")
        for topic in ("a:1", "a:*"):
            async with pubsub.subscribe(topic, since=0, epoch="another") as subscription:
                gap, event = await subscription.receive_batch()
            assert (gap.payload, gap.position, event.position) == (Gap(None), 0, 1)


class TestWhatIsHeld:
    """Everything that followed the position comes first, then what is published."""

    async def test_what_was_missed(self) -> None:
        """Events of all matching topics come in the order of publishing, and each once."""
        pubsub = PubSub()
        for topic in ("a:1", "b", "a:2", "a:1", "a", "a:", "a:2:x"):
            publish(pubsub, topic)
        assert await come_back(pubsub, 0, epoch=pubsub.epoch) == [1, 3, 4, 6, 7, 8]
        assert await come_back(pubsub, 3) == [4, 6, 7, 8, 9]
        assert await come_back(pubsub, 2, "a:2:*") == [7]

    async def test_nothing_was_missed(self) -> None:
        """Whoever has seen the last event gets what follows, and no gap."""
        pubsub = PubSub()
        assert await come_back(pubsub, publish(pubsub, "a:1", 3)) == [4]
        assert await come_back(PubSub(), 0) == [1]

    async def test_beside_other_readers(self) -> None:
        """The pattern may have readers already, and one who comes back does not disturb them."""
        pubsub = PubSub()
        async with pubsub.subscribe("a:*") as one:
            publish(pubsub, "a:1", 2)
            assert await come_back(pubsub, 1) == [2, 3]
            assert await read(one) == [1, 2, 3]

    async def test_another_epoch(self) -> None:
        """After a restart nobody knows what is missing: a gap without a number, then everything that is held."""
        pubsub = PubSub()
        publish(pubsub, "a:1", 2)
        assert await come_back(pubsub, 1, epoch="another") == [Gap(None), 1, 2, 3]
        assert await come_back(PubSub(), 0, epoch="another") == [Gap(None), 1]

    async def test_a_position_from_the_future(self) -> None:
        """A position that was never given out is from another epoch, even if nobody says so."""
        pubsub = PubSub()
        publish(pubsub, "a:1", 2)
        assert await come_back(pubsub, 3) == [Gap(None), 1, 2, 3]

    async def test_topics_that_do_not_match(self) -> None:
        """What they have forgotten is no gap."""
        pubsub = PubSub(PubSubSettings(replay_events=1))
        publish(pubsub, "a:1")
        publish(pubsub, "b", 10)
        assert await come_back(pubsub, 0) == [1, 12]


class TestWhatIsGone:
    """Where anything that followed the position is not replayed, a gap comes first."""

    async def test_beyond_the_replay_of_its_topic(self) -> None:
        """What a topic still holds and does not replay is counted."""
        pubsub = PubSub(PubSubSettings(replay_events=10))
        publish(pubsub, "a:1", 6)
        publish(pubsub, "a:2", 12)  # it forgets in steps
        assert await come_back(pubsub, 5) == [Gap(2), 6, *range(9, 20)]
        assert await come_back(pubsub, 7) == [Gap(1), *range(9, 21)]
        assert await come_back(pubsub, 8) == list(range(9, 22))

    async def test_trimmed(self) -> None:
        """Of what a topic has forgotten nobody knows how much followed the position."""
        pubsub = PubSub(PubSubSettings(replay_events=10))
        publish(pubsub, "a:2")
        publish(pubsub, "a:1", 13)  # positions 2 to 4 are gone
        assert await come_back(pubsub, 0) == [Gap(None), 1, *range(5, 16)]
        assert await come_back(pubsub, 3) == [Gap(None), *range(5, 17)]
        assert await come_back(pubsub, 4) == list(range(5, 18))

    async def test_no_replay_at_all(self) -> None:
        """With no events to keep there is nothing but the gap, when anything has followed."""
        pubsub = PubSub(PubSubSettings(replay_events=0))
        publish(pubsub, "a:1", 2)
        assert await come_back(pubsub, 1) == [Gap(None), 3]
        assert await come_back(pubsub, 3) == [4]

    async def test_held_for_a_patient_reader(self) -> None:
        """What a topic holds only for a reader of its own is not replayed to others, and is counted."""
        pubsub = PubSub(PubSubSettings(replay_events=2))
        async with pubsub.subscribe("a:1", capacity=100):
            publish(pubsub, "a:1", 50)
            assert await come_back(pubsub, 10) == [Gap(38), 49, 50, 51]

    async def test_evicted(self) -> None:
        """A topic that was silent for long, and had to forget all it had, leaves a gap for those who missed that."""
        pubsub = PubSub(PubSubSettings(replay_bytes=20_000))
        last = publish(pubsub, "a:1", 2, size=300)
        for number in range(30):
            publish(pubsub, f"b:{number}", size=600)
        assert await come_back(pubsub, last - 1) == [Gap(None), 33]
        assert await come_back(pubsub, last) == [33, 34]

    async def test_an_event_that_is_larger_than_all_room(self) -> None:
        """It was never held, and is missing all the same, also when its topic has to forget what it does not have."""
        pubsub = PubSub(PubSubSettings(replay_bytes=8_000))
        last = publish(pubsub, "a:1", size=10_000)
        assert await come_back(pubsub, last - 1) == [Gap(None), 2]
        for number in range(30):
            publish(pubsub, f"b:{number}")
        assert await come_back(pubsub, last - 1) == [Gap(None), 33]

    async def test_too_old(self, autojump_clock: MockClock) -> None:
        """What is older than the setting says is not replayed, and is counted as long as it is held."""
        pubsub = PubSub(PubSubSettings(replay_seconds=60))
        for number in range(1, 11):
            publish(pubsub, f"a:{number % 2}")
            await trio.sleep(10)
        assert await come_back(pubsub, 3) == [Gap(1), *range(5, 12)]
        assert await come_back(pubsub, 4) == [*range(5, 13)]
        await trio.sleep(61)
        assert await come_back(pubsub, 10) == [Gap(2), 13]
        assert await come_back(pubsub, 12) == [13, 14]

    async def test_a_forgotten_topic(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody knows whether a topic that is not remembered had to do with the pattern: there may be a gap."""
        monkeypatch.setattr("observatory.pubsub._MAX_TOPICS", 4)
        pubsub = PubSub()
        for topic in ("b", "a:1", "b", "c", "d", "a:2"):  # for the last one, a:1 and then b are forgotten
            publish(pubsub, topic)
        assert await come_back(pubsub, 2) == [Gap(None), 6, 7]
        assert await come_back(pubsub, 3) == [6, 7, 8]

    async def test_a_forgotten_topic_without_events(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It counts what it had published, although it held nothing any more."""
        monkeypatch.setattr("observatory.pubsub._MAX_TOPICS", 2)
        pubsub = PubSub(PubSubSettings(replay_events=0))
        for topic in ("a:1", "b", "c"):
            publish(pubsub, topic)
        assert await come_back(pubsub, 0) == [Gap(None), 4]

    async def test_the_envelope_and_the_figures(self) -> None:
        """The gap belongs to the pattern and has no numbers; only what is counted shows in the statistics."""
        pubsub = PubSub(PubSubSettings(replay_events=4))
        publish(pubsub, "a:1", 5)
        async with pubsub.subscribe("a:*", since=0) as subscription:
            assert subscription.statistics().pending == 4
            (gap, _) = await subscription.receive_batch(2)
            assert gap == Event("a:*", pubsub.epoch, 0, Gap(1))
            statistics = subscription.statistics()
            assert (statistics.missed, statistics.delivered, statistics.pending) == (1, 1, 3)


class TestReading:
    """What is replayed, what follows, and gaps before each."""

    async def test_in_small_batches(self) -> None:
        """A batch may end anywhere: after the gap, within what is replayed, within what follows."""
        pubsub = PubSub(PubSubSettings(replay_events=4))
        publish(pubsub, "a:1", 5)
        async with pubsub.subscribe("a:*", since=0) as subscription:
            publish(pubsub, "a:2", 3)
            batches = [await read(subscription, limit) for limit in (1, 2, 3, 1, 9)]
        assert batches == [[Gap(1)], [2, 3], [4, 5, 6], [7], [8]]

    async def test_without_waiting(self) -> None:
        """What is replayed is there at once, and then it waits for what is published."""
        pubsub = PubSub()
        publish(pubsub, "a:1", 2)
        async with pubsub.subscribe("a:*", since=0) as subscription:
            assert [(await anext(subscription)).position for _ in range(2)] == [1, 2]
            with trio.move_on_after(0.01) as scope:
                await subscription.receive_batch()
            assert scope.cancelled_caught
            publish(pubsub, "a:1")
            assert await read(subscription) == [3]

    async def test_replay_does_not_count_as_falling_behind(self) -> None:
        """It may be more than the capacity, and what follows has all of that to itself."""
        pubsub = PubSub()
        publish(pubsub, "a:1", 100)
        async with pubsub.subscribe("a:*", since=0, capacity=3, when_full="close") as subscription:
            publish(pubsub, "a:1", 3)
            assert await read(subscription) == list(range(1, 104))

    async def test_falling_behind_during_the_replay(self) -> None:
        """What is lost stands after what is replayed, which is not lost; gaps that follow each other are one."""
        pubsub = PubSub()
        publish(pubsub, "a:1", 3)
        async with pubsub.subscribe("a:*", since=1, capacity=2) as subscription:
            publish(pubsub, "a:1", 3)
            assert await read(subscription, 1) == [2]
            publish(pubsub, "a:1", 1)
            assert await read(subscription) == [3, Gap(2), 6, 7]

    async def test_gaps_add_up(self) -> None:
        """Where nothing is replayed, what was gone before and what is lost before the first read is one gap."""
        pubsub = PubSub(PubSubSettings(replay_events=0))
        publish(pubsub, "a:1")
        async with pubsub.subscribe("a:*", since=0, capacity=2) as subscription:
            publish(pubsub, "a:1", 3)
            assert await read(subscription) == [Gap(None), 3, 4]

    async def test_closing_when_full(self) -> None:
        """The reader gets the error and nothing else; with its last position it gets everything."""
        pubsub = PubSub()
        publish(pubsub, "a:1", 5)
        async with pubsub.subscribe("a:*", since=2, capacity=1, when_full="close") as subscription:
            assert await read(subscription, 1) == [3]
            publish(pubsub, "a:1", 2)
            with pytest.raises(SubscriptionOverflowError, match="fell 1 events behind") as info:
                await subscription.receive_batch()
            assert (info.value.topic, info.value.missed) == ("a:*", 1)
            assert subscription.backlog() == Backlog(0, 0)
        assert await come_back(pubsub, 3) == [4, 5, 6, 7, 8]

    async def test_unsubscribing(self) -> None:
        """What was to be replayed is gone with the subscription."""
        pubsub = PubSub()
        publish(pubsub, "a:1", 3)
        async with pubsub.subscribe("a:*", since=0) as subscription:
            await subscription.aclose()
            with pytest.raises(ClosedError):
                await subscription.receive_batch()

    async def test_closing_everything(self) -> None:
        """A reader may still have what was to be replayed."""
        pubsub = PubSub()
        publish(pubsub, "a:1", 3)
        async with pubsub.subscribe("a:*", since=0) as subscription:
            pubsub.close()
            assert [event.position async for event in subscription] == [1, 2, 3]


async def test_a_pattern_goes_back_so_far() -> None:
    """Of all topics together 10,000 events are replayed at most, the newest; of others it says how many there were."""
    pubsub = PubSub(PubSubSettings(subscription_capacity=20_000))
    for number in range(30):
        publish(pubsub, f"a:{number}", 500)
        publish(pubsub, "b:other", 1)
    found = await come_back(pubsub, 0)
    assert found[0] == Gap(15_000 - len(found) + 2)
    assert found[1:-1] == [position for position in range(5_031, 15_031) if position % 501]
    assert (await come_back(pubsub, 15_000))[:2] == [15_001, 15_002]
