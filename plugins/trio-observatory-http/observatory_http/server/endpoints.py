"""A typed function, offered at a path: what it takes stands in the path, and in the query or a JSON object."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response

from observatory import Identity, InvalidInputError, Operation
from observatory_http.server.answers import answer
from observatory_http.server.body import read_all
from observatory_http.server.json_data import read_json

MAX_DIGITS = 19
"""Of an integer in a query."""


class Endpoint:
    """One method of HTTP at one path.

    Args:
        method: such as `GET`.
        route: such as `/api/notes/{key}`; with `{key:path}` slashes may stand in it.
        function: what is called; with a parameter `identity` it is told who asks.
        name: what it is called in the document.
    """

    def __init__(self, method: str, route: str, function: Callable[..., Any], name: str) -> None:
        self.method = method
        self.route = route
        self.path = re.sub(r":\w+\}", "}", route)
        """As the document says it."""
        told = {"identity"}.intersection(inspect.signature(function).parameters)
        self.operation = Operation(function, name=name, leave_out=told)
        self.in_path: Sequence[str] = re.findall(r"\{(\w+)\}", self.path)
        """Parameters that stand in the path."""

    @property
    def in_query(self) -> bool:
        """Whether the others stand in the query; else they stand in the body."""
        return self.method in ("GET", "DELETE")

    async def answer(self, request: Request) -> Response:
        """Answer a request.

        Raises:
            ObservatoryError: what is asked for is not allowed; and what the function raises.
        """
        identity: Identity = request.state.identity
        given = self._of_query(request) if self.in_query else await object_of(request)
        for name in self.in_path:
            if name in given:
                raise InvalidInputError(f"params.{name}", "stands in the path already")
        told = {"identity": identity} if self.operation.left_out else {}
        return answer(await self.operation.call({**given, **request.path_params}, **told))

    def _of_query(self, request: Request) -> Mapping[str, Any]:
        kinds = {one.name: one.kind for one in self.operation.parameters}
        given: dict[str, Any] = {}
        for name, text in request.query_params.multi_items():
            if name in given and name in kinds:  # of what is no parameter more is said than that
                raise InvalidInputError(f"params.{name}", "stands in the query twice")
            given[name] = _value_of(text, kinds.get(name))
        return given


async def object_of(request: Request) -> Mapping[str, Any]:
    """Return the object that is the body of a request; an empty one where there is no body.

    Raises:
        InvalidInputError: it is something else.
    """
    body = await read_all(request.receive)
    data = read_json(body) if body else {}
    if not isinstance(data, dict):
        raise InvalidInputError("$", "expected an object with the parameters by name")
    return data


def _value_of(text: str, kind: Any) -> Any:
    """Return what a text in a query stands for; where it is nothing of that kind the text, which is then refused."""
    kinds = (kind, *get_args(kind))
    if bool in kinds and text in ("true", "false"):
        return text == "true"
    if int in kinds and re.fullmatch(r"-?[0-9]+", text, re.ASCII) and len(text) <= MAX_DIGITS:
        return int(text)
    return text
