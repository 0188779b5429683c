"""Whether a connection keeps up with what it follows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from observatory_websocket.server.fan_out import FanOuts
from observatory_websocket.server.feeds import Feeds
from observatory_websocket.server.following import Following
from observatory_websocket.server.incoming import Incoming
from observatory_websocket.server.stream import SharedStream
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

from observatory import PubSub

_EVENTS, _BYTES = 256, 1024 * 1024


class _Desk:
    """A connection that follows a topic, and can be stuck."""

    def __init__(self) -> None:
        self.pubsub = PubSub()
        self.stream, self.other = memory_stream_pair()
        self.gate = trio.Event()
        self.stream.send_stream.send_all_hook = self._wait
        feeds = Feeds()
        self.shared = SharedStream(self.stream, b"", b"", Incoming(1_000))
        self.most_unwritten = 0
        self.following = Following(self.pubsub, feeds, FanOuts(feeds), self.shared, most=3)

    async def _wait(self) -> None:
        self.most_unwritten = max(self.most_unwritten, self.shared.unwritten)
        await self.gate.wait()

    def publish(self, count: int, size: int = 0) -> None:
        """Publish events."""
        for number in range(count):
            self.pubsub.publish("build", number, size=size)

    @property
    def full_since(self) -> float | None:
        """Return since when it may be full."""
        return self.following.full_since(_EVENTS, _BYTES)


@pytest.fixture
async def desk(mock_clock: MockClock, nursery: trio.Nursery) -> AsyncIterator[_Desk]:
    """Return a connection that is stuck since the tenth second."""
    desk = _Desk()
    follower = desk.following.subscribe("build", None, None)
    nursery.start_soon(follower.run)
    await wait_all_tasks_blocked()
    mock_clock.jump(trio.current_time() + 10)
    desk.publish(1)
    await wait_all_tasks_blocked()
    yield desk
    desk.following.close()
    desk.gate.set()


async def test_not_full(desk: _Desk) -> None:
    """What may wait does not make it full."""
    desk.publish(_EVENTS)
    await wait_all_tasks_blocked()
    assert desk.full_since is None


@pytest.mark.parametrize(("count", "size"), [(_EVENTS + 1, 0), (2, _BYTES // 2)])
async def test_full(desk: _Desk, mock_clock: MockClock, count: int, size: int) -> None:
    """It is full since it last caught up, be it for the number of events or for their bytes."""
    since = trio.current_time()
    mock_clock.jump(5)
    desk.publish(count, size)
    await wait_all_tasks_blocked()
    assert desk.full_since == since


async def test_catching_up(desk: _Desk, mock_clock: MockClock) -> None:
    """Who has caught up meanwhile is full since then, also if so much waits whenever one looks."""
    for _ in range(5):
        desk.publish(_EVENTS + 1)
        mock_clock.jump(5)
        desk.gate.set()
        await wait_all_tasks_blocked()
        desk.gate = trio.Event()
        caught_up = trio.current_time()
        desk.publish(1)
        await wait_all_tasks_blocked()
        desk.publish(_EVENTS + 1)
        mock_clock.jump(1)
        assert desk.full_since == caught_up


async def test_another_topic(desk: _Desk, mock_clock: MockClock) -> None:
    """A topic from which nothing waits says nothing of how full it is."""
    since = trio.current_time()
    mock_clock.jump(5)
    desk.following.subscribe("other", None, None)
    desk.publish(_EVENTS + 1)
    await wait_all_tasks_blocked()
    assert desk.full_since == since
    assert desk.following.end() == {"build": 1, "other": 0}


async def test_piece_by_piece(desk: _Desk) -> None:
    """What waits for somebody who reads again is handed over a piece at a time, of a quarter of a MiB and one event."""
    for _ in range(60):
        desk.pubsub.publish("build", "x" * 100_000, size=100_000)
    desk.gate.set()
    await wait_all_tasks_blocked()
    received = desk.stream.send_stream.get_data_nowait()
    assert received.count(b'"sequence"') == 61
    assert desk.most_unwritten < 400_000
