"""JSON Schema: of every kind that JSON can hold, and what it allows is what goes over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
import pytest
from hypothesis import given, settings, strategies as st
from jsonschema import Draft202012Validator

from observatory import (
    ClosedError,
    InvalidInputError,
    Message,
    ObservatoryError,
    PluginInfo,
    Receipt,
    Statistics,
    messages,
    schema_of,
    to_wire,
)

if TYPE_CHECKING:
    from decimal import Decimal

ValuesOf: TypeAlias = Callable[[Any], st.SearchStrategy[Any]]


@attrs.frozen
class Tree:
    """A class that holds others of its kind.

    And has more to say.
    """

    from_: str
    branches: tuple[Tree, ...] = ()
    depth: int = attrs.field(default=0, init=False)


@attrs.frozen
class Plain:  # noqa: D101 -- what has no docstring is described, too
    value: int


@attrs.frozen
class Unresolved:
    """A class with an annotation that is there for type checkers only."""

    price: Decimal


@attrs.frozen
class Unfit:
    """A class with what JSON cannot hold."""

    data: list[bytes]


def valid(kind: Any, data: Any) -> bool:
    """Tell whether data are valid by the schema of a kind, which is itself a valid one."""
    schema = schema_of(kind)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema).is_valid(data)


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (Any, {}),
        (NoneType, {"type": "null"}),
        (bool, {"type": "boolean"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (str, {"type": "string"}),
        (Path, {"type": "string"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (tuple[str, ...], {"type": "array", "items": {"type": "string"}}),
        (frozenset[str], {"type": "array", "items": {"type": "string"}}),
        (Iterable[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": {}}),
    ],
)
def test_kinds(kind: Any, schema: dict[str, Any]) -> None:
    """Each kind has its schema."""
    assert schema_of(kind) == schema


def test_class() -> None:
    """A class is written once, with its fields as they are called on the wire, and refers to itself."""
    assert schema_of(list[Tree]) == {
        "type": "array",
        "items": {"$ref": "#/$defs/Tree"},
        "$defs": {
            "Tree": {
                "type": "object",
                "description": "A class that holds others of its kind.",
                "properties": {
                    "from": {"type": "string"},
                    "branches": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
                },
                "required": ["from"],
            }
        },
    }


def test_without_docstring() -> None:
    """A class without a docstring has no description to give."""
    assert schema_of(Plain)["$defs"]["Plain"]["description"] == ""


def test_without_annotation() -> None:
    """A field without an annotation may be whatever JSON can hold, as it is when it is read."""
    assert schema_of(attrs.make_class("Bare", ["value"]))["$defs"]["Bare"]["properties"] == {"value": {}}


def test_same_name() -> None:
    """Two classes of one name are both written, also when one holds the other."""
    other = attrs.make_class("Plain", {"value": attrs.field(type=Plain)})
    schema = schema_of(other)
    assert schema["$ref"] == "#/$defs/Plain"
    assert schema["$defs"]["Plain"]["properties"] == {"value": {"$ref": f"#/$defs/{__name__}.Plain"}}
    assert valid(other, {"value": {"value": 1}})
    assert not valid(other, {"value": 1})


def test_errors() -> None:
    """An error, of whatever class, is the object that it is on the wire."""
    kind = list[Receipt | ClosedError]
    assert valid(kind, to_wire([ClosedError("closing")]))
    assert schema_of(kind) == schema_of(list[Receipt | ObservatoryError])


@pytest.mark.parametrize("kind", [*filter(attrs.has, vars(messages).values()), Statistics, PluginInfo])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_valid(kind: type[Any], values_of: ValuesOf, data: st.DataObject) -> None:
    """What goes over the wire is valid by the schema of its class."""
    assert valid(kind, to_wire(data.draw(values_of(kind))))


@pytest.mark.parametrize(
    "change", [{"id": 5}, {"from": None}, {"read": "no"}, {"metadata": []}, {"timestamp": 5}, {"type": ["text"]}]
)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_invalid(change: dict[str, Any], values_of: ValuesOf, data: st.DataObject) -> None:
    """What could not be read is not valid."""
    message = to_wire(data.draw(values_of(Message)))
    assert not valid(Message, message | change)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (bytes, "kind: JSON cannot hold bytes; it can hold scalars, "),
        (list, "kind: JSON cannot hold list; it can hold scalars, "),
        (dict[int, str], "kind: JSON cannot hold dict[int, str]; "),
        (tuple[int, str], "kind: JSON cannot hold tuple[int, str]; "),
        (list[Callable[[], None]], "kind: JSON cannot hold collections.abc.Callable[[], None]; "),
        ([str], "kind: JSON cannot hold [<class 'str'>]; "),
        (Unfit | None, "Unfit.data: JSON cannot hold bytes; "),
        (Unresolved, "Unresolved: its annotations cannot be resolved: name 'Decimal' is not defined; import "),
    ],
)
def test_faults(kind: Any, reason: str) -> None:
    """What JSON cannot hold is refused, by the name of the field."""
    with pytest.raises(InvalidInputError) as caught:
        schema_of(kind)
    assert str(caught.value).startswith(reason)
