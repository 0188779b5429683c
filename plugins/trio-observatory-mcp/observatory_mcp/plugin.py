"""What Observatory loads through the entry point `mcp`: by every command, so what does the work is imported late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory import CommandFactory, Context, Registrar, RouteFactory, Service, ServiceFactory, hookimpl
from observatory_mcp.group import mcp
from observatory_mcp.settings import McpSettings

if TYPE_CHECKING:
    from observatory import AsgiApp

settings_class = McpSettings


@hookimpl
def observatory_register_routes(registrar: Registrar[RouteFactory]) -> None:
    """Register `/mcp`."""
    registrar.register("mcp", _make_route)


@hookimpl
def observatory_register_services(registrar: Registrar[ServiceFactory]) -> None:
    """Register the service `mcp`, in which sessions over HTTP run."""
    registrar.register("mcp", _make_service)


@hookimpl
def observatory_register_commands(registrar: Registrar[CommandFactory]) -> None:
    """Register `observatory mcp`."""
    registrar.register("mcp", mcp)


def _make_route(context: Context) -> AsgiApp:
    from observatory_mcp.service import make_route

    return make_route(context)


def _make_service(context: Context) -> Service:
    from observatory_mcp.service import McpService

    return McpService(context)
