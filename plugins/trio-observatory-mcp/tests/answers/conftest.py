"""What carries requests over HTTP by either revision, without a socket: time and who goes when are the test's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import mcp_types as types
import pytest
import trio
from mcp.server.lowlevel import Server
from observatory_mcp.exchange import Exchange, exchange_of
from observatory_mcp.handshake import HandshakeTransport
from observatory_mcp.stateless import StatelessTransport

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
NEW = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": NEW,
    "io.modelcontextprotocol/clientCapabilities": {},
    "progressToken": 1,
}
BOTH = "application/json, text/event-stream"


class Asked:
    """A request over HTTP, and what has come of it.

    Args:
        method: of HTTP.
        message: of JSON-RPC; None for no body.
        accept: what the client understands.
        more: headers.
    """

    def __init__(self, method: str = "POST", message: Any = None, accept: str = BOTH, **more: str) -> None:
        more = {"content-type": "application/json", **more}
        headers = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in {"accept": accept, **more}.items()
        ]
        scope = {"type": "http", "method": method, "headers": headers, "state": {}}
        self.gone = trio.Event()
        self.parts: list[Any] = []
        self.exchange = Exchange(scope, self._receive, self._send)
        self._body: bytes | None = b"" if message is None else json.dumps(message).encode()

    async def _receive(self) -> Any:
        if self._body is None:
            await self.gone.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body}

    async def _send(self, part: Any) -> None:
        await trio.lowlevel.checkpoint()
        self.parts.append(part)

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.parts[0]["status"])

    @property
    def kind(self) -> bytes | None:
        """Of the answer's content."""
        return dict(self.parts[0]["headers"]).get(b"content-type")

    @property
    def text(self) -> str:
        """What was answered so far."""
        return b"".join(part["body"] for part in self.parts[1:]).decode()

    @property
    def complete(self) -> bool:
        """Whether nothing more comes."""
        return not self.parts[-1].get("more_body", True)

    @property
    def events(self) -> list[Any]:
        """The messages of a stream, and None for what only says that there is none yet."""
        events = self.text.split("\r\n\r\n")[:-1]
        return [json.loads(event.partition("data: ")[2] or "null") for event in events]


class House:
    """A server with tools that do as a test wants it, and what carries requests to it."""

    def __init__(self, *, stateless: bool = False) -> None:
        self.go_on = trio.Event()
        self.ended: list[str] = []
        self._stateless = stateless
        server = Server("test", on_call_tool=self._call)
        self.transport = StatelessTransport(server) if stateless else HandshakeTransport(server, "the-session")

    async def _call(self, context: Any, params: Any) -> types.CallToolResult:
        with exchange_of(context.request.scope).working():
            try:
                if params.name == "tell":
                    for step in (1, 2):
                        await context.session.report_progress(step, 2, None)
                if params.name == "change":
                    await context.session.send_resource_updated("test://changed")
                if params.name in ("wait", "wait_for_message", "claim_task"):
                    await self.go_on.wait()
                await trio.lowlevel.checkpoint()
                return types.CallToolResult(content=[types.TextContent(type="text", text=params.name)])
            finally:
                self.ended.append(params.name)
        return types.CallToolResult(content=[], is_error=True)

    async def ask(self, asked: Asked) -> Asked:
        """Have a request answered."""
        assert await asked.exchange.read()
        with trio.fail_after(60):
            await self.transport.answer(asked.exchange)
        return asked

    @staticmethod
    def request(*arguments: Any, **more: Any) -> Asked:
        """Return a request, as `Asked` says."""
        return Asked(*arguments, **more)

    def call(self, tool: str, id: Any = 1, **params: Any) -> Asked:
        """Return a call of a tool."""
        meta = {"_meta": META} if self._stateless else {}
        asked = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, **params, **meta}}
        if self._stateless:
            return Asked(message=asked, mcp_protocol_version=NEW, mcp_method="tools/call", mcp_name=tool)
        return Asked(message=asked)

    async def hello(self) -> Asked:
        """Begin the session."""
        first = await self.ask(Asked(message={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}))
        await self.ask(Asked(message={"jsonrpc": "2.0", "method": "notifications/initialized"}))
        return first


@pytest.fixture
def new_house() -> House:
    """Return a session that has not begun."""
    return House()


@pytest.fixture
async def house(new_house: House) -> AsyncIterator[House]:
    """Return a session that has begun."""
    async with new_house.transport.serve():
        await new_house.hello()
        yield new_house


@pytest.fixture
def stateless() -> House:
    """Return what knows no sessions."""
    return House(stateless=True)
