"""What Observatory loads through the entry point `mcp`: by every command, so what does the work is imported late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory import CommandFactory, Registrar, hookimpl
from observatory_mcp.settings import McpSettings

if TYPE_CHECKING:
    from cyclopts import App

settings_class = McpSettings


@hookimpl
def observatory_register_commands(registrar: Registrar[CommandFactory]) -> None:
    """Register `observatory mcp`."""
    registrar.register("mcp", _make_commands)


def _make_commands() -> App:
    from observatory_mcp.command import app

    return app
