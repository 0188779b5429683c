"""What is below `/api`: where it is, and who does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from observatory import Context, Exposed, Identity, Module, Operation, Service
from observatory_http.server.answers import answer
from observatory_http.server.endpoints import Endpoint, object_of
from observatory_http.server.events import Events
from observatory_http.server.library import Library
from observatory_http.server.openapi import document


class Api:
    """The routes of one service.

    Args:
        context: what the service was handed.
        events: takes hook events.
    """

    def __init__(self, context: Context, events: Events) -> None:
        self._modules, self._services = Exposed("module", context.module), Exposed("service", context.service)
        self._context = context
        self._endpoints = _endpoints(Library(context))
        self.routes: Sequence[Route] = [
            Route("/api/openapi.json", self._describe, methods=["GET"]),
            Route("/api/events", events.take, methods=["POST"]),
            Route("/api/modules/{part}/{method}", partial(_call, self._modules), methods=["POST"]),
            Route("/api/services/{part}/{method}", partial(_call, self._services), methods=["POST"]),
            *[endpoint.route() for endpoint in self._endpoints],
        ]
        """What it answers."""

    async def _describe(self, request: Request) -> Response:
        """Return the document that describes all this."""
        exposed = {
            **_exposed("/api/modules", self._modules, self._context.modules),
            **_exposed("/api/services", self._services, self._context.services),
        }
        return answer(document(self._endpoints, exposed))


def _exposed(path: str, exposed: Exposed, parts: Mapping[str, Module] | Mapping[str, Service]) -> dict[str, Operation]:
    """Return what parts expose, by path."""
    return {
        f"{path}/{name}/{method}": exposed.operation(name, method)
        for name, part in parts.items()
        for method in part.exposes
    }


async def _call(exposed: Exposed, request: Request) -> Response:
    """Call what a module or a service exposes."""
    identity: Identity = request.state.identity
    part, method = request.path_params["part"], request.path_params["method"]
    return answer(await exposed.call(part, method, await object_of(request), identity=identity))


def _endpoints(library: Library) -> Sequence[Endpoint]:
    return [
        Endpoint("GET", "/api/mailboxes", library.mailboxes, "mailboxes.figures"),
        Endpoint("GET", "/api/mailboxes/{agent}", library.mailbox, "mailbox.figures"),
        Endpoint("DELETE", "/api/mailboxes/{agent}", library.clear, "mailbox.clear"),
        Endpoint("GET", "/api/mailboxes/{agent}/messages", library.messages, "mailbox.messages"),
        Endpoint("POST", "/api/mailboxes/{agent}/messages", library.send, "mailbox.send"),
        Endpoint("POST", "/api/mailboxes/{agent}/acknowledge", library.acknowledge, "mailbox.acknowledge"),
        Endpoint("GET", "/api/notes", library.list_notes, "notes.list"),
        Endpoint("GET", "/api/notes/{key}", library.get_note, "notes.get"),
        Endpoint("PUT", "/api/notes/{key}", library.add_note, "notes.add"),
        Endpoint("DELETE", "/api/notes/{key}", library.delete_note, "notes.delete"),
        Endpoint("GET", "/api/health", library.health, "health"),
    ]
