"""`observatory mcp`, as the command line lists it: what it needs is imported when it is made, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import App


def mcp() -> App:
    """Serve one agent over MCP on standard input and output."""
    from observatory_mcp.command import app

    return app
