"""One connection over two streams of bytes: a message a line."""

from __future__ import annotations

import anyio
import trio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, ErrorData, JSONRPCError

from observatory_mcp.desk import Desk
from observatory_mcp.framing import message_of, text_of
from observatory_mcp.server import make_server

_FAREWELL = 0.5
"""Seconds in which last answers are written when there is nobody to read them."""
_UNREAD = 100
"""Answers that may wait to be written."""


async def serve(desk: Desk, stdin: trio.abc.ReceiveStream, stdout: trio.abc.SendStream) -> None:
    """Serve an agent until the streams are closed.

    Args:
        desk: the agent's.
        stdin: what it asks.
        stdout: where answers go.
    """
    to_server, requests = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    answers, to_client = anyio.create_memory_object_stream[SessionMessage](0)
    server = make_server(desk)
    async with trio.open_nursery() as nursery:
        backlog = _Backlog(answers)
        reader = _Reader(stdin, to_server, answers.clone(), backlog, desk.settings.max_line_bytes)
        nursery.start_soon(reader.run, nursery.cancel_scope)
        nursery.start_soon(_write, stdout, to_client, backlog, nursery.cancel_scope)
        nursery.start_soon(desk.news.run)
        async with server.lifespan(server) as at_desk:
            await serve_dual_era_loop(server, requests, answers, lifespan_state=at_desk)


class _Backlog:
    """Answers that nobody has read yet: while there are many, no request is read that would make more of them.

    Args:
        answers: where they go.
    """

    def __init__(self, answers: MemoryObjectSendStream[SessionMessage]) -> None:
        self._answers = answers
        self._waiting = trio.lowlevel.ParkingLot()

    async def wait(self) -> None:
        """Wait until there are few."""
        while self._answers.statistics().tasks_waiting_send >= _UNREAD:
            await self._waiting.park()

    def note_written(self) -> None:
        """Note that one is not there any more."""
        self._waiting.unpark_all()


class _Reader:
    """Makes messages of lines.

    Args:
        stdin: where they come from.
        to_server: where they go.
        answers: where it is said that one is none.
        backlog: answers that were not read yet.
        most: bytes that a line may have.
    """

    def __init__(
        self,
        stdin: trio.abc.ReceiveStream,
        to_server: MemoryObjectSendStream[SessionMessage | Exception],
        answers: MemoryObjectSendStream[SessionMessage],
        backlog: _Backlog,
        most: int,
    ) -> None:
        self._stdin = stdin
        self._to_server = to_server
        self._answers = answers
        self._backlog = backlog
        self._most = most
        self._begun = bytearray()
        self._skips = False

    async def run(self, scope: trio.CancelScope) -> None:
        """Read until the end, and see that everything ends then."""
        async with self._to_server, self._answers:
            async for data in self._stdin:
                await self._take(bytes(data))
        scope.deadline = trio.current_time() + _FAREWELL

    async def _take(self, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        for end in whole:
            await self._backlog.wait()
            await self._take_line(bytes(self._begun) + end)
            self._begun.clear()
            self._skips = False
        self._begun += rest
        if len(self._begun) > self._most:
            if not self._skips:
                await self._refuse(
                    INVALID_REQUEST, f"a message has at most {self._most:,} bytes, and this one has more"
                )
            self._skips = True
            self._begun.clear()

    async def _take_line(self, line: bytes) -> None:
        if self._skips or not line.strip():
            return
        try:
            message = message_of(line)
        except MCPError as error:
            await self._refuse(error.error.code, error.error.message)
        else:
            await self._to_server.send(SessionMessage(message))

    async def _refuse(self, code: int, why: str) -> None:
        refusal = JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=code, message=why))
        await self._answers.send(SessionMessage(refusal))


async def _write(
    stdout: trio.abc.SendStream,
    messages: MemoryObjectReceiveStream[SessionMessage],
    backlog: _Backlog,
    scope: trio.CancelScope,
) -> None:
    """Write messages as lines; when nobody reads them any more, everything ends."""
    async with messages:
        async for message in messages:
            try:
                await stdout.send_all(text_of(message.message).encode() + b"\n")
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                scope.cancel()
            backlog.note_written()
    scope.cancel()
