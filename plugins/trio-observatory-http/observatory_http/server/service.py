"""The service: opens the door, and tells where it can be found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import trio

from observatory import Context, Door, Service
from observatory_http.server.api import Api
from observatory_http.server.connections import Connections
from observatory_http.server.events import Events
from observatory_http.server.gate import Gate
from observatory_http.server.resource import Resource
from observatory_http.server.site import Site, nothing_here
from observatory_http.settings import DOOR, HttpSettings


class HttpService(Service):
    """Serves HTTP for one root.

    Attributes:
        routes: what it answers itself, once it runs.
        mounted: names of what other plugins answer, each below `/NAME`.

    Args:
        context: what every service is handed.
    """

    def __init__(self, context: Context) -> None:
        self.routes: Sequence[Resource] = ()
        self.mounted: Collection[str] = context.routes.keys()
        self._context = context
        self._settings: HttpSettings = context.settings or HttpSettings()
        self._door = Door(context, DOOR, ("http", "https"), host=self._settings.host, port=self._settings.port)
        self._events = Events(context, self._settings)
        self._gate = Gate(context, self._settings, nothing_here)
        self._connections = Connections(self._settings, self._gate.handle)

    async def run(  # noqa: ASYNC128 -- the door calls it
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; while another process serves this root, wait until it has ended."""
        # Made now, since every module, service and route is there.
        site = Site(self._context, Api(self._context, self._events).routes)
        self.routes, self._gate.site = site.routes, site.app
        await self._door.run(self._let_in, task_status=task_status)

    @property
    def url(self) -> str | None:
        """Where it can be reached; None while it cannot."""
        return self._door.url

    def statistics(self) -> Mapping[str, Any]:
        """Return the figures of the service."""
        return {
            "url": self.url,
            "connections": len(self._connections),
            "accepted": self._connections.accepted,
            "turned_away": self._connections.turned_away,
            "requests": self._gate.requests,
            "events": self._events.statistics(),
            "refused": {str(int(status)): count for status, count in self._gate.refused.items()},
        }

    async def _let_in(self, listeners: list[trio.SocketListener], started: Callable[[], None]) -> None:
        self._gate.port = self._door.port
        await self._connections.listen(listeners, self._door.tls, started)
