"""The OpenAPI document: made of the types of what is called, nothing of it is written twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from observatory import ObservatoryError, Operation, schema_of
from observatory_http.server.answers import STATUSES
from observatory_http.server.endpoints import MAX_DIGITS, Endpoint

_DEFINED, _SHARED = "#/$defs/", "#/components/schemas/"

_SAID = {
    HTTPStatus.UNAUTHORIZED: ["WWW-Authenticate"],
    HTTPStatus.METHOD_NOT_ALLOWED: ["Allow"],
    HTTPStatus.TOO_MANY_REQUESTS: ["Retry-After"],
}
"""Headers of the answer to what is refused."""

_NAME = {"pattern": r"^[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,127}$"}

_FACETS: Mapping[str, Mapping[str, Any]] = {
    "agent": _NAME,
    "from": {"anyOf": [{"type": "string", **_NAME}, {"type": "null"}]},
    "ids": {"maxItems": 1_000},
    "key": {"minLength": 1, "maxLength": 256},
    "limit": {"minimum": 0, "maximum": 10**MAX_DIGITS - 1},
    "type": {"minLength": 1, "maxLength": 128},
}
"""What can be said of parameters of the library beyond their types."""

_EVENT = {
    "type": "object",
    "properties": {
        "session_id": {"type": "string", "pattern": r"^(?!.*:\*$)[!-~]{1,200}$"},
        "hook_event_name": {"type": "string", "pattern": "^[!-~]{1,100}$"},
    },
    "required": ["session_id", "hook_event_name"],
}


def document(endpoints: Sequence[Endpoint], operations: Mapping[str, Operation]) -> dict[str, Any]:
    """Return the document.

    Args:
        endpoints: what is at a path of its own.
        operations: what modules and services expose, by path.
    """
    writer = _Writer()
    for endpoint in endpoints:
        writer.add(endpoint.method, endpoint.path, endpoint.operation, endpoint.in_path, _FACETS, endpoint.in_query)
    for path, operation in operations.items():
        writer.add("POST", path, operation, (), {}, in_query=False)
    writer.add_events()
    return writer.document()


class _Writer:
    def __init__(self) -> None:
        self._paths: dict[str, dict[str, Any]] = {}
        self._schemas: dict[str, Any] = {}
        error = self._shared(schema_of(ObservatoryError))
        self._refusals = {f"Refused{status:d}": _refusal(status, error) for status in STATUSES}
        self._failed = {f"{status:d}": {"$ref": f"#/components/responses/Refused{status:d}"} for status in STATUSES}

    def add(
        self,
        method: str,
        path: str,
        operation: Operation,
        in_path: Sequence[str],
        facets: Mapping[str, Mapping[str, Any]],
        in_query: bool,
    ) -> None:
        """Add an operation at a path."""
        schema = operation.schema()
        params, result = self._shared(schema["params"]), self._shared(schema["result"])
        params["properties"] = {name: {**one, **facets.get(name, {})} for name, one in params["properties"].items()}
        required = params["required"]
        places = dict.fromkeys(in_path, "path")
        if in_query:
            places |= {name: "query" for name in params["properties"] if name not in in_path}
        entry: dict[str, Any] = {
            "operationId": operation.name,
            "summary": operation.summary,
            "parameters": [
                {"name": name, "in": place, "required": name in required, "schema": params["properties"][name]}
                for name, place in places.items()
            ],
            "responses": {"200": _content("What it returns.", result), **self._failed},
        }
        if not in_query:
            body = {
                **params,
                "properties": {name: one for name, one in params["properties"].items() if name not in in_path},
                "required": [name for name in required if name not in in_path],
            }
            entry["requestBody"] = {"required": True, **_json(body)}
        self._paths.setdefault(path, {})[method.lower()] = entry

    def add_events(self) -> None:
        """Add what takes hook events, which may hold anything."""
        self._paths["/api/events"] = {
            "post": {
                "operationId": "events.take",
                "summary": "Take an event of a coding agent's hooks.",
                "parameters": [
                    {"name": "agent", "in": "query", "required": False, "schema": {"type": "string", **_NAME}}
                ],
                "requestBody": {"required": True, **_json(_EVENT)},
                "responses": {
                    "200": _content("Unread mail, for the agent's context.", {"type": "object"}),
                    "204": {"description": "It was taken."},
                    **self._failed,
                },
            }
        }

    def document(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "openapi": "3.1.0",
            "info": {"title": "Observatory", "version": version("trio-observatory-http")},
            "paths": self._paths,
            "components": {
                "schemas": self._schemas,
                "responses": self._refusals,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"token": []}],
        }

    def _shared(self, schema: dict[str, Any]) -> Any:
        """Return a schema whose definitions stand with those of all others."""
        for name, one in schema.get("$defs", {}).items():
            self._schemas[name] = _moved(one)
        return _moved({key: value for key, value in schema.items() if key != "$defs"})


def _moved(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_moved(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.replace(_DEFINED, _SHARED, 1) if key == "$ref" and isinstance(value, str) else _moved(value)
        for key, value in schema.items()
    }


def _refusal(status: HTTPStatus, error: Any) -> dict[str, Any]:
    headers = {name: {"required": True, "schema": {"type": "string"}} for name in _SAID.get(status, ())}
    return {**_content(f"{status.phrase}: says what is wrong, and where.", error), "headers": headers}


def _json(schema: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _content(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, **_json(schema)}
