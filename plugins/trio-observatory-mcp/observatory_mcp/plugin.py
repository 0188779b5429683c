"""What Observatory loads through the entry point `mcp`: by every command, so what does the work is imported late."""

from __future__ import annotations

from observatory import CommandFactory, Registrar, hookimpl
from observatory_mcp.group import mcp
from observatory_mcp.settings import McpSettings

settings_class = McpSettings


@hookimpl
def observatory_register_commands(registrar: Registrar[CommandFactory]) -> None:
    """Register `observatory mcp`."""
    registrar.register("mcp", mcp)
