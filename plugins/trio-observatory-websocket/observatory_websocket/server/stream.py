"""The stream below a connection, to which two write: trio-websocket its own frames, and we frames that are ready."""

from __future__ import annotations

from contextlib import suppress

import trio
from trio.abc import HalfCloseableStream, Stream

from observatory_websocket.server.frames import CLOSE

_MOMENT = 1.0
"""Seconds in which the other side can take our last words and go."""

_READ = 64 * 1024


class SharedStream(Stream):
    """Lets frames that wait together be one write; never lets anything follow half a frame, or a close frame.

    Args:
        stream: the connection's; whoever has made it closes it.
        request: the request for a websocket, as trio-websocket is to read it.
        early: what the client has sent behind it already.
    """

    def __init__(self, stream: Stream, request: bytes, early: bytes) -> None:
        self.blocked_since: float | None = None
        """Trio's time at which the write began that is under way; None when there is none."""
        self.written = 0
        """Bytes written so far."""
        self.unwritten = 0
        """Bytes that wait to be written, those included that are being written."""
        self.heard = trio.current_time()
        """Trio's time at which something came in last."""
        self.ended = trio.Event()
        """Set when it is over: the close frame was written, or the other side is gone."""
        self._stream = stream
        self._request = request
        self._early = early
        self._upgraded = trio.Event()
        self._turn = trio.Lock()
        self._waiting: list[bytes] = []
        self._appended = 0  # writes that were ever asked for ...
        self._taken = 0  # ... and those of them that somebody has carried out
        self._closing = False  # the close frame is among them
        self._broken = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write whole frames, after what waits already and together with it.

        Raises:
            trio.ClosedResourceError: there was a close frame before.
            trio.BrokenResourceError: the other side is gone, or a write was cut off in the middle of a frame.
        """
        self._upgraded.set()  # the first write is trio-websocket's answer to the request
        if self._closing:
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError("nothing follows a close frame")
        self._closing = data[0] == CLOSE
        self._waiting.append(bytes(data))
        self.unwritten += len(data)
        self._appended = number = self._appended + 1
        async with self._turn:
            if self._taken < number:
                await self._write_waiting()

    async def _write_waiting(self) -> None:
        if self._broken:
            raise trio.BrokenResourceError("a frame was cut off")
        batch, self._waiting = self._waiting, []
        data = batch[0] if len(batch) == 1 else b"".join(batch)
        self._broken = True  # unless it comes to its end
        self.blocked_since = trio.current_time()
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            self.ended.set()
            raise
        finally:
            self.blocked_since = None
            self.unwritten -= len(data)
        self._broken = False
        self._taken += len(batch)
        self.written += len(data)
        if batch[-1][0] == CLOSE:
            self.ended.set()

    async def wait_written(self, size: int) -> None:
        """Wait until at most so many bytes wait to be written."""
        while self.unwritten > size:
            async with self._turn:
                pass

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until nothing else is being written."""
        await self.wait_written(0)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read: the request, and once that was answered, what came behind it; before, trio-websocket would lose it."""
        if self._request:
            await trio.lowlevel.checkpoint()
            data, self._request = self._request, b""
            return data
        if not self._upgraded.is_set():
            await self._upgraded.wait()
        if self._early:
            await trio.lowlevel.checkpoint()
            data, self._early = self._early, b""
            return data
        data = bytes(await self._stream.receive_some(max_bytes))
        self.heard = trio.current_time()
        if not data:
            self.ended.set()
        return data

    async def aclose(self) -> None:
        """Be over, so that whoever has made the stream closes it."""
        self.ended.set()
        await trio.lowlevel.checkpoint()


async def part(stream: Stream) -> None:
    """Close a connection so that our last words arrive: were something left unread, the system would cut it off."""
    transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    try:
        with trio.move_on_after(_MOMENT), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            if isinstance(transport, HalfCloseableStream):
                await transport.send_eof()
            while await transport.receive_some(_READ):
                pass
    finally:
        await trio.aclose_forcefully(stream)
