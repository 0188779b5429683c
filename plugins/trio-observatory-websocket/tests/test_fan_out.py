"""Connections that keep up are written to together; each gets every event once and in order, whatever the others do."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio

_LARGE = "x" * 400_000
"""Some of these are more than the system takes from us at once."""


async def _numbers(client: Any, count: int) -> list[int]:
    """Return the sequence numbers of the next events."""
    return [(await client.event())["sequence"] for _ in range(count)]


async def _follow(stack: AsyncExitStack, house: Any, count: int, topic: str = "build") -> list[Any]:
    clients = [await stack.enter_async_context(house.client()) for _ in range(count)]
    for client in clients:
        await client.call("topics.subscribe", topic=topic)
    return clients


@pytest.mark.parametrize("first", [True, False])
async def test_one_leaves(house: Any, first: bool) -> None:
    """When one unsubscribes, the first one or another, the others get what follows."""
    async with AsyncExitStack() as stack:
        clients = await _follow(stack, house, 4)
        house.obs.pubsub.publish("build", 1)
        assert [await _numbers(client, 1) for client in clients] == [[1]] * 4
        gone = clients.pop(0 if first else -1)
        assert await gone.call("topics.unsubscribe", topic="build") is True
        house.obs.pubsub.publish("build", 2)
        assert [await _numbers(client, 1) for client in clients] == [[2]] * 3
        await gone.call("health.get")
        assert not gone.events


async def test_nothing_is_left(house: Any) -> None:
    """Who comes and goes again and again leaves no task behind, while somebody else follows the topic."""
    async with AsyncExitStack() as stack:
        _, restless = await _follow(stack, house, 2)
        before = trio.lowlevel.current_statistics().tasks_living
        for _ in range(20):
            await restless.call("topics.unsubscribe", topic="build")
            await restless.call("topics.subscribe", topic="build")
        await house.until(lambda: trio.lowlevel.current_statistics().tasks_living <= before + 1)


async def test_all_leave_one_by_one(house: Any, followed: Any) -> None:
    """Whoever is cut off takes nobody along; after the last one it begins anew."""
    async with AsyncExitStack() as stack:
        clients = await _follow(stack, house, 4)
        while clients:
            number = house.obs.pubsub.publish("build", "x").sequence
            assert [await _numbers(client, 1) for client in clients] == [[number]] * len(clients)
            gone = clients.pop(0)
            await gone.socket._stream.aclose()
            await house.until(lambda: house.service.statistics()["connections"] == len(clients))
        assert not followed(house.obs)
        [client] = await _follow(stack, house, 1)
        number = house.obs.pubsub.publish("build", "x").sequence
        assert await _numbers(client, 1) == [number]


async def test_leaving_with_events_under_way(house: Any) -> None:
    """Events that are published just when the first one leaves reach the others."""
    async with AsyncExitStack() as stack:
        clients = await _follow(stack, house, 3)
        for number in range(1, 101):
            house.obs.pubsub.publish("build", number)
            if number % 10 == 0:
                client = clients[0]
                await client.call("topics.unsubscribe", topic="build")
                client.events.clear()
                await client.call("topics.subscribe", topic="build")
                clients.append(clients.pop(0))
            await trio.lowlevel.checkpoint()
        # The one that came back last has only what followed; it must be a whole end of the row.
        end = house.obs.pubsub.publish("build", "end").sequence
        for client in clients:
            numbers: list[int] = []
            while not numbers or numbers[-1] != end:
                numbers += await _numbers(client, 1)
            assert numbers == list(range(numbers[0], end + 1))


async def test_coming_while_events_come(house: Any) -> None:
    """Whoever comes in the middle of a row gets what was published from then on, not what was before."""
    async with AsyncExitStack() as stack:
        [early] = await _follow(stack, house, 1)
        late = [await stack.enter_async_context(house.client()) for _ in range(10)]

        async def publish() -> None:
            while True:
                house.obs.pubsub.publish("build", "x")
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish)
            for client in late:
                newest = (await client.call("topics.subscribe", topic="build"))["newest"]
                assert await _numbers(client, 20) == list(range(newest + 1, newest + 21))
            assert await _numbers(early, 50) == list(range(1, 51))
            nursery.cancel_scope.cancel()


async def test_falling_behind_and_back(house: Any) -> None:
    """Who does not read for a while gets all that was published meanwhile, and the others do not wait for it."""
    async with house.client() as client, house.upgraded() as raw:
        await client.call("topics.subscribe", topic="build")
        await raw.call("topics.subscribe", topic="build")
        for round in range(2):
            for number in range(20):
                house.obs.pubsub.publish("build", _LARGE, size=len(_LARGE))
                assert await _numbers(client, 1) == [20 * round + number + 1]
            numbers = [(await raw.message())["params"]["sequence"] for _ in range(20)]
            assert numbers == list(range(20 * round + 1, 20 * round + 21))
        house.obs.pubsub.publish("build", "x")
        assert await _numbers(client, 1) == [41]
        assert (await raw.message())["params"]["sequence"] == 41


@pytest.mark.parametrize("topic", ["build", "build:*"])
@pytest.mark.parametrize("seed", range(3))
async def test_whoever_reads_as_it_likes(house: Any, topic: str, seed: int) -> None:
    """Followers that read at times of their own, and come and go, get every event once, in order."""
    chance = random.Random(seed)
    stop = 400
    numbered = "position" if topic == "build:*" else "sequence"
    before = house.obs.pubsub.newest(topic)

    async def follow() -> None:
        async with house.client(message_queue_size=1) as client:
            last = (await client.call("topics.subscribe", topic=topic))["newest"]
            while last < before + stop:
                event = await client.event()
                assert event["kind"] == "str"
                assert event[numbered] == last + 1
                last += 1
                if chance.random() < 0.1:
                    await trio.sleep(chance.random() / 50)
                if chance.random() < 0.02:
                    await client.call("topics.unsubscribe", topic=topic)
                    client.events.clear()
                    last = (await client.call("topics.subscribe", topic=topic))["newest"]

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(follow)
        await house.until(lambda: len(house.service.statistics()["clients"]) == 8)
        for number in range(1, stop + 1):
            house.obs.pubsub.publish(topic.replace("*", "a"), "x" * chance.choice([10, 1_000, 100_000]))
            if chance.random() < 0.5:
                await trio.lowlevel.checkpoint()
            if number % 20 == 0:
                await trio.sleep(0.02)


async def test_closed_with_some_who_keep_up(open_house: Any) -> None:
    """What was published before the Observatory is closed arrives, and then the connections end."""
    async with AsyncExitStack() as stack:
        async with open_house() as house:
            clients = [await stack.enter_async_context(house.upgraded()) for _ in range(3)]
            for client in clients:
                await client.call("topics.subscribe", topic="build")
            house.obs.pubsub.publish("build", 1)
            house.obs.pubsub.publish("build", 2)
        for client in clients:
            assert [(await client.message())["params"]["sequence"] for _ in range(2)] == [1, 2]
            assert (await client.close_code())[0] == 1001


async def test_more_at_once_than_may_wait(house: Any) -> None:
    """When more is published at once than may wait, all hear of the gap, and then what is held."""
    async with AsyncExitStack() as stack:
        clients = await _follow(stack, house, 2)
        for number in range(13_000):
            house.obs.pubsub.publish("build", number)
        for client in clients:
            gap = await client.event()
            assert (gap["kind"], gap["payload"]) == ("Gap", {"missed": 3_000})
            assert await _numbers(client, 100) == list(range(3_001, 3_101))
