"""Topics: arguments that are not allowed."""

from typing import Any

import pytest

from observatory import InvalidInputError, PubSub


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        (None, "None is not allowed; use a string that is not empty"),
        ([], "[] is not allowed; use a string that is not empty"),
        ("", "'' is not allowed; use a string that is not empty"),
        ("a:*", "'a:*' is a pattern; publish to one topic"),
        ("a" * 257, "has 257 characters; at most 256 are allowed"),
    ],
)
async def test_no_topic_to_publish_to(topic: Any, reason: str) -> None:
    """What nobody could subscribe to is refused, before anything has happened."""
    pubsub = PubSub()
    async with pubsub.subscribe("a:*") as subscription:
        with pytest.raises(InvalidInputError) as caught:
            pubsub.publish(topic, 1)
        assert str(caught.value) == f"topic: {reason}"
        assert (pubsub.statistics().topics, pubsub.statistics().published) == (0, 0)
        assert subscription.statistics().pending == 0


@pytest.mark.parametrize(
    ("topic", "arguments", "field"),
    [
        ("", {}, "topic"),
        (None, {}, "topic"),
        ("a" * 257, {}, "topic"),
        ("a" * 255 + ":*", {}, "topic"),
        ("a", {"when_full": "drop_newest"}, "when_full"),
        ("a", {"capacity": 0}, "capacity"),
        ("a", {"capacity": 1.5}, "capacity"),
        ("a", {"capacity": True}, "capacity"),
        ("a", {"since": -1}, "since"),
        ("a", {"since": "3"}, "since"),
        ("a:*", {"since": -1}, "since"),
    ],
)
def test_arguments_that_are_not_allowed(topic: Any, arguments: dict[str, Any], field: str) -> None:
    """What cannot be is refused with the name of the field, and leaves no subscription behind."""
    pubsub = PubSub()
    with pytest.raises(InvalidInputError) as info:
        pubsub.subscribe(topic, **arguments)
    assert info.value.field == field
    assert pubsub.statistics().subscriptions == ()


async def test_a_long_topic() -> None:
    """A topic of 256 characters is one, and so is that of the longest name."""
    pubsub = PubSub()
    for topic in ("a" * 256, "session:" + "a" * 128):
        async with pubsub.subscribe(topic) as subscription:
            event = pubsub.publish(topic, 1)
            assert await subscription.receive_batch() == [event]


async def test_a_batch_of_nothing() -> None:
    """To ask for no events at all is refused rather than waited for."""
    pubsub = PubSub()
    async with pubsub.subscribe("a") as subscription:
        pubsub.publish("a", 1)
        with pytest.raises(InvalidInputError, match="max_events: 0 is not allowed"):
            await subscription.receive_batch(0)
