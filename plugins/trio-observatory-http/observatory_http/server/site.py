"""Which route answers what."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router

from observatory import Asgi, AsgiApp, Context
from observatory_http.server.answers import RefusedError
from observatory_http.server.connections import Receive, Send
from observatory_http.server.metrics import metrics_of
from observatory_http.server.resource import Resource


class Site:
    """Makes the application behind the gate.

    Args:
        context: what the service was handed.
        api: what is below `/api`.
    """

    def __init__(self, context: Context, api: Sequence[Resource] = ()) -> None:
        self._context = context
        self.routes = (
            *api,  # hook events first, which are the most
            Resource("/healthz", {"GET": self._health}),
            Resource("/readyz", {"GET": self._ready}),
            Resource("/metrics", {"GET": self._metrics}),
        )
        """What it answers itself."""
        self.app: AsgiApp = Router(self.routes, redirect_slashes=False, default=self._others)
        """The application."""

    async def _health(self, request: Request) -> Response:
        """Tell whether all is well."""
        observatory = self._context.observatory
        return _said(observatory is None or observatory.health().healthy)

    async def _ready(self, request: Request) -> Response:
        """Tell whether messages are taken."""
        return _said(self._context.observatory is not None and not self._context.pubsub.closed)

    async def _metrics(self, request: Request) -> Response:
        """Tell all figures, as Prometheus reads them."""
        text, kind = metrics_of(self._context.observatory)
        return Response(text, media_type=kind)

    async def _others(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Let a plugin answer what is below its name."""
        name = scope["path"].split("/")[1]
        app = self._context.routes.get(name, nothing_here)
        await app({**scope, "root_path": f"/{name}"} if app is not nothing_here else scope, receive, send)


async def nothing_here(scope: Asgi, receive: Receive, send: Send) -> None:  # noqa: ASYNC124 -- as ASGI has it
    """Answer what there is not.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(HTTPStatus.NOT_FOUND, f"there is nothing at {scope['path']!r:.200}; see /api/openapi.json")


def _said(well: bool) -> Response:
    words, status = ("ok", HTTPStatus.OK) if well else ("not ok", HTTPStatus.SERVICE_UNAVAILABLE)
    return Response(f"{words}\n", status, media_type="text/plain")
