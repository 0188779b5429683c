"""Following topics: subscriptions, events, and what was missed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
import trio

from observatory import PubSubSettings


@pytest.fixture
async def client(house: Any) -> AsyncIterator[Any]:
    """Return a client."""
    async with house.client() as client:
        yield client


async def test_topic(house: Any, client: Any) -> None:
    """A topic's events come in order, numbered, with all that is known of them."""
    pubsub = house.obs.pubsub
    pubsub.publish("build", 0)
    answer = await client.call("topics.subscribe", topic="build")
    assert answer == {"topic": "build", "epoch": pubsub.epoch, "newest": 1, "snapshot": None}
    for number in range(1, 4):
        event = pubsub.publish("build", {"number": number}, origin="inbox", verified=True)
        pubsub.publish("other", number)
        assert await client.event() == {
            "subscription": "build",
            "topic": "build",
            "epoch": pubsub.epoch,
            "sequence": number + 1,
            "position": event.position,
            "kind": "dict",
            "payload": {"number": number},
            "origin": "inbox",
            "verified": True,
        }


async def test_pattern(house: Any, client: Any) -> None:
    """A pattern's events come by position, each with its own topic; `newest` is a position."""
    pubsub = house.obs.pubsub
    pubsub.publish("build:a", 0)
    answer = await client.call("topics.subscribe", topic="build:*")
    assert answer["newest"] == pubsub.newest("build:*")
    pubsub.publish("built:a", 0)
    published = [pubsub.publish(f"build:{name}", name) for name in "abba"]
    events = [await client.event() for _ in published]
    assert [(event["topic"], event["sequence"], event["position"]) for event in events] == [
        (event.topic, event.sequence, event.position) for event in published
    ]
    assert {event["subscription"] for event in events} == {"build:*"}


async def test_both(house: Any, client: Any) -> None:
    """Who follows a topic and its pattern gets an event for each."""
    await client.call("topics.subscribe", topic="build:a")
    await client.call("topics.subscribe", topic="build:*")
    house.obs.pubsub.publish("build:a", 1)
    assert {(await client.event())["subscription"] for _ in range(2)} == {"build:a", "build:*"}


async def test_answer_first(house: Any, client: Any) -> None:
    """What is published while the answer is on its way comes after it."""
    pubsub = house.obs.pubsub
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_publish_all_the_time, pubsub, "build")
        for _ in range(20):
            answer = await client.call("topics.subscribe", topic="build")
            assert not client.events, "an event came before the answer"
            assert [(await client.event())["sequence"] for _ in range(3)] == [answer["newest"] + n for n in (1, 2, 3)]
            assert await client.call("topics.unsubscribe", topic="build") is True
            client.events.clear()
        nursery.cancel_scope.cancel()


async def test_unsubscribe(house: Any, client: Any, followed: Any) -> None:
    """After the answer that nothing is followed any more no event comes."""
    pubsub = house.obs.pubsub
    assert await client.call("topics.unsubscribe", topic="build") is False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_publish_all_the_time, pubsub, "build")
        for _ in range(20):
            await client.call("topics.subscribe", topic="build")
            await client.event()
            assert await client.call("topics.unsubscribe", topic="build") is True
            client.events.clear()
            await client.call("health.get")
            assert not client.events, "an event came after the answer"
        nursery.cancel_scope.cancel()
    assert not followed(house.obs)


async def test_in_a_batch(house: Any, client: Any) -> None:
    """What a batch subscribes to is followed after its answer; what it takes back is not."""
    request = {"jsonrpc": "2.0", "method": "topics.subscribe", "params": {"topic": "build"}}
    other = {"jsonrpc": "2.0", "id": 2, "method": "topics.subscribe", "params": {"topic": "other"}}
    back = {"jsonrpc": "2.0", "method": "topics.unsubscribe", "params": {"topic": "other"}}
    await client.say([request, other, back])
    [answer] = await client.message()
    assert answer["id"] == 2
    house.obs.pubsub.publish("other", 1)
    house.obs.pubsub.publish("build", 1)
    assert (await client.event())["topic"] == "build"


async def test_twice(client: Any) -> None:
    """The same topic is followed once."""
    await client.call("topics.subscribe", topic="build")
    error = await client.refusal("topics.subscribe", topic="build")
    assert error["message"] == "params.topic: 'build' is followed by this connection already"
    await client.call("topics.unsubscribe", topic="build")
    await client.call("topics.subscribe", topic="build")


async def test_too_many(open_house: Any) -> None:
    """A connection follows so many topics; what it gives up makes room."""
    async with open_house(max_subscriptions=2) as house, house.client() as client:
        await client.call("topics.subscribe", topic="a")
        await client.call("topics.subscribe", topic="b:*")
        error = await client.refusal("topics.subscribe", topic="c")
        assert error["message"] == "params.topic: a connection may follow 2 topics, and this one does"
        await client.call("topics.unsubscribe", topic="a")
        await client.call("topics.subscribe", topic="c")


async def test_gone(house: Any, followed: Any) -> None:
    """With the connection go its subscriptions."""
    async with house.client() as client:
        await client.call("topics.subscribe", topic="build")
        assert followed(house.obs) == ["build"]
    await house.until(lambda: not followed(house.obs))


@pytest.mark.parametrize("topic", ["build:a", "build:*"])
async def test_resume(house: Any, client: Any, topic: str) -> None:
    """With `since` and the epoch what was missed comes first, then what follows, without a hole or a double."""
    pubsub = house.obs.pubsub
    published = [pubsub.publish("build:a", number) for number in range(5)]
    since = published[1].position if topic == "build:*" else published[1].sequence
    answer = await client.call("topics.subscribe", topic=topic, since=since, epoch=pubsub.epoch)
    assert answer["newest"] == (published[4].position if topic == "build:*" else 5)
    pubsub.publish("build:a", 5)
    assert [(await client.event())["payload"] for _ in range(4)] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("since", "epoch", "missed"), [(1, None, 2), (0, None, 3), (1, "other", None), (99, None, None)]
)
async def test_gap(open_house: Any, since: int, epoch: str | None, missed: int | None) -> None:
    """What is gone is an event of kind `Gap`, which says how much where that is known."""
    async with open_house(tables={"pubsub": PubSubSettings(replay_events=2)}) as house, house.client() as client:
        for number in range(5):
            house.obs.pubsub.publish("build", number)
        await client.call("topics.subscribe", topic="build", since=since, epoch=epoch or house.obs.pubsub.epoch)
        events = [await client.event() for _ in range(3)]
        assert [(event["kind"], event["payload"]) for event in events] == [
            ("Gap", {"missed": missed}),
            ("int", 3),
            ("int", 4),
        ]
        assert (events[0]["sequence"], events[0]["position"], events[1]["sequence"]) == (3, 0, 4)


@attrs.frozen
class _Deep:
    value: Any


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "payload",
    [object(), {1: 2}, {"a": {"b": b"bytes"}}, "\ud800", 2**70, _nested(2_000), _Deep(_nested(2_000)), {object()}],
    ids=lambda payload: type(payload).__name__,
)
async def test_unreadable(house: Any, client: Any, payload: Any) -> None:
    """An event that JSON cannot hold comes without its payload, and says so; what follows comes as ever."""
    await client.call("topics.subscribe", topic="build")
    house.obs.pubsub.publish("build", payload)
    house.obs.pubsub.publish("build", "after")
    event = await client.event()
    assert (event["sequence"], event["payload"], event["kind"]) == (1, None, type(payload).__name__)
    assert event["unreadable"].startswith("JSON cannot hold it: ")
    assert (await client.event())["payload"] == "after"


async def test_unreadable_topic(house: Any, client: Any) -> None:
    """A topic that UTF-8 cannot hold comes with what it cannot hold written out."""
    await client.call("topics.subscribe", topic="build:*")
    house.obs.pubsub.publish("build:\ud800", 1)
    event = await client.event()
    assert (event["topic"], event["payload"]) == ("build:\\ud800", None)


async def _publish_all_the_time(pubsub: Any, topic: str) -> None:
    while True:
        pubsub.publish(topic, "x")
        await trio.lowlevel.checkpoint()
