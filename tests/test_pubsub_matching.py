"""Topics: which of them a pattern matches."""

import sys
from typing import Any

import pytest

from observatory import Event, PubSub


def payloads(events: list[Event]) -> list[Any]:
    """Return what events carry."""
    return [event.payload for event in events]


async def test_a_pattern_sees_its_topics_in_order() -> None:
    """Events of several topics come in the order of publishing, whichever was there before the pattern."""
    pubsub = PubSub()
    pubsub.publish("agent:a", "before")
    async with pubsub.subscribe("agent:*") as subscription:
        for topic in ("agent:b", "agent:a", "agents:c", "agent", "agent:", "agent:b"):
            pubsub.publish(topic, topic)
        batch = await subscription.receive_batch()
    assert payloads(batch) == ["agent:b", "agent:a", "agent:", "agent:b"]
    assert [event.sequence for event in batch] == [1, 2, 1, 2]


async def test_patterns_come_and_go() -> None:
    """A topic finds the patterns of the moment, longer and shorter ones."""
    pubsub = PubSub()
    pubsub.publish("a:b:c", 0)
    async with pubsub.subscribe("a:*") as short:
        pubsub.publish("a:b:c", 1)
        async with pubsub.subscribe("a:b:*") as long, pubsub.subscribe("a:b:*") as twin:
            pubsub.publish("a:b:c", 2)
            assert payloads(await long.receive_batch()) == payloads(await twin.receive_batch()) == [2]
        pubsub.publish("a:b:c", 3)
        assert payloads(await short.receive_batch()) == [1, 2, 3]
    pubsub.publish("a:b:c", 4)
    assert pubsub.statistics().subscriptions == ()


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        (":*", [":", ":a"]),
        ("a:*", ["a:", "a::b", "a:*:b", "a:b"]),
        ("a::*", ["a::b"]),
        ("a:*:*", ["a:*:b"]),
        ("é:*", ["é:é"]),
    ],
)
async def test_what_a_pattern_matches(pattern: str, matched: list[str]) -> None:
    """Every topic that begins with what stands before the star, whatever that is."""
    pubsub = PubSub()
    async with pubsub.subscribe(pattern) as subscription:
        for topic in ("a", ":", ":a", "a:", "a::b", "a:*:b", "a:b", "é:é", "b:a:"):
            pubsub.publish(topic, topic)
        assert payloads(await subscription.receive_batch()) == matched


async def test_patterns_of_others() -> None:
    """What it costs to find the patterns of a topic does not depend on how many others there are."""

    async def calls() -> int:
        seen = []
        async with pubsub.subscribe("more:*"):
            sys.setprofile(lambda *event: seen.append(event[1]))
            pubsub.publish("a:b", None)
            sys.setprofile(None)
        return len(seen)

    pubsub = PubSub()
    pubsub.publish("a:b", None)
    few = await calls()
    for number in range(1_000):
        pubsub.subscribe(f"{number}:*")
    assert await calls() < few + 100


async def test_one_reader_of_a_pattern_leaves() -> None:
    """The others of the same pattern stay."""
    pubsub = PubSub()
    async with pubsub.subscribe("a:*") as stays:
        async with pubsub.subscribe("a:*"):
            pubsub.publish("a:1", 1)
        pubsub.publish("a:1", 2)
        assert payloads(await stays.receive_batch()) == [1, 2]
