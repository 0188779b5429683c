"""The messages of one session over HTTP, by 2025-11-25 and before: an answer is one JSON value, or a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Any, TypeGuard

import anyio
import trio
from anyio.abc import ObjectSendStream
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_loop
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, REQUEST_CANCELLED, check_accept_headers
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import ErrorData, JSONRPCError, JSONRPCMessage, JSONRPCRequest, JSONRPCResponse, RequestId
from starlette.requests import Request

from observatory_mcp.exchange import Exchange
from observatory_mcp.framing import message_of, text_of
from observatory_mcp.tools import is_quick

_PATIENCE = 15.0
"""Seconds after which whoever waits for an answer sees that there is somebody; proxies give up after 30 and more."""


class HandshakeTransport:
    """Carries the messages of a session.

    The SDK's has every answer be a stream of events, or none. Here one becomes a stream when something is to be told
    before its end, or it takes long: most are one JSON value, which costs half.

    Args:
        server: what answers.
        id: the session's.
    """

    def __init__(self, server: Server[Any], id: str) -> None:
        self._server = server
        self._id = id
        self._headers = {MCP_SESSION_ID_HEADER.encode(): id.encode()}
        self._answers = _Answers()
        self._to_server, self._requests = anyio.create_memory_object_stream[SessionMessage | Exception](0)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Have the server answer for the time of a block."""
        server = self._server
        async with self._to_server, self._requests, server.lifespan(server) as state, trio.open_nursery() as nursery:
            loop = partial(serve_loop, lifespan_state=state, session_id=self._id)
            nursery.start_soon(loop, server, self._requests, self._answers)
            yield
            nursery.cancel_scope.cancel()

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request."""
        json, events = check_accept_headers(Request(exchange.scope))
        if exchange.method not in ("GET", "POST"):
            words, allow = "GET, POST and DELETE are what there is", {b"allow": b"GET, POST, DELETE"}
            await exchange.refuse(HTTPStatus.METHOD_NOT_ALLOWED, words, headers=allow)
        elif not events or not (json or exchange.method == "GET"):
            await exchange.refuse(HTTPStatus.NOT_ACCEPTABLE, "accept both application/json and text/event-stream")
        elif exchange.method == "GET":
            await exchange.watch(self._tell)
        else:
            await self._take(exchange)

    async def _take(self, exchange: Exchange) -> None:
        try:
            message = message_of(exchange.body)
        except MCPError as error:
            await exchange.refuse(HTTPStatus.BAD_REQUEST, error.error.message, error.error.code)
            return
        if isinstance(message, JSONRPCRequest):
            if is_quick(message.method, message.params):
                await exchange.look()
                await self._ask(message, exchange)
            else:
                await exchange.watch(partial(self._ask, message))
        else:
            await self._to_server.send(SessionMessage(message))
            await exchange.respond(HTTPStatus.ACCEPTED, headers=self._headers)

    async def _ask(self, request: JSONRPCRequest, exchange: Exchange) -> None:
        """Have a request answered; until it is, no other one can have its id, also when nobody waits any more."""
        if self._answers.is_awaited(request.id):
            await exchange.refuse(HTTPStatus.BAD_REQUEST, f"the request {request.id!r:.80} is not answered yet")
            return
        with self._answers.awaited(request.id) as messages:
            asked = ServerMessageMetadata(
                request_context=Request(exchange.scope),
                on_request_unanswered=partial(self._answers.send_cancelled, request.id),
            )
            await self._to_server.send(SessionMessage(request, asked))
            message = await _next(messages)
            if message is not None and _is_last(message):
                failed = request.method == "initialize" and isinstance(message, JSONRPCError)
                status = HTTPStatus.BAD_REQUEST if failed else HTTPStatus.OK  # there is no session then
                await exchange.respond(status, text_of(message).encode(), self._headers)
                return
            await self._begin_stream(exchange)
            while message is None or not _is_last(message):
                await exchange.go_on(_event(message))
                message = await _next(messages)
            await exchange.go_on(_event(message), more=False)

    async def _tell(self, exchange: Exchange) -> None:
        """Write what belongs to no request, until the client goes."""
        if self._answers.is_awaited(None):
            await exchange.refuse(HTTPStatus.CONFLICT, "this session has a stream already, and can have one")
            return
        with self._answers.awaited(None) as messages, exchange.working():
            await self._begin_stream(exchange)
            while True:
                await exchange.go_on(_event(await _next(messages)))

    async def _begin_stream(self, exchange: Exchange) -> None:
        fields = {b"content-type": b"text/event-stream", b"cache-control": b"no-cache, no-transform"}
        await exchange.begin(HTTPStatus.OK, {**fields, b"x-accel-buffering": b"no", **self._headers})


class _Answers(ObjectSendStream[SessionMessage]):
    """Where a server sends messages: each goes to who waits for it, or to nobody."""

    def __init__(self) -> None:
        self._awaited: dict[RequestId | None, trio.MemorySendChannel[JSONRPCMessage]] = {}

    def is_awaited(self, id: RequestId | None) -> bool:
        """Tell whether somebody waits for what belongs to a request, or to none."""
        return id in self._awaited

    @contextmanager
    def awaited(self, id: RequestId | None) -> Iterator[trio.MemoryReceiveChannel[JSONRPCMessage]]:
        """Give what belongs to a request, or to none, for the time of a block."""
        to_here, messages = trio.open_memory_channel[JSONRPCMessage](0)
        self._awaited[id] = to_here
        try:
            with to_here, messages:
                yield messages
        finally:
            del self._awaited[id]

    async def send(self, item: SessionMessage) -> None:
        """Send a message, once what went there before is written."""
        channel = self._awaited.get(_request_of(item))
        if channel is None:
            await trio.lowlevel.checkpoint()
        else:
            with suppress(trio.BrokenResourceError):  # nobody waits for it any more
                await channel.send(item.message)

    async def send_cancelled(self, id: RequestId) -> None:
        """Answer a request that its client has cancelled, since HTTP wants an answer."""
        error = ErrorData(code=REQUEST_CANCELLED, message="this request was cancelled")
        await self.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=id, error=error)))

    async def aclose(self) -> None:
        """Do nothing: those who wait are told by who has opened the session."""
        await trio.lowlevel.checkpoint()


def _request_of(item: SessionMessage) -> RequestId | None:
    """Return the request that a message of a server belongs to."""
    if _is_last(item.message):
        return item.message.id
    return item.metadata.related_request_id if isinstance(item.metadata, ServerMessageMetadata) else None


def _is_last(message: JSONRPCMessage) -> TypeGuard[JSONRPCResponse | JSONRPCError]:
    return isinstance(message, (JSONRPCResponse, JSONRPCError))


async def _next(messages: trio.MemoryReceiveChannel[JSONRPCMessage]) -> JSONRPCMessage | None:
    """Return the next message; None when there is none for long."""
    with trio.move_on_after(_PATIENCE):
        return await messages.receive()
    return None


def _event(message: JSONRPCMessage | None) -> bytes:
    """Return a message as an event, or what says that there is none yet."""
    return b": ping\r\n\r\n" if message is None else f"event: message\r\ndata: {text_of(message)}\r\n\r\n".encode()
