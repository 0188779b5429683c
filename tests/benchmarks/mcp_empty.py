"""The floor of `mcp_tools`: a server of the same SDK, with its own transports, and an empty tool."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server


def make_server() -> Server[Any]:
    """Make the server."""
    return Server("empty", on_list_tools=_list_tools, on_call_tool=_call_tool)


async def main() -> None:
    """Serve until standard input is closed."""
    server = make_server()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def _list_tools(_: Any, params: Any) -> types.ListToolsResult:
    await anyio.lowlevel.checkpoint()
    return types.ListToolsResult(tools=[types.Tool(name="empty", input_schema={"type": "object"})])


async def _call_tool(_: Any, params: Any) -> types.CallToolResult:
    await anyio.lowlevel.checkpoint()
    return types.CallToolResult(content=[types.TextContent(type="text", text="{}")])


if __name__ == "__main__":
    anyio.run(main, backend="trio")
