"""The stream below a connection, to which two write: trio-websocket its own frames, and we frames that are ready."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import trio
from trio.abc import HalfCloseableStream, Stream

from observatory_websocket.server.frames import CLOSE, TOO_LARGE, close_frame
from observatory_websocket.server.incoming import Incoming

_MOMENT = 0.5
"""Seconds in which the other side can take our last words and go."""

_READ = 64 * 1024
_PORTION = 64 * 1024
"""Bytes that are written at a time: whoever is slow shows that they take something."""


class SharedStream(Stream):
    """Lets frames that wait together be one write; never lets anything follow half a frame, or a close frame.

    Args:
        stream: the connection's; whoever has made it closes it.
        request: the request for a websocket, as trio-websocket is to read it.
        early: what the client has sent behind it already.
        incoming: looks at what comes in.
    """

    def __init__(self, stream: Stream, request: bytes, early: bytes, incoming: Incoming) -> None:
        self.incoming = incoming
        """Looks at what comes in."""
        self.blocked_since: float | None = None
        """Trio's time at which the other side has taken something last; None when nothing has to wait for that."""
        self.written = 0
        """Bytes written so far."""
        self.unwritten = 0
        """Bytes that wait to be written, those included that are being written."""
        self.heard = trio.current_time()
        """Trio's time at which something came in last."""
        self.ended = trio.Event()
        """Set when it is over: the close frame was written, or the other side is gone."""
        self.quiet = False
        """Whether everything that came in was handed over, and more is being waited for."""
        self.on_heard: Callable[[], None] | None = None
        """Called when something has come in."""
        self._stream = stream
        # The socket, to be asked directly, which takes a fraction of the time; None where all is encrypted.
        self._socket = stream.socket if isinstance(stream, trio.SocketStream) else None
        self._request = request
        self._early = early  # or what else has come in, and is still to be handed on
        self._upgraded = trio.Event()
        self._turn = trio.Lock()
        self._waiting: list[bytes] = []
        self._closing = False  # a close frame is among them, or was written
        self._broken = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write whole frames, after what waits already and together with it.

        Raises:
            trio.ClosedResourceError: there was a close frame before.
            trio.BrokenResourceError: the other side is gone, or a write was cut off in the middle of a frame.
        """
        if self.send_nowait(bytes(data)):
            await trio.lowlevel.checkpoint()
        else:
            await self.flush()

    def send_nowait(self, data: bytes) -> bool:
        """Write whole frames at once, if nothing waits and the system takes them; what is left waits for `flush`.

        Returns:
            Whether nothing is left.

        Raises:
            trio.ClosedResourceError, trio.BrokenResourceError: as `send_all` does.
        """
        self._upgraded.set()  # the first write is trio-websocket's answer to the request
        if self._closing:
            raise trio.ClosedResourceError("nothing follows a close frame")
        rest = data
        if not self._turn.locked():
            self._check_whole()
            if not self._waiting:
                rest = data[self._write_at_once(data) :]
        self._closing = data[0] == CLOSE
        if rest:
            self._waiting.append(rest)
            self.unwritten += len(rest)
        elif self._closing:
            self.ended.set()
        return not rest

    async def flush(self) -> None:
        """Write what waits.

        Raises:
            trio.BrokenResourceError: as `send_all` does.
        """
        async with self._turn:
            self._check_whole()
            if self._waiting:
                await self._write_waiting()

    def _check_whole(self) -> None:
        if self._broken:
            raise trio.BrokenResourceError("a frame was cut off")

    def _write_at_once(self, data: bytes) -> int:
        """Return how many bytes the system takes without waiting; none where they have to be encrypted."""
        if self._socket is None:
            return 0
        try:
            size = os.write(self._socket.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._broken = True
            self.ended.set()
            raise trio.BrokenResourceError("the other side is gone") from error
        self.written += size
        return size

    async def _write_waiting(self) -> None:
        batch, self._waiting = self._waiting, []
        data = memoryview(batch[0] if len(batch) == 1 else b"".join(batch))
        last = self._closing  # nothing follows a close frame, so that it is among these
        self._broken = True  # unless it comes to its end
        left = len(data)
        try:
            while left:
                self.blocked_since = trio.current_time()
                portion = data[len(data) - left :][:_PORTION]
                await self._stream.send_all(portion)
                left -= len(portion)
                self.unwritten -= len(portion)
                self.written += len(portion)
        except trio.BrokenResourceError:
            self.ended.set()
            raise
        finally:
            self.blocked_since = None
            self.unwritten -= left
        self._broken = False
        if last:
            self.ended.set()

    async def wait_written(self, size: int) -> None:
        """Wait until at most so many bytes wait to be written.

        Raises:
            trio.BrokenResourceError: as `send_all` does.
        """
        while self.unwritten > size:
            await self.flush()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until nothing else is being written."""
        await self.wait_written(0)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read: the request, and once that was answered, what came behind it; before, trio-websocket would lose it.

        Raises:
            trio.BrokenResourceError: the other side is gone, or was told to go.
        """
        if self._request:
            await trio.lowlevel.checkpoint()
            data, self._request = self._request, b""
            return data
        if not self._upgraded.is_set():
            await self._upgraded.wait()
        if self._early:
            await trio.lowlevel.checkpoint()
            data, self._early = self._early, b""
            return self._looked_at(data)
        self.quiet = True
        data = await self._receive(max_bytes)
        self.quiet = False
        self.heard = trio.current_time()
        if self.on_heard is not None:
            self.on_heard()
        if not data:
            self.ended.set()
        return self._looked_at(data)

    def _looked_at(self, data: bytes) -> bytes:
        """Return what may be handed on of what has come in, and keep the rest."""
        size, fault = self.incoming.look(data)
        if fault is not None and not size:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                self.send_nowait(close_frame(TOO_LARGE, fault))
            raise trio.BrokenResourceError(fault)
        if size == len(data):
            return data
        self._early = data[size:]
        return data[:size]

    async def _receive(self, max_bytes: int | None) -> bytes:
        """Read; where nothing is encrypted, wait first, since what was there before was read with what came before."""
        if self._socket is None or max_bytes is None:
            return bytes(await self._stream.receive_some(max_bytes))
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return os.read(self._socket.fileno(), max_bytes)
            except BlockingIOError:  # false alarm
                continue
            except OSError as error:
                raise trio.BrokenResourceError("the other side is gone") from error

    async def aclose(self) -> None:
        """Be over, so that whoever has made the stream closes it."""
        self.ended.set()
        await trio.lowlevel.checkpoint()


async def part(stream: Stream) -> None:
    """Close a connection so that our last words arrive: were something left unread, the system would cut it off."""
    transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    deadline = trio.current_time() + _MOMENT
    gone = suppress(trio.BrokenResourceError, trio.ClosedResourceError)
    with trio.CancelScope(shield=True, deadline=deadline), gone:
        await trio.lowlevel.checkpoint()
        if isinstance(transport, HalfCloseableStream):
            await transport.send_eof()
        while await transport.receive_some(_READ):
            pass
    await trio.aclose_forcefully(stream)
