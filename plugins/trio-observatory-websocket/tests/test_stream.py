"""The stream below a connection: whole frames, written together, nothing behind the last one."""

from __future__ import annotations

import pytest
import trio
from observatory_websocket.server.frames import close_frame, text_frame
from observatory_websocket.server.incoming import Incoming
from observatory_websocket.server.stream import SharedStream, part
from trio.abc import Stream
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

_CLOSE = close_frame(1000, "bye")


class _Gated(Stream):
    """A stream that writes when it may, and notes each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.gate = trio.Event()
        self._stream, self.other = memory_stream_pair()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Wait at the gate, then write."""
        self.writes.append(bytes(data))
        await self.gate.wait()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait at the gate."""
        await self.gate.wait()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read."""
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()


@pytest.fixture
def below() -> _Gated:
    """Return a stream whose gate is closed."""
    return _Gated()


@pytest.fixture
async def shared(below: _Gated) -> SharedStream:
    """Return a shared stream on it."""
    return SharedStream(below, b"request", b"early", Incoming(1_000))


async def test_together(below: _Gated, shared: SharedStream) -> None:
    """What waits while something is being written is written together, in its order."""
    frames = [text_frame(str(number).encode()) for number in range(5)]
    async with trio.open_nursery() as nursery:
        for frame in frames:
            nursery.start_soon(shared.send_all, frame)
            await wait_all_tasks_blocked()
        assert shared.blocked_since is not None
        assert shared.unwritten == sum(map(len, frames))
        below.gate.set()
    assert below.writes == [frames[0], b"".join(frames[1:])]
    assert (shared.unwritten, shared.written) == (0, sum(map(len, frames)))


async def test_wait_written(below: _Gated, shared: SharedStream) -> None:
    """One can wait until what waits to be written is little enough."""
    await shared.wait_written(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shared.send_all, text_frame(b"x"))
        await wait_all_tasks_blocked()
        await shared.wait_written(3)
        with trio.move_on_after(0) as scope:
            await shared.wait_send_all_might_not_block()
        assert scope.cancelled_caught
        below.gate.set()
        await shared.wait_send_all_might_not_block()


async def test_nothing_behind_the_last_frame(below: _Gated, shared: SharedStream) -> None:
    """Nothing is written behind a close frame, whoever sends it; when it was written, it is over."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shared.send_all, text_frame(b"first"))
        await wait_all_tasks_blocked()
        nursery.start_soon(shared.send_all, _CLOSE)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.ClosedResourceError):
            await shared.send_all(text_frame(b"late"))
        assert not shared.ended.is_set()
        below.gate.set()
    assert shared.ended.is_set()
    assert b"".join(below.writes) == text_frame(b"first") + _CLOSE


async def test_cut_off(below: _Gated, shared: SharedStream) -> None:
    """After a write that was cancelled nothing is written: it would follow half a frame."""
    with trio.move_on_after(0.01):
        await shared.send_all(text_frame(b"x"))
    below.gate.set()
    with pytest.raises(trio.BrokenResourceError):
        await shared.send_all(text_frame(b"y"))
    assert len(below.writes) == 1


async def test_cancelled_while_waiting(below: _Gated, shared: SharedStream) -> None:
    """A frame whose sender was cancelled while it waited is written whole with the next one, or not at all."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shared.send_all, text_frame(b"1"))
        await wait_all_tasks_blocked()
        with trio.move_on_after(0.01):
            await shared.send_all(text_frame(b"2"))
        below.gate.set()
    await shared.send_all(text_frame(b"3"))
    assert b"".join(below.writes) == text_frame(b"1") + text_frame(b"2") + text_frame(b"3")


async def test_gone(below: _Gated, shared: SharedStream) -> None:
    """A write that fails is the end."""
    await below.other.aclose()
    below.gate.set()
    with pytest.raises(trio.BrokenResourceError):
        await shared.send_all(text_frame(b"x"))
    assert shared.ended.is_set()


async def test_reading(below: _Gated, shared: SharedStream) -> None:
    """The request comes first, and what came behind it when it was answered; then what comes, to the end."""
    await below.other.send_all(b"later")
    await below.other.send_eof()
    assert await shared.receive_some(100) == b"request"
    with trio.move_on_after(0.01) as scope:
        await shared.receive_some(100)
    assert scope.cancelled_caught
    below.gate.set()
    await shared.send_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    assert [await shared.receive_some(100) for _ in range(2)] == [b"early", b"later"]
    assert not shared.ended.is_set()
    assert await shared.receive_some(100) == b""
    assert shared.ended.is_set()


async def test_closing(below: _Gated, shared: SharedStream) -> None:
    """Closing it leaves the stream to whoever has made it, for the last words."""
    await shared.aclose()
    assert shared.ended.is_set()
    below.gate.set()
    await shared.send_all(_CLOSE)
    assert await below.other.receive_some(100) == _CLOSE


async def test_parting(autojump_clock: trio.testing.MockClock) -> None:
    """Parting waits for the other side to go, for a moment."""
    mine, other = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(part, mine)
        assert await other.receive_some(100) == b""
        await other.send_all(b"still talking")
        await trio.sleep(0.1)
        await other.send_all(b"still talking")
        await other.aclose()
    before = trio.current_time()
    mine, other = memory_stream_pair()
    await part(mine)
    assert trio.current_time() - before == 0.5
