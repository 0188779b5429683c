"""What an agent asks over HTTP by 2026-07-28, each request for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from observatory_mcp.exchange import Exchange
from observatory_mcp.tools import TOOLS


class StatelessTransport:
    """Carries requests, and their answers.

    To be able to answer by a stream of events costs as much as a tool takes, so it is done only where something might
    be told before the end.

    Args:
        server: what answers.
    """

    def __init__(self, server: Server[Any]) -> None:
        self._whole = StreamableHTTPSessionManager(server, json_response=True)
        self._streaming = StreamableHTTPSessionManager(server)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Have the server answer for the time of a block."""
        async with self._whole.run(), self._streaming.run():
            yield

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request."""
        manager = self._whole if _is_of_quiet_tool(exchange.body) else self._streaming
        await manager.handle_request(exchange.scope, exchange.receive, exchange.send)


def _is_of_quiet_tool(body: bytes) -> bool:
    """Tell whether a request calls a tool that tells nothing before its end."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    match asked:
        case {"method": "tools/call", "params": {"name": str(name)}}:
            return name in TOOLS and not TOOLS[name].reports
        case _:
            return False
