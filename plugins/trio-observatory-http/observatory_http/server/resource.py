"""What is at one path: an answer for each method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from observatory import Asgi
from observatory_http.server.answers import RefusedError
from observatory_http.server.connections import Receive, Send

Answer: TypeAlias = Callable[[Request], Awaitable[Response]]
"""Answers a request."""


class Resource(Route):
    """All that is at one path.

    Args:
        path: such as `/api/notes/{key}`.
        answers: by method; `GET` answers `HEAD` as well.
    """

    def __init__(self, path: str, answers: Mapping[str, Answer]) -> None:
        super().__init__(path, self._answer, methods=[*answers])
        self._answers = dict(answers)
        if "GET" in answers:
            self._answers["HEAD"] = answers["GET"]

    async def handle(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer a request for this path.

        Raises:
            RefusedError: not by this method; and what the answer raises.
        """
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        answer = self._answers.get(request.method)
        if answer is None:
            allowed = ", ".join(sorted(self._answers))
            reason = f"{request.method:.20} is no method of {request.url.path!r:.200}; it has {allowed}"
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, reason, Allow=allowed)
        return await answer(request)
