"""What is lost when connections are cut off at any byte: nothing, or as much as a gap says."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from observatory_websocket import WebSocketClient

from observatory import Event, Gap, Observatory, OutcomeUnknownError, PubSubSettings

OpenProxied = Callable[..., AbstractAsyncContextManager[tuple[Observatory, Any, WebSocketClient]]]

Until = Callable[[Callable[[], object]], Awaitable[None]]

CUTS = 120
AHEAD = 5_000  # events that nobody has read yet, at most: half of what is kept for a pattern
TOPICS = ("x:a", "x:b", "y")
FOLLOWED = ("x:a", "x:*", "y")
LAST = "last"

pytestmark = pytest.mark.usefixtures("impatient")


def check(got: Sequence[Event], published: Sequence[Event], *, pattern: bool) -> int:
    """See that every event came once and in order, or was told of as missing; return how many were.

    In a topic a gap says exactly how many are missing before the next event. In a pattern it tells in advance of what
    is missing anywhere in the replay that follows, and is told again where that is cut off.
    """
    places = {event.position: place for place, event in enumerate(published)}
    place = missing = 0
    told: float = 0
    for event in got:
        if isinstance(event.payload, Gap):
            told += float("inf") if event.payload.missed is None else event.payload.missed
            continue
        hole = places[event.position] - place
        assert event == published[place + hole]
        assert hole >= 0, f"{event} came twice, or out of order"
        assert hole <= told if pattern else hole == told, f"{hole} are missing before {event}, and {told} were told"
        told = told - hole if pattern else 0
        place += hole + 1
        missing += hole
    assert place == len(published)
    return missing


async def follow(client: WebSocketClient, topic: str, got: list[Event], begun: Callable[[], object]) -> None:
    """Read until the last event."""
    async with await client.subscribe(topic) as subscription:
        begun()
        async for event in subscription:
            got.append(event)
            if event.payload == LAST:
                return


async def publish(
    observatory: Observatory, proxy: Any, chance: random.Random, published: list[Event], got: Mapping[str, list[Event]]
) -> None:
    """Publish until there were enough cuts, and then the last event of each topic."""
    while proxy.cuts < CUTS:
        read = min(next((event.position for event in reversed(events) if event.position), 0) for events in got.values())
        for _ in range(chance.randrange(1, 30) if len(published) < read + AHEAD else 0):
            payload = "x" * chance.choice((1, 10, 100, 1_000))
            published.append(observatory.pubsub.publish(chance.choice(TOPICS), payload))
        await trio.sleep(chance.choice((0, 0, 0.001, 0.01)))
    proxy.budget = lambda: None
    published.extend(observatory.pubsub.publish(topic, LAST) for topic in ("x:a", "y"))


@pytest.mark.parametrize("replay_events", [100_000, 40])
async def test_events(
    open_proxied: OpenProxied,
    until: Until,
    chance: random.Random,
    replay_events: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Over more than a hundred cuts, each event comes once and in order, or a gap says that it is missing."""
    got: dict[str, list[Event]] = {topic: [] for topic in FOLLOWED}
    published: list[Event] = []
    waiting = list(FOLLOWED)
    pubsub = PubSubSettings(replay_events=replay_events)
    async with open_proxied(pubsub=pubsub) as (observatory, proxy, client), trio.open_nursery() as nursery:
        for topic in FOLLOWED:
            nursery.start_soon(follow, client, topic, got[topic], waiting.pop)
        await until(lambda: not waiting)
        proxy.budget = lambda: chance.choice((chance.randrange(2_000), chance.randrange(20_000)))
        proxy.cut()
        await publish(observatory, proxy, chance, published, got)
    missing = 0
    for topic in FOLLOWED:
        mine = [event for event in published if event.topic == topic or event.topic.startswith(topic.rstrip("*"))]
        missing += check(got[topic], mine, pattern=topic.endswith("*"))
    with capsys.disabled():
        print(f" [{proxy.cuts} cuts, {len(published):,} events, {missing:,} in gaps]", end="")
    assert proxy.cuts >= CUTS
    assert bool(missing) is (replay_events == 40), "the test does not reach what it is for"


@pytest.mark.parametrize("key", [True, False])
async def test_sending(open_proxied: OpenProxied, chance: random.Random, key: bool) -> None:
    """With an idempotency key a message is there once; without one it is there once, or its sender does not know."""
    known: list[str] = []
    unknown: list[str] = []

    async def send(client: WebSocketClient, text: str) -> None:
        try:
            await client.mailbox.send_message("a", "b", text, idempotency_key=text if key else None)
            known.append(text)
        except OutcomeUnknownError:
            unknown.append(text)

    async with open_proxied() as (observatory, proxy, client):
        proxy.budget = lambda: chance.randrange(3_000)
        proxy.cut()
        number = 0
        while proxy.cuts < CUTS // 2:
            async with trio.open_nursery() as nursery:
                for _ in range(chance.randrange(1, 10)):
                    nursery.start_soon(send, client, str(number))
                    number += 1
        there = [message.content for message in observatory.mailbox.get_messages("a", limit=100_000)]
    assert len(there) == len(set(there)), "something was sent twice"
    assert set(known) <= set(there)
    assert len(known) + len(unknown) == number
    assert bool(unknown) is not key


async def test_reading(open_proxied: OpenProxied, chance: random.Random) -> None:
    """Reads are asked again, so that they always come to their end."""
    async with open_proxied() as (observatory, proxy, client):
        await observatory.mailbox.send_message("a", "b", "x" * 1_000)
        expected = observatory.mailbox.get_messages("a")
        proxy.budget = lambda: chance.randrange(4_000)
        proxy.cut()
        while proxy.cuts < CUTS // 2:
            assert await client.mailbox.get_messages("a") == expected
            assert await client.mailbox.receive("a") == expected[0]


async def test_order(open_proxied: OpenProxied) -> None:
    """What waits for a connection is carried out in the order in which it was begun."""
    async with open_proxied() as (observatory, proxy, client):
        await proxy.cut_off()
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(client.mailbox.send_message, "a", "b", str(number))
                await trio.lowlevel.checkpoint()
            proxy.refusing = False
        there = [message.content for message in reversed(observatory.mailbox.get_messages("a"))]
    assert there == [str(number) for number in range(100)]
