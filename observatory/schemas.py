"""JSON Schema (2020-12) of kinds of values, as `wire` reads and writes them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import attrs

from observatory.errors import InvalidInputError, ObservatoryError
from observatory.kinds import is_list, is_literal, is_union, wire_name
from observatory.wire import ErrorObject

_SCALARS: tuple[tuple[Any, Mapping[str, Any]], ...] = (
    (Any, {}),
    (NoneType, {"type": "null"}),
    (bool, {"type": "boolean"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (str, {"type": "string"}),
    (Path, {"type": "string"}),
    (datetime, {"type": "string", "format": "date-time"}),
)


class Definitions:
    """Makes schemas, and keeps those of the classes in them, each once: `{"$ref": "#/$defs/Message"}`."""

    def __init__(self) -> None:
        self.schemas: dict[str, dict[str, Any]] = {}
        """What stands in `$defs`: the schema of each class, by its name."""
        self._names: dict[type[Any], str] = {}

    def schema(self, kind: Any, where: str) -> dict[str, Any]:
        """Return the schema of a kind, without `$defs`.

        Args:
            kind: a class or another annotation.
            where: what has this kind, for errors.

        Raises:
            InvalidInputError: JSON cannot hold it, or the annotations of a class cannot be resolved.
        """
        for scalar, schema in _SCALARS:
            if kind is scalar:
                return dict(schema)
        if is_literal(kind):
            return {"enum": list(get_args(kind))}
        if is_union(kind):
            return {"anyOf": [self.schema(one, where) for one in get_args(kind)]}
        if is_list(kind):
            return {"type": "array", "items": self.schema(get_args(kind)[0], where)}
        if get_origin(kind) in (dict, Mapping) and get_args(kind)[0] is str:
            return {"type": "object", "additionalProperties": self.schema(get_args(kind)[1], where)}
        return self._reference(ErrorObject if _is_error(kind) else kind, where)

    def _reference(self, kind: Any, where: str) -> dict[str, Any]:
        if not isinstance(kind, type) or not attrs.has(kind):
            allowed = "scalars, Literal, list[X], tuple[X, ...], Mapping[str, X], unions and attrs classes of these"
            raise InvalidInputError(where, f"JSON cannot hold {inspect.formatannotation(kind)}; it can hold {allowed}")
        if kind not in self._names:
            name = kind.__name__
            if name in self._names.values():  # of another module
                name = f"{kind.__module__}.{kind.__qualname__}"
            self._names[kind] = name  # known from now on: the class may hold others of its kind
            self.schemas[name] = self._class(kind)
        return {"$ref": f"#/$defs/{self._names[kind]}"}

    def _class(self, kind: type[Any]) -> dict[str, Any]:
        hints = resolved(kind, kind.__name__)
        fields = [field for field in attrs.fields(kind) if field.init]
        return {
            "type": "object",
            "description": summary_of(kind),
            "properties": {
                wire_name(field.name): self.schema(hints.get(field.name, Any), f"{kind.__name__}.{field.name}")
                for field in fields
            },
            "required": [wire_name(field.name) for field in fields if field.default is attrs.NOTHING],
        }


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a kind of values: what `from_wire` reads, and what `to_wire` makes of them.

    Args:
        kind: a class of values, such as `Message`, or another annotation, such as `list[Receipt] | None`.

    Raises:
        InvalidInputError: JSON cannot hold it, or the annotations of a class cannot be resolved.
    """
    definitions = Definitions()
    return with_definitions(definitions.schema(kind, "kind"), definitions)


def with_definitions(schema: dict[str, Any], definitions: Definitions) -> dict[str, Any]:
    """Return a schema together with the `$defs` that it refers to."""
    return schema | {"$defs": definitions.schemas} if definitions.schemas else schema


def resolved(annotated: Any, where: str) -> dict[str, Any]:
    """Return the annotations of a class or a function, those that are written as text resolved.

    Raises:
        InvalidInputError: one of them cannot be.
    """
    try:
        return get_type_hints(annotated)
    except (NameError, AttributeError, TypeError, ValueError, SyntaxError) as error:
        reason = f"its annotations cannot be resolved: {error}; import what they name outside of TYPE_CHECKING, too"
        raise InvalidInputError(where, reason) from error


def summary_of(documented: Any) -> str:
    """Return the first line of a docstring."""
    return (documented.__doc__ or "").strip().partition("\n")[0]


def _is_error(kind: Any) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, ObservatoryError)
