"""The service: opens the door, and tells where it can be found."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import trio

from observatory import Context, Service, ServiceFile, ServiceRunningError
from observatory_http.server.api import Api
from observatory_http.server.connections import Connections
from observatory_http.server.events import Events
from observatory_http.server.gate import Gate
from observatory_http.server.resource import Resource
from observatory_http.server.site import Site, nothing_here
from observatory_http.settings import DOOR, HttpSettings

_log = logging.getLogger("observatory.http")

_RETRY = 2.0
"""Seconds between two looks whether another process's service on this root has ended."""

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- not bound here: what is told instead of it


class HttpService(Service):
    """Serves HTTP for one root.

    Attributes:
        url: where it can be reached; None while it cannot.
        routes: what it answers itself, once it runs.
        mounted: names of what other plugins answer, each below `/NAME`.

    Args:
        context: what every service is handed.
    """

    def __init__(self, context: Context) -> None:
        self.url: str | None = None
        self.routes: Sequence[Resource] = ()
        self.mounted: Collection[str] = context.routes.keys()
        self._context = context
        self._settings: HttpSettings = context.settings or HttpSettings()
        self._file = context.service_file or ServiceFile(context.root, context.security, context.clock)
        self._told = ""  # why it waits
        self._events = Events(context, self._settings)
        self._gate = Gate(context, self._settings, nothing_here)
        self._connections = Connections(self._settings, self._gate.handle)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; while another process serves this root, wait until it has ended."""
        self._context.security.check_binding(self._settings.host)
        # Made now, since every module, service and route is there.
        site = Site(self._context, Api(self._context, self._events).routes)
        self.routes, self._gate.site = site.routes, site.app
        while True:
            try:
                await self._serve(task_status.started)
            except ServiceRunningError as error:
                if str(error) != self._told:
                    self._told = str(error)
                    _log.warning("%s; this one waits until that has ended", error)
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await trio.sleep(_RETRY)

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

    async def _serve(self, started: Callable[[], None]) -> None:
        listeners = await self._open_listeners()
        try:
            if not self._settings.port:  # of several addresses each would have a port of its own, and one is announced
                while len(listeners) > 1:
                    await listeners.pop().aclose()
            tls = await trio.to_thread.run_sync(self._context.security.ssl_context)
            await self._announce(listeners[0], encrypted=tls is not None)
            if self._told:
                _log.info("that has ended: clients are let in at %s", self.url)
            await self._connections.listen(listeners, tls, started)
        finally:
            self.url = None
            with trio.CancelScope(shield=True):
                for listener in listeners:
                    await listener.aclose()
                await trio.to_thread.run_sync(self._file.withdraw, DOOR)

    async def _open_listeners(self) -> list[trio.SocketListener]:
        host, port = self._settings.host, self._settings.port
        try:
            return await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            where = f"port {port} of {host!r:.80}" if port else f"a port of {host!r:.80}"
            remedy = "end what uses it, or set another host or port under plugins.http"
            raise OSError(error.errno, f"cannot listen at {where}: {error.strerror}; {remedy}") from error

    async def _announce(self, listener: trio.SocketListener, *, encrypted: bool) -> None:
        host, port = listener.socket.getsockname()[:2]
        host = _ANY_ADDRESS.get(host, host)
        url = f"{'https' if encrypted else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"
        self._gate.port = port
        await trio.to_thread.run_sync(self._file.announce, DOOR, url)
        self.url = url
