"""What an agent asks over HTTP by 2026-07-28, each request for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from observatory_mcp.exchange import Exchange
from observatory_mcp.tools import is_quick


class StatelessTransport:
    """Carries requests, and their answers.

    To be ready for a stream of events, and to see whether the client goes, costs as much as a tool takes. So it is done
    only for what might take long.

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
        if _is_quick(exchange.body):
            await exchange.look()
            await self._whole.handle_request(exchange.scope, exchange.receive, exchange.send)
        else:
            await exchange.watch(self._stream)

    async def _stream(self, exchange: Exchange) -> None:
        await self._streaming.handle_request(exchange.scope, exchange.receive, exchange.send)


def _is_quick(body: bytes) -> bool:
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(asked, dict) and is_quick(asked.get("method"), asked.get("params"))
