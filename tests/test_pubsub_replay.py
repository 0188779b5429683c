"""Replay: what was missed first, then what follows, without a double and with honest gaps."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import Event, Gap, PubSub, PubSubSettings, Subscription, SubscriptionOverflowError


def publish(pubsub: PubSub, *payloads: Any, topic: str = "a", size: int = 0) -> None:
    """Publish to a topic."""
    for payload in payloads:
        pubsub.publish(topic, payload, size=size)


async def read(subscription: Subscription) -> list[Any]:
    """Return what waits: for a gap how many events are missing, else the payload."""
    return [event.payload for event in await subscription.receive_batch()]


async def replay(pubsub: PubSub, topic: str = "a", since: int = 0, **arguments: Any) -> list[Any]:
    """Return what a subscriber gets that comes back."""
    async with pubsub.subscribe(topic, since=since, **arguments) as subscription:
        pubsub.publish(topic, "new")
        return await read(subscription)


async def test_what_was_missed() -> None:
    """First comes what followed the number, then what is published."""
    pubsub = PubSub()
    publish(pubsub, 1, 2, 3)
    assert await replay(pubsub, since=0, epoch=pubsub.epoch) == [1, 2, 3, "new"]
    assert await replay(pubsub, since=2) == [3, "new", "new"]


async def test_nothing_was_missed() -> None:
    """Whoever has seen the last event gets what follows, and no gap."""
    pubsub = PubSub()
    publish(pubsub, 1, 2, 3)
    assert await replay(pubsub, since=3) == ["new"]
    assert await replay(PubSub(), since=0) == ["new"]


async def test_another_epoch() -> None:
    """After a restart nobody knows what is missing: a gap without a number, then everything that is held."""
    pubsub = PubSub()
    publish(pubsub, 1, 2)
    assert await replay(pubsub, since=1, epoch="another") == [Gap(None), 1, 2, "new"]


async def test_a_number_from_the_future() -> None:
    """A number that was never given out is from another epoch, even if nobody says so."""
    pubsub = PubSub()
    publish(pubsub, 1, 2)
    assert await replay(pubsub, since=3) == [Gap(None), 1, 2, "new"]


async def test_the_envelope_of_a_gap() -> None:
    """A gap has the number of the last event that is missing, so that its reader may resume there."""
    pubsub = PubSub(PubSubSettings(replay_events=2))
    publish(pubsub, *range(1, 6))
    async with pubsub.subscribe("a", since=1) as subscription:
        (gap,) = await subscription.receive_batch(1)
        assert gap == Event("a", pubsub.epoch, 3, Gap(2))
        assert [event.sequence for event in await subscription.receive_batch()] == [4, 5]
        assert subscription.statistics().missed == 2


async def test_a_bounded_number_of_events() -> None:
    """A topic replays its latest events, exactly as many as are set, and says how many are missing."""
    pubsub = PubSub(PubSubSettings(replay_events=10))
    publish(pubsub, *range(1, 101))
    assert await replay(pubsub) == [Gap(90), *range(91, 101), "new"]


async def test_no_replay_at_all() -> None:
    """With no events to keep, live readers are served all the same."""
    pubsub = PubSub(PubSubSettings(replay_events=0))
    publish(pubsub, 1, 2)
    assert await replay(pubsub) == [Gap(2), "new"]


async def test_a_bounded_time(autojump_clock: MockClock) -> None:
    """What is older than the setting says is not replayed."""
    pubsub = PubSub(PubSubSettings(replay_seconds=60))
    for number in range(1, 11):
        publish(pubsub, number)
        await trio.sleep(10)
    assert await replay(pubsub) == [Gap(4), *range(5, 11), "new"]
    await trio.sleep(61)
    assert await replay(pubsub) == [Gap(11), "new"]


async def test_many_events_within_a_second(autojump_clock: MockClock) -> None:
    """The age of events is known to a second, for however many there are."""
    pubsub = PubSub(PubSubSettings(replay_seconds=60, replay_events=40))
    for number in range(1, 101):
        publish(pubsub, number)
        await trio.sleep(0.1)
    await trio.sleep(50)
    assert await replay(pubsub) == [Gap(60), *range(61, 101), "new"]
    await trio.sleep(6)
    assert (await replay(pubsub))[0] in (Gap(missed) for missed in range(60, 81))


async def test_a_topic_has_an_eighth_of_the_bytes() -> None:
    """One busy topic does not take what the others need."""
    pubsub = PubSub(PubSubSettings(replay_bytes=80_000))
    publish(pubsub, "old", topic="b", size=1_000)
    publish(pubsub, *range(1, 101), size=2_000)
    assert pubsub.statistics().replay_bytes <= 10_000 + 1_300
    assert await replay(pubsub, "b") == ["old", "new"]
    gap, *rest = await replay(pubsub)
    assert rest == [*range(gap.missed + 1, 101), "new"]


async def test_an_event_that_is_larger_than_all_room() -> None:
    """It reaches nobody but as a gap, and does no harm."""
    pubsub = PubSub(PubSubSettings(replay_bytes=8_000))
    async with pubsub.subscribe("a") as subscription:
        publish(pubsub, "huge", size=10_000)
        publish(pubsub, "small")
        assert await read(subscription) == [Gap(1), "small"]


async def test_the_topics_that_were_silent_longest_go_first() -> None:
    """When all topics together hold too many bytes, the least recent ones forget what they hold."""
    pubsub = PubSub(PubSubSettings(replay_bytes=20_000))
    for topic in ("a", "b", "c", "d", "a"):
        publish(pubsub, topic, topic=topic, size=300)
    for number in range(19):
        publish(pubsub, "more", topic=f"t{number}", size=600)
    assert pubsub.statistics().replay_bytes <= 20_000
    assert await replay(pubsub, "b") == [Gap(1), "new"]
    assert await replay(pubsub, "a") == ["a", "a", "new"]


async def test_a_topic_is_heard_of_again_after_it_was_forgotten() -> None:
    """An evicted topic goes on counting where it was."""
    pubsub = PubSub(PubSubSettings(replay_bytes=8_000))
    publish(pubsub, 1)
    for number in range(30):
        publish(pubsub, "more", topic=f"t{number}")
    assert pubsub.publish("a", 2).sequence == 2
    assert await replay(pubsub) == [Gap(1), 2, "new"]


async def test_a_reader_that_falls_behind_loses_the_oldest() -> None:
    """`drop_oldest`: in the place of what is lost stands one event that says how many."""
    pubsub = PubSub()
    async with pubsub.subscribe("a", capacity=3) as subscription:
        publish(pubsub, *range(1, 11))
        assert await read(subscription) == [Gap(7), 8, 9, 10]
        publish(pubsub, 11)
        assert await read(subscription) == [11]


async def test_gaps_add_up() -> None:
    """What was gone before and what is lost before the first read is one gap."""
    pubsub = PubSub(PubSubSettings(replay_events=2))
    publish(pubsub, *range(1, 6))
    async with pubsub.subscribe("a", since=0, capacity=2) as subscription:
        publish(pubsub, *range(6, 10))
        assert await read(subscription) == [Gap(5), 6, 7, 8, 9]
    async with pubsub.subscribe("a", since=0, epoch="other", capacity=2) as subscription:
        publish(pubsub, *range(10, 20))
        gap, *rest = await read(subscription)
    assert gap == Gap(None)
    assert rest == [16, 17, 18, 19]


async def test_a_gap_in_a_pattern() -> None:
    """A pattern has no numbers of its own; its gap still says how many events are missing."""
    pubsub = PubSub()
    async with pubsub.subscribe("a:*", capacity=2) as subscription:
        for number in range(20):
            pubsub.publish(f"a:{number}", number)
        batch = await subscription.receive_batch()
    assert batch[0] == Event("a:*", pubsub.epoch, 0, Gap(18))
    assert [event.payload for event in batch[1:]] == [18, 19]


async def test_a_pattern_is_bounded_in_bytes() -> None:
    """What waits for the reader of a pattern is bounded like all topics together: it may stand for all of them."""
    pubsub = PubSub(PubSubSettings(replay_bytes=80_000))
    async with pubsub.subscribe("a:*") as subscription:
        for number in range(100):
            pubsub.publish(f"a:{number}", number, size=1_000)
        gap, *rest = await read(subscription)
    assert gap.missed + len(rest) == 100
    assert 0 < len(rest) <= 80_000 // 1_000


async def test_a_reader_that_closes_when_full() -> None:
    """`close`: the reader gets an error that says what it has missed, and the subscription is gone."""
    pubsub = PubSub()
    async with pubsub.subscribe("a", capacity=3, when_full="close") as subscription:
        publish(pubsub, 1, 2, 3)
        assert await read(subscription) == [1, 2, 3]
        publish(pubsub, *range(4, 10))
        with pytest.raises(SubscriptionOverflowError, match="fell 3 events behind") as info:
            await subscription.receive_batch()
        assert (info.value.topic, info.value.missed) == ("a", 3)
        assert pubsub.statistics().subscriptions == ()


async def test_a_pattern_that_closes_when_full() -> None:
    """The error says what its reader resumes by."""
    pubsub = PubSub()
    async with pubsub.subscribe("a:*", capacity=1, when_full="close") as subscription:
        publish(pubsub, 1, 2, topic="a:b")
        with pytest.raises(SubscriptionOverflowError, match="since= to resume, by the position of the last event"):
            await subscription.receive_batch()


async def test_resuming_after_an_overflow() -> None:
    """As the error says: what is replayed does not count as falling behind, and so resuming gets everything."""
    pubsub = PubSub()
    async with pubsub.subscribe("a", capacity=3, when_full="close") as subscription:
        publish(pubsub, *range(1, 101))
        with pytest.raises(SubscriptionOverflowError):
            await subscription.receive_batch()
    async with pubsub.subscribe("a", since=0, capacity=3, when_full="close") as subscription:
        publish(pubsub, 101, 102)
        assert subscription.statistics().pending == 102
        assert [event.payload for event in await subscription.receive_batch(99)] == list(range(1, 100))
        publish(pubsub, 103)
        assert await read(subscription) == [100, 101, 102, 103]
        publish(pubsub, *range(104, 108))
        with pytest.raises(SubscriptionOverflowError, match="fell 1 events behind"):
            await subscription.receive_batch()


async def test_what_is_replayed_is_kept_for_its_reader() -> None:
    """A topic holds on to what a reader still has to be replayed, while more is published and others leave."""
    pubsub = PubSub(PubSubSettings(replay_events=100))
    publish(pubsub, *range(100))
    async with pubsub.subscribe("a", since=0, capacity=100) as subscription:
        async with pubsub.subscribe("a"):
            publish(pubsub, *range(100, 200))
        assert await read(subscription) == list(range(200))


async def test_a_capacity_beyond_the_replay() -> None:
    """A topic holds as much as its most patient reader may fall behind, and less again when that one is gone."""
    pubsub = PubSub(PubSubSettings(replay_events=10))
    async with pubsub.subscribe("a", capacity=500) as subscription:
        publish(pubsub, *range(500))
        assert await read(subscription) == list(range(500))
    publish(pubsub, *range(20))
    assert pubsub.statistics().replay_bytes < 20 * 400


async def test_more_topics_than_are_remembered() -> None:
    """Of topics without end, those that nobody reads are forgotten; their numbers are not used again."""
    pubsub = PubSub(PubSubSettings(replay_bytes=100_000))
    async with pubsub.subscribe("topic:7") as subscription:
        for number in range(200_001):
            pubsub.publish(f"topic:{number}", None)
        assert pubsub.statistics().topics <= 200_000
        assert pubsub.publish("topic:7", None).sequence == 2
        assert len(await subscription.receive_batch()) == 2
    assert pubsub.publish("topic:8", None).sequence == 2
    assert pubsub.statistics().replay_bytes <= 100_000
