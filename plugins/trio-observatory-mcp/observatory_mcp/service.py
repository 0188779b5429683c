"""What is served at `/mcp`. The SDK is imported when somebody asks for it first: that takes 0.6 s."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, Any

import trio

from observatory import Asgi, AsgiApp, Context, EmbeddedClient, Identity, Observatory, Service
from observatory_mcp.exchange import Exchange, Receive, Send
from observatory_mcp.settings import McpSettings

if TYPE_CHECKING:
    from observatory_mcp.desk import Desk
    from observatory_mcp.sessions import Sessions

NAME = "mcp"
"""Of the service and of the route."""


class McpService(Service):
    """Serves agents over HTTP, for as long as it runs.

    Args:
        context: what every service is handed.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings: McpSettings = context.settings or McpSettings()
        self._importing = trio.Lock()
        self._nursery: trio.Nursery | None = None
        self._sessions: Sessions | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be there for agents until cancelled; that ends their sessions."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = self._sessions = None

    def statistics(self) -> Mapping[str, Any]:
        """Return the figures of the service."""
        return {"sessions": 0, "opened": 0, "clients": []} if self._sessions is None else self._sessions.statistics()

    async def answer(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer a request, as `RouteFactory` says."""
        sessions = self._sessions or await self._open()
        if sessions is None:
            await unavailable(scope, receive, send)
        else:
            await sessions.answer(scope, receive, send)

    async def _open(self) -> Sessions | None:
        """Return the sessions; None while there can be none."""
        async with self._importing:
            module = await trio.to_thread.run_sync(import_module, "observatory_mcp.sessions")
            observatory, nursery = self._context.observatory, self._nursery
            if self._sessions is None and nursery is not None and isinstance(observatory, Observatory):
                self._sessions = module.Sessions(
                    lambda agent: self._desk(observatory, agent), self._settings.max_sessions, nursery
                )
            return self._sessions

    def _desk(self, observatory: Observatory, agent: str) -> Desk:
        desk = import_module("observatory_mcp.desk")
        client = EmbeddedClient(observatory, Identity(agent))
        made: Desk = desk.Desk(client=client, agent=agent, settings=self._settings)
        return made


def make_route(context: Context) -> AsgiApp:
    """Make what is served at `/mcp`: whatever the service answers, where it runs."""

    async def route(scope: Asgi, receive: Receive, send: Send) -> None:
        service = context.services.get(NAME)
        await (service.answer if isinstance(service, McpService) else unavailable)(scope, receive, send)

    return route


async def unavailable(scope: Asgi, receive: Receive, send: Send) -> None:
    """Answer that nobody serves agents here."""
    words = "MCP is not served here at the moment; `observatory status` says how the service mcp is"
    await Exchange(scope, receive, send).refuse(HTTPStatus.SERVICE_UNAVAILABLE, words)
