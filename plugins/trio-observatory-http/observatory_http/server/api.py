"""What is below `/api`: where it is, and who does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from observatory import Context, Exposed, Identity, Module, Operation, Service
from observatory_http.server.answers import answer
from observatory_http.server.endpoints import Endpoint, object_of
from observatory_http.server.events import Events
from observatory_http.server.library import Library
from observatory_http.server.openapi import document
from observatory_http.server.resource import Answer, Resource


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
        self.routes: Sequence[Resource] = [
            Resource("/api/events", {"POST": events.take}),
            Resource("/api/openapi.json", {"GET": self._describe}),
            Resource("/api/modules/{part}/{method}", {"POST": partial(_call, self._modules)}),
            Resource("/api/services/{part}/{method}", {"POST": partial(_call, self._services)}),
            *_resources(self._endpoints),
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


def _resources(endpoints: Sequence[Endpoint]) -> list[Resource]:
    """Return what is at each path."""
    answers: dict[str, dict[str, Answer]] = {}
    for endpoint in endpoints:
        answers.setdefault(endpoint.route, {})[endpoint.method] = endpoint.answer
    return [Resource(route, methods) for route, methods in answers.items()]


def _endpoints(library: Library) -> Sequence[Endpoint]:
    return [
        Endpoint("GET", "/api/mailboxes", library.mailboxes, "mailboxes.figures"),
        Endpoint("GET", "/api/mailboxes/{agent}", library.mailbox, "mailbox.figures"),
        Endpoint("DELETE", "/api/mailboxes/{agent}", library.clear, "mailbox.clear"),
        Endpoint("GET", "/api/mailboxes/{agent}/messages", library.messages, "mailbox.messages"),
        Endpoint("POST", "/api/mailboxes/{agent}/messages", library.send, "mailbox.send"),
        Endpoint("POST", "/api/mailboxes/{agent}/acknowledge", library.acknowledge, "mailbox.acknowledge"),
        Endpoint("GET", "/api/notes", library.list_notes, "notes.list"),
        Endpoint("GET", "/api/notes/{key:path}", library.get_note, "notes.get"),
        Endpoint("PUT", "/api/notes/{key:path}", library.add_note, "notes.add"),
        Endpoint("DELETE", "/api/notes/{key:path}", library.delete_note, "notes.delete"),
        Endpoint("GET", "/api/health", library.health, "health"),
    ]
