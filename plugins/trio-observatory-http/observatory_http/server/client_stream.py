"""A client's connection as anycorn reads and writes it: within bounds, and closed so that last words arrive."""

from __future__ import annotations

import select
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import trio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute
from trio.abc import HalfCloseableStream, Stream

_PORTION = 64 * 1024
"""Bytes that are written at a time: whoever is slow shows that they take something."""

_CLOSED = getattr(select, "POLLRDHUP", 0)  # where there is none, POLLHUP says the same, which is always told
"""What tells that the other side sends no more, whatever of it was not read yet."""

_MOMENT = 0.5
"""Seconds in which the other side can take our last words and go."""


class ClientStream(ByteStream):
    """One connection.

    Args:
        socket: the connection.
        stream: the same, or what encrypts it.
        write_seconds: within which the other side has to take something.
    """

    def __init__(self, socket: trio.SocketStream, stream: Stream, write_seconds: float) -> None:
        self.unread = True
        """Whether the other side may still be sending: closed then, it would lose the answer."""
        self.on_end: Callable[[], Awaitable[None]] | None = None
        """Called when nothing can be read any more."""
        self._socket = socket
        self._stream = stream
        self._write_seconds = write_seconds
        self._reading = False
        self._closing = False
        self._read = trio.Event()  # whoever reads while it is closed has come to the end

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """What anycorn asks: the socket, and whether there is TLS; over that HTTP/1.1 is spoken, too."""
        found: dict[Any, Callable[[], Any]] = {SocketAttribute.raw_socket: lambda: self._socket.socket}
        if self._stream is not self._socket:
            found[TLSAttribute.alpn_protocol] = lambda: None
        return found

    @property
    def gone(self) -> bool:
        """Whether the other side has closed the connection, or its half of it, as far as the system knows."""
        descriptor = self._socket.socket.fileno()
        if descriptor < 0:
            return True
        look = select.poll()
        look.register(descriptor, _CLOSED)
        return bool(look.poll(0))

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        """Read.

        Raises:
            anyio.EndOfStream: the other side sends no more.
            anyio.BrokenResourceError: it is gone.
            anyio.ClosedResourceError: the connection was closed.
        """
        try:
            return await self._receive(max_bytes)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            if self.on_end is not None:
                await self.on_end()  # noqa: ASYNC120 -- whoever cancels ends the connection
            raise

    async def _receive(self, max_bytes: int) -> bytes:
        if self._closing:
            raise anyio.ClosedResourceError
        self._reading = True
        try:
            with _in_words_of_anyio():
                data = await self._stream.receive_some(max_bytes)
                while self._closing and data:
                    data = await self._stream.receive_some(max_bytes)
        finally:
            self._reading = False
            self._read.set()
        if not data:
            raise anyio.EndOfStream
        return bytes(data)

    async def send(self, item: bytes) -> None:
        """Write.

        Raises:
            anyio.BrokenResourceError: the other side is gone, or has taken nothing for too long.
            anyio.ClosedResourceError: the connection was closed.
        """
        if self._closing:
            raise anyio.ClosedResourceError
        view = memoryview(item)
        for start in range(0, len(view), _PORTION):
            with trio.move_on_after(self._write_seconds) as limit, _in_words_of_anyio():
                await self._stream.send_all(view[start : start + _PORTION])
            if limit.cancelled_caught:
                self.cut()
                raise anyio.BrokenResourceError

    async def send_eof(self) -> None:
        """Say that no more comes; closing does that."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close the connection."""
        if self._closing:
            await trio.lowlevel.checkpoint()
            return
        self._closing = True
        if self.unread:
            await self._take_leave()
        await trio.aclose_forcefully(self._stream)

    def cut(self) -> None:
        """End the connection at once."""
        self._closing = True
        self._socket.socket.close()

    async def _take_leave(self) -> None:
        """Let the other side take what was written, and go: were something left unread, the system would cut it off."""
        gone = suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _MOMENT), gone:
            await trio.lowlevel.checkpoint()
            if isinstance(self._stream, HalfCloseableStream):
                await self._stream.send_eof()
            if self._reading:
                self._read = trio.Event()
                await self._read.wait()
            else:
                while await self._stream.receive_some(_PORTION):
                    pass


@contextmanager
def _in_words_of_anyio() -> Iterator[None]:
    try:
        yield
    except trio.BrokenResourceError as error:
        raise anyio.BrokenResourceError from error
    except trio.ClosedResourceError as error:
        raise anyio.ClosedResourceError from error
