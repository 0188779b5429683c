"""How much waits for the reader of a subscription."""

import pytest

from observatory import Backlog, PubSub


def publish(pubsub: PubSub, topic: str, size: int) -> None:
    """Publish an event of that size."""
    pubsub.publish(topic, None, size=size)


class TestBacklog:
    """How much waits for a reader, for servers that watch slow ones."""

    @pytest.fixture
    async def overhead(self) -> int:
        """Return what an event is counted for beside its payload."""
        pubsub = PubSub()
        pubsub.publish("a", None)
        return pubsub.statistics().replay_bytes

    @pytest.mark.parametrize("topic", ["a:1", "a:*"])
    async def test_what_follows(self, topic: str, overhead: int) -> None:
        """It grows with what is published and shrinks with what is read."""
        pubsub = PubSub()
        publish(pubsub, "a:1", 5_000)
        async with pubsub.subscribe(topic) as subscription:
            assert subscription.backlog() == Backlog(0, 0)
            for size in (100, 20, 3):
                publish(pubsub, "a:1", size)
            assert subscription.backlog() == Backlog(events=3, bytes=123 + 3 * overhead)
            await subscription.receive_batch(2)
            assert subscription.backlog() == Backlog(events=1, bytes=3 + overhead)
            await subscription.receive_batch()
            assert subscription.backlog() == Backlog(0, 0)

    @pytest.mark.parametrize("topic", ["a:1", "a:*"])
    async def test_what_is_replayed(self, topic: str, overhead: int) -> None:
        """It counts in the same way, and gaps do not count."""
        pubsub = PubSub()
        for size in (100, 20):
            publish(pubsub, "a:1", size)
        async with pubsub.subscribe(topic, since=0, epoch="another") as subscription:
            publish(pubsub, "a:1", 3)
            assert subscription.backlog() == Backlog(events=3, bytes=123 + 3 * overhead)
            await subscription.receive_batch(2)
            assert subscription.backlog() == Backlog(events=2, bytes=23 + 2 * overhead)
            await subscription.receive_batch()
            assert subscription.backlog() == Backlog(0, 0)
            publish(pubsub, "a:1", 7)
            await subscription.aclose()
            assert subscription.backlog() == Backlog(0, 0)

    async def test_never_more_than_may_wait(self, overhead: int) -> None:
        """What a reader has lost does not wait for it."""
        pubsub = PubSub()
        async with pubsub.subscribe("a:*", capacity=2) as subscription:
            for size in (10_000, 20, 3):
                publish(pubsub, "a:1", size)
            assert subscription.backlog() == Backlog(events=2, bytes=23 + 2 * overhead)
