"""Topics: numbers, epochs, patterns, figures, closing."""

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import ClosedError, Event, PubSub, PubSubSettings, Subscription


def payloads(events: list[Event]) -> list[Any]:
    """Return what events carry."""
    return [event.payload for event in events]


async def test_numbered_without_a_hole() -> None:
    """A topic's events count from 1, each topic for itself."""
    pubsub = PubSub()
    async with pubsub.subscribe("a") as subscription:
        published = [pubsub.publish(topic, None) for topic in ("a", "b", "a", "a", "b")]
        assert [event.sequence for event in published] == [1, 1, 2, 3, 2]
        batch = await subscription.receive_batch()
    assert batch == [event for event in published if event.topic == "a"]
    assert {event.epoch for event in batch} == {pubsub.epoch}


def test_every_pubsub_has_an_epoch_of_its_own() -> None:
    """Numbers of another start do not compare, and the epoch tells."""
    assert PubSub().epoch != PubSub().epoch


async def test_a_subscription_begins_when_it_is_made() -> None:
    """What was published before is not seen, what is published before the first read is."""
    pubsub = PubSub()
    pubsub.publish("a", "before")
    subscription = pubsub.subscribe("a")
    pubsub.publish("a", "after")
    assert payloads(await subscription.receive_batch()) == ["after"]


async def test_every_reader_gets_every_event() -> None:
    """Readers of a topic do not take events from each other."""
    pubsub = PubSub()
    async with pubsub.subscribe("a") as one, pubsub.subscribe("a") as two:
        pubsub.publish("a", 1)
        assert await one.receive_batch() == await two.receive_batch()


async def test_iterating() -> None:
    """A subscription is an iterator over single events, which ends when it is closed."""
    pubsub = PubSub()
    seen = []
    async with pubsub.subscribe("a") as subscription:
        for number in range(3):
            pubsub.publish("a", number)
        pubsub.close()
        async for event in subscription:
            seen.append(event.payload)
    assert seen == [0, 1, 2]


async def test_waiting_readers_are_woken() -> None:
    """Publishing wakes everyone who waits, and never waits itself."""
    pubsub = PubSub()
    seen: list[list[Any]] = []

    async def read(subscription: Subscription) -> None:
        seen.append(payloads(await subscription.receive_batch()))

    async with trio.open_nursery() as nursery:
        for topic in ("a:1", "a:1", "a:*"):
            nursery.start_soon(read, pubsub.subscribe(topic))
        await wait_all_tasks_blocked()
        pubsub.publish("a:1", 1)
        pubsub.publish("a:1", 2)
    assert seen == [[1, 2]] * 3


async def test_batches_of_limited_size() -> None:
    """A reader may ask for less than there is; the rest waits."""
    pubsub = PubSub()
    async with pubsub.subscribe("a") as subscription:
        for number in range(5):
            pubsub.publish("a", number)
        assert payloads(await subscription.receive_batch(2)) == [0, 1]
        assert payloads(await subscription.receive_batch(1)) == [2]
        assert payloads(await subscription.receive_batch()) == [3, 4]


async def test_statistics() -> None:
    """Topics, events, bytes, and for each subscription what it was given, what it missed and what waits."""
    pubsub = PubSub()
    async with pubsub.subscribe("a", capacity=2) as slow, pubsub.subscribe("a:*", capacity=7):
        for number in range(3):
            pubsub.publish("a", number, size=1_000)
        await slow.receive_batch()
        pubsub.publish("a", 3)
        statistics = pubsub.statistics()
    assert (statistics.topics, statistics.published) == (1, 4)
    assert 3_000 < statistics.replay_bytes < 3_000 + 4 * 400
    one, other = statistics.subscriptions
    assert (one.topic, one.delivered, one.missed, one.pending, one.capacity) == ("a", 2, 1, 1, 2)
    assert (other.topic, other.delivered, other.missed, other.pending, other.capacity) == ("a:*", 0, 0, 0, 7)


async def test_a_topic_on_which_nothing_was_published() -> None:
    """It is forgotten with its last reader, so that nobody can fill the memory by reading what there is not."""
    pubsub = PubSub()
    async with pubsub.subscribe("a"):
        async with pubsub.subscribe("a"):
            pass
        assert pubsub.statistics().topics == 1
    assert pubsub.statistics().topics == 0
    async with pubsub.subscribe("a", since=0) as subscription:
        assert pubsub.publish("a", None).sequence == 1
        assert len(await subscription.receive_batch()) == 1
    assert pubsub.statistics().topics == 1


async def test_what_waits_is_never_more_than_what_is_held() -> None:
    """Events that had to go for their size do not count as waiting."""
    pubsub = PubSub(PubSubSettings(replay_bytes=80_000))
    async with pubsub.subscribe("a") as subscription:
        for _ in range(50):
            pubsub.publish("a", None, size=1_000)
        pending = subscription.statistics().pending
        assert len(await subscription.receive_batch()) == pending + 1  # the gap


async def test_closing_lets_readers_have_what_is_there() -> None:
    """After `close` a reader gets what waits, then `ClosedError`; whoever waits is let go."""
    pubsub = PubSub()
    async with pubsub.subscribe("a") as full, pubsub.subscribe("b") as empty, trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(ClosedError, match="the subscription to 'b' is closed"):
                await empty.receive_batch()

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        pubsub.publish("a", 1)
        pubsub.close()
        assert pubsub.closed
        assert payloads(await full.receive_batch()) == [1]
        with pytest.raises(ClosedError):
            await full.receive_batch()


def test_no_subscription_after_closing() -> None:
    """Whoever comes too late hears of it."""
    pubsub = PubSub()
    pubsub.close()
    with pytest.raises(ClosedError, match="nothing is published any more"):
        pubsub.subscribe("a")


async def test_unsubscribing() -> None:
    """A closed subscription gives nothing, not even what waited or a gap, and closing it twice is no error."""
    pubsub = PubSub()
    pubsub.publish("a", 0)
    async with pubsub.subscribe("a", since=0, epoch="other") as subscription:
        pubsub.publish("a", 1)
        await subscription.aclose()
        with pytest.raises(ClosedError):
            await subscription.receive_batch()
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)
    assert pubsub.statistics().subscriptions == ()


async def test_two_tasks_cannot_read() -> None:
    """A second reader of one subscription is told so, and the first one is not disturbed."""
    pubsub = PubSub()
    seen: list[Any] = []

    async def read() -> None:
        seen.extend(payloads(await subscription.receive_batch()))

    async with pubsub.subscribe("a") as subscription, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError, match="already reading"):
            await subscription.receive_batch()
        pubsub.publish("a", 1)
    assert seen == [1]


async def test_closed_under_a_reader() -> None:
    """A task that waits gets `ClosedError` when another one unsubscribes."""
    pubsub = PubSub()
    subscription = pubsub.subscribe("a")
    with pytest.RaisesGroup(ClosedError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscription.receive_batch)
            await wait_all_tasks_blocked()
            subscription.close()


async def test_cancelled_reads_lose_nothing() -> None:
    """A read that is cancelled, before or while it waits, leaves every event for the next one."""
    pubsub = PubSub()
    async with pubsub.subscribe("a") as subscription:
        pubsub.publish("a", 1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await subscription.receive_batch()
        assert scope.cancelled_caught
        assert payloads(await subscription.receive_batch()) == [1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscription.receive_batch)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        pubsub.publish("a", 2)
        assert payloads(await subscription.receive_batch()) == [2]


async def test_woken_and_cancelled_at_once() -> None:
    """An event that is published at the moment of the cancellation is either returned or still there."""
    pubsub = PubSub()
    async with pubsub.subscribe("a") as subscription:
        seen: list[Any] = []

        async def read() -> None:
            seen.extend(payloads(await subscription.receive_batch()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            pubsub.publish("a", 1)
            nursery.cancel_scope.cancel()
        pubsub.publish("a", 2)
        seen.extend(payloads(await subscription.receive_batch()))
    assert seen == [1, 2]
