"""Reading a subscription without waiting, waiting without reading, and going past what was read elsewhere."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import ClosedError, Gap, InvalidInputError, PubSub, PubSubSettings


async def test_nowait() -> None:  # noqa: ASYNC124 -- pub/sub asks Trio for the time
    """What waits is returned at once, as much of it as is wanted, and nothing when nothing waits."""
    pubsub = PubSub()
    subscription = pubsub.subscribe("a")
    assert subscription.receive_batch_nowait() == []
    first, second, third = (pubsub.publish("a", number) for number in range(3))
    assert subscription.receive_batch_nowait(1) == [first]
    assert subscription.receive_batch_nowait() == [second, third]
    with pytest.raises(InvalidInputError):
        subscription.receive_batch_nowait(0)


async def test_busy(nursery: trio.Nursery) -> None:
    """While a task waits, no other one may read or wait."""
    subscription = PubSub().subscribe("a")
    nursery.start_soon(subscription.wait)
    await wait_all_tasks_blocked()
    with pytest.raises(trio.BusyResourceError):
        subscription.receive_batch_nowait()
    with pytest.raises(trio.BusyResourceError):
        await subscription.wait()
    nursery.cancel_scope.cancel()


async def test_waiting(nursery: trio.Nursery) -> None:
    """Whoever waits is woken by the next event, which is still there to be read."""
    pubsub = PubSub()
    subscription = pubsub.subscribe("a")
    woken = trio.Event()

    async def wait() -> None:
        await subscription.wait()
        woken.set()

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    event = pubsub.publish("a", 1)
    await woken.wait()
    assert subscription.receive_batch_nowait() == [event]


async def test_closed() -> None:
    """After it was closed nothing is read, also not what is published later."""
    pubsub = PubSub()
    subscription = pubsub.subscribe("a")
    pubsub.publish("a", 1)
    subscription.close()
    pubsub.publish("a", 2)
    assert subscription.receive_batch_nowait() == []
    assert subscription.backlog().events == 0
    with pytest.raises(ClosedError):
        await subscription.receive_batch()


@pytest.mark.parametrize("topic", ["a:b", "a:*"])
async def test_skip(topic: str) -> None:  # noqa: ASYNC124 -- pub/sub asks Trio for the time
    """It goes past events that another subscription has given, and counts them as delivered."""
    pubsub = PubSub()
    one, two = pubsub.subscribe(topic), pubsub.subscribe(topic)
    for number in range(3):
        pubsub.publish("a:b", number)
    assert two.skip(one.receive_batch_nowait(2)) is True
    assert two.statistics().delivered == 2
    assert [event.payload for event in two.receive_batch_nowait()] == [2]


async def test_skip_something_else() -> None:  # noqa: ASYNC124 -- pub/sub asks Trio for the time
    """Where other events come next, it stays where it is."""
    pubsub = PubSub()
    ahead, level = pubsub.subscribe("a"), pubsub.subscribe("a")
    pubsub.publish("a", 1)
    assert ahead.receive_batch_nowait()
    pubsub.publish("a", 2)
    events = ahead.receive_batch_nowait()
    assert level.skip(events) is False
    assert ahead.skip(events) is False
    assert [event.payload for event in level.receive_batch_nowait()] == [1, 2]


async def test_skip_after_a_gap() -> None:  # noqa: ASYNC124 -- pub/sub asks Trio for the time
    """A gap of its own, told already or not yet noticed, is not skipped."""
    pubsub = PubSub(PubSubSettings(replay_events=2))
    late = pubsub.subscribe("a", capacity=2)
    for number in range(4):
        pubsub.publish("a", number)
    resumed = pubsub.subscribe("a", since=1)
    other = pubsub.subscribe("a", since=2)
    events = other.receive_batch_nowait()
    assert [event.payload for event in events] == [2, 3]
    for subscription in (late, resumed):
        assert subscription.skip(events) is False
        assert isinstance(subscription.receive_batch_nowait()[0].payload, Gap)
