"""The stream below a connection, to which two write: trio-websocket its own frames, and we frames that are ready."""

from __future__ import annotations

from contextlib import suppress

import trio
from trio.abc import Stream


class SharedStream(Stream):
    """Lets frames that wait together be one write, never lets half a frame be followed by another.

    Args:
        stream: the connection's.
        received: what was read from it already: the head of its request.
    """

    def __init__(self, stream: Stream, received: bytes) -> None:
        self.blocked_since: float | None = None
        """Trio's time at which the write began that is under way; None when there is none."""
        self.written = 0
        """Bytes written so far."""
        self._stream = stream
        self._received = received
        self._turn = trio.Lock()
        self._waiting: list[bytes] = []
        self._appended = 0  # writes that were ever asked for ...
        self._taken = 0  # ... and those of them that somebody has carried out
        self._broken = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write, after what waits already and together with it.

        Raises:
            trio.BrokenResourceError: the other side is gone, or a write was cut off in the middle of a frame.
        """
        self._waiting.append(bytes(data))
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
        finally:
            self.blocked_since = None
        self._broken = False
        self._taken += len(batch)
        self.written += len(data)

    async def say_last(self, frame: bytes) -> None:
        """Write a frame if nothing else is being written, for at most a moment; nobody's cancelling reaches it."""
        if self._broken or self._turn.locked():
            return
        deadline = trio.current_time() + _MOMENT
        with trio.CancelScope(shield=True, deadline=deadline), suppress(trio.BrokenResourceError):
            await self.send_all(frame)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until a write could go through."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read: first what was read already."""
        if self._received:
            await trio.lowlevel.checkpoint()
            data, self._received = self._received, b""
            return data
        return bytes(await self._stream.receive_some(max_bytes))

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()


_MOMENT = 0.5
"""Seconds that the last words of a connection may take."""
