"""Clients that do not keep up cost the others nothing, and hear how far they were served."""

from __future__ import annotations

import json
import re
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio
from observatory_websocket.server import connection

_SIZE = 1_000
_MANY = 20_000


@pytest.fixture
async def house(open_house: Any) -> AsyncIterator[Any]:
    """Return an open door with little patience."""
    async with open_house(full_seconds=1) as house:
        yield house


async def _follow(raw: Any, *topics: str) -> None:
    for topic in topics:
        assert "result" in await raw.call("topics.subscribe", topic=topic)


async def _publish(house: Any, healthy: list[Any], count: int, topics: tuple[str, ...] = ("build",)) -> None:
    """Publish events as fast as healthy followers read them."""
    for number in range(count):
        house.obs.pubsub.publish(topics[number % len(topics)], "x" * _SIZE, size=_SIZE)
        if number % 100 == 99:
            await house.until(lambda least=number - 100: all(one.count > least for one in healthy))


class _Reader:
    """A healthy follower, which counts."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.count = 0

    async def run(self) -> None:
        while True:
            event = await self.client.event()
            assert event["kind"] != "Gap"
            self.count += 1


async def test_never_reads(house: Any, log: Any) -> None:
    """Who never reads is closed with 1013; when it reads on, it finds whole frames and the last numbers it has got.

    The others get everything.
    """
    log.expect("a connection of the owner is closed: it does not read fast enough")
    topics = ("build", "test:a", "notes")
    async with house.client() as first, house.client("agent-1") as second, house.upgraded() as raw:
        readers = [_Reader(first), _Reader(second)]
        for reader in readers:
            for topic in topics:
                await reader.client.call("topics.subscribe", topic=topic)
        await _follow(raw, "build", "test:*", "notes")
        async with trio.open_nursery() as nursery:
            for reader in readers:
                nursery.start_soon(reader.run)
            await _publish(house, [], len(topics), topics)  # one of each has room whatever the system takes at once
            await house.until(lambda: all(reader.count == len(topics) for reader in readers))
            nursery.start_soon(_publish, house, readers, _MANY - len(topics), topics)
            await house.until(lambda: log.lines)
            last = {"build": 0, "test:*": 0, "notes": 0}
            while (frame := await raw.receive())[0] == 1:
                event = json.loads(frame[1])["params"]
                assert event["kind"] == "str"
                last[event["subscription"]] = event["position" if event["subscription"] == "test:*" else "sequence"]
            await house.until(lambda: all(reader.count == _MANY for reader in readers))
            nursery.cancel_scope.cancel()
        assert frame[0] == 8
        assert int.from_bytes(frame[1][:2], "big") == 1013
        expected = " ".join(f"{number}@{topic}" for topic, number in last.items())
        assert frame[1][2:].decode() == f"too slow; last {expected}"
        assert min(last.values()) > 0
        assert await raw.everything() == b""


async def test_memory(open_house: Any) -> None:
    """What waits for those who do not read lies there once, whatever their number."""
    async with open_house(full_seconds=60) as house, AsyncExitStack() as stack:
        for _ in range(20):
            await _follow(await stack.enter_async_context(house.upgraded()), "build")
        tracemalloc.start()
        try:
            await _publish(house, [], _MANY)
            held, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # All events are 20 MiB. The topic's log keeps some, and of each connection there is what it is writing.
    assert held < 20 * 1024 * 1024
    assert peak < 40 * 1024 * 1024


async def test_never_reads_again(open_house: Any, log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not take what was written after it was closed, is cut off."""
    monkeypatch.setattr(connection, "_GRACE", 0.5)
    log.expect("does not read fast enough")
    async with open_house(full_seconds=0.5, queue_events=10) as house, house.upgraded() as raw:
        await _follow(raw, "build")
        for _ in range(9_000):
            house.obs.pubsub.publish("build", "x" * _SIZE)
        await house.until(lambda: not house.service.statistics()["connections"])


async def test_slow_but_steady(house: Any) -> None:
    """Who reads slowly, but as fast as events come in the long run, is not closed, and gets everything."""
    async with house.raw() as raw, await _narrow(house) as raw.stream:
        await raw.upgrade()
        await _follow(raw, "build")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_publish_in_bursts, house)
            for number in range(1, 2_001):
                assert (await raw.message())["params"]["sequence"] == number
                if number % 50 == 0:
                    await trio.sleep(0.05)
        assert (await raw.call("health.get"))["id"] == 1


async def _narrow(house: Any) -> trio.SocketStream:
    """Connect with a small buffer, so that what is not read soon waits in the service."""
    narrow = trio.socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    await narrow.connect(("127.0.0.1", house.port))
    return trio.SocketStream(narrow)


async def _publish_in_bursts(house: Any) -> None:
    for _ in range(4):
        for _ in range(500):
            house.obs.pubsub.publish("build", "x" * _SIZE)
        await trio.sleep(0.5)


async def test_burst(house: Any) -> None:
    """A burst of 1,000 events, more than may wait for long, closes nobody who reads."""
    async with house.client() as client:
        await client.call("topics.subscribe", topic="build")
        for number in range(1_000):
            house.obs.pubsub.publish("build", [number, "x" * _SIZE])
        for number in range(1_000):
            assert (await client.event())["payload"][0] == number
        await trio.sleep(2.5)
        assert (await client.call("health.get"))["healthy"]


async def test_answers_that_nobody_reads(open_house: Any, log: Any) -> None:
    """Who asks and never reads the answers is asked for no more, and ended when it answers no ping."""
    log.expect("does not answer")
    async with open_house(ping_seconds=0.5) as house, house.upgraded() as raw:
        for number in range(10):
            await house.obs.mailbox.send_message("a", "x", str(number) * 100_000)
        request = {"jsonrpc": "2.0", "id": 1, "method": "mailbox.messages", "params": {"agent": "a"}}
        with trio.move_on_after(5):
            for _ in range(1_000):
                await raw.send(1, json.dumps(request))
        await house.until(lambda: not house.service.statistics()["connections"])
        assert house.service.statistics()["accepted"] == 1


@pytest.mark.parametrize("topics", [1, 9])
async def test_reason(open_house: Any, log: Any, topics: int) -> None:
    """A reason has as many last numbers as a close frame holds, each of them whole."""
    log.expect("does not read fast enough")
    async with open_house(full_seconds=0.5, queue_events=10) as house, house.upgraded() as raw:
        names = [f"{number}:{'x' * 20}" for number in range(topics)]
        await _follow(raw, *names)
        for _ in range(9_000):
            house.obs.pubsub.publish(names[-1], "x" * _SIZE)
        await house.until(lambda: log.lines)
        code, reason = await raw.close_code()
        assert code == 1013
        assert re.fullmatch(r"too slow; last( \d+@\d:x{20}){1,4}", reason)
