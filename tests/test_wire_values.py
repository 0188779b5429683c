"""JSON shapes of values: of every kind there and back, and taken strictly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Literal, TypeAlias

import attrs
import orjson
import pytest
from hypothesis import given, settings, strategies as st

from observatory import (
    Draft,
    Event,
    InvalidInputError,
    Message,
    Note,
    ObservatoryError,
    PluginInfo,
    Statistics,
    from_wire,
    messages,
    to_wire,
)

ValuesOf: TypeAlias = Callable[[Any], st.SearchStrategy[Any]]

MOMENT = datetime(2026, 11, 21, 10, tzinfo=UTC)
NOTE = Note("key", "text", MOMENT)
CLASSES = [*filter(attrs.has, vars(messages).values()), Statistics, PluginInfo]


@attrs.frozen
class Tree:
    """A class that holds others of its kind, in every manner."""

    name: str
    branches: tuple[Tree, ...] = ()
    left: Tree | None = None
    right: Tree | int | None = None
    named: Mapping[str, Tree] = attrs.field(factory=dict)


class Looked(list[Any]):
    """A list that counts how many of its items are looked at."""

    looked = 0

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            self.looked += 1
            yield item


class LookedTable(dict[Any, Any]):
    """A table that does so."""

    looked = 0

    def items(self) -> Any:
        """Go through it."""
        for item in super().items():
            self.looked += 1
            yield item


def sent(value: Any) -> Any:
    """Return what is read by somebody to whom a value was sent as JSON."""
    return orjson.loads(orjson.dumps(to_wire(value)))


@pytest.mark.parametrize("kind", CLASSES)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_there_and_back(kind: type[Any], values_of: ValuesOf, data: st.DataObject) -> None:
    """A value comes back equal."""
    value = data.draw(values_of(kind))
    assert from_wire(sent(value), kind) == value


def test_recursive() -> None:
    """A class may hold others of its kind."""
    tree = Tree("a", (Tree("b"),), Tree("c"), Tree("d", right=5), {"e": Tree("f")})
    assert from_wire(sent(tree), Tree) == tree


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, None),
        (MappingProxyType({"a": (MOMENT,)}), {"a": ["2026-11-21T10:00:00+00:00"]}),
        (frozenset({1}), [1]),
        ([Path("a")], ["a"]),
        (
            Draft("a", "b", "text"),
            {"to": "a", "from": "b", "content": "text", "type": "text", "metadata": {}},
        ),
        (
            Event("notes:update", "e", 1, NOTE),
            {
                "topic": "notes:update",
                "epoch": "e",
                "sequence": 1,
                "payload": {"key": "key", "text": "text", "timestamp": "2026-11-21T10:00:00+00:00"},
                "origin": None,
                "position": 0,
                "verified": False,
            },
        ),
    ],
)
def test_out(value: Any, data: Any) -> None:
    """What a value holds goes out too, whatever that is."""
    assert sent(value) == data


@pytest.mark.parametrize(
    ("data", "kind", "value"),
    [
        (None, NoneType, None),
        (7, float, 7.0),
        (["a"], Iterable[str], ("a",)),
        (["a"], Collection[str], ("a",)),
        (["a"], Sequence[str], ("a",)),
        (["a", "a"], set[str], {"a"}),
        (None, Mapping[str, Any] | None, None),
        ("x", Literal["x", 1], "x"),
        (7, int | str | None, 7),
        ("7", int | str | None, "7"),
        (None, int | str | None, None),
        ({"any": [1]}, Any, {"any": [1]}),
    ],
)
def test_in(data: Any, kind: Any, value: Any) -> None:
    """Data are taken as the kind says."""
    taken = from_wire(data, kind)
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ("7", int, "$: expected an integer, got a string"),
        (True, int, "$: expected an integer, got a boolean"),
        (0, NoneType, "$: expected null, got an integer"),
        ("ab", Iterable[str], "$: expected a list, got a string"),
        (["a", 1], Iterable[str], "$[1]: expected a string, got an integer"),
        ({"a": [1]}, Mapping[str, list[str]], "$.a[0]: expected a string, got an integer"),
        ("y", Literal["x"], "$: expected one of 'x', got 'y'"),
        ("0001-01-01T00:00:00+05:00", datetime, "$: expected a time that has a year in UTC, got 0001-01-01"),
        ([{}], list[Message], "$[0].id: required, but missing"),
        ([{}], list[ObservatoryError], "$[0].error: required, but missing"),
        ([[]], set[Any], "$: unhashable type: 'list'"),
        ("", bytes | object, "$: of 2 kinds that are allowed none fits: "),
        (
            {"name": "a", "right": {"name": 5}},
            Tree,
            "$.right: of 3 kinds that are allowed none fits: expected a string, got an integer @ $.name; "
            "expected an integer, got a table; expected null, got a table",
        ),
    ],
)
def test_faults(data: Any, kind: Any, message: str) -> None:
    """What is of a wrong kind is named."""
    with pytest.raises(InvalidInputError) as caught:
        from_wire(data, kind)
    assert str(caught.value).startswith(message)


def test_path() -> None:
    """The path begins where the data stand."""
    with pytest.raises(InvalidInputError) as caught:
        from_wire({"name": "a", "branches": [{"name": 5}]}, Tree, path="params.tree")
    assert caught.value.field == "params.tree.branches[0].name"


@pytest.mark.parametrize("depth", [100, 300, 1_000])
@pytest.mark.parametrize("field", ["branches", "left", "right", "named"])
def test_deep(field: str, depth: int) -> None:
    """Data that are nested too deep are refused, as others are."""
    tree: Any = {"name": 5}
    for _ in range(depth):
        tree = {"name": "", field: {"branches": [tree], "named": {"a": tree}}.get(field, tree)}
    with pytest.raises(InvalidInputError, match=r"expected a string|none fits|is nested too deep"):
        from_wire(tree, Tree)


@pytest.mark.parametrize(
    ("data", "kind", "looked", "fault"),
    [
        (Looked(["a", "b", 3, 4, 5]), list[str], 3, "$[2]: expected a string, got an integer"),
        (Looked([[1], ["a"], 2]), Sequence[list[int]], 2, "$[1][0]: expected an integer, got a string"),
        (Looked([{"name": "a"}, {}, {}]), list[Tree], 2, "$[1].name: required, but missing"),
        (LookedTable({"a": 1, "b": "2", "c": "3"}), Mapping[str, int], 2, "$.b: expected an integer, got a string"),
        (LookedTable({"a": 1, 2: 2, 3: 3}), Mapping[str, int], 2, "$[2]: expected a string, got an integer"),
        (LookedTable({"a": {"name": 1}, "b": 2}), Mapping[str, Tree], 1, "$.a.name: expected a string, got an integer"),
    ],
)
def test_first_fault(data: Looked | LookedTable, kind: Any, looked: int, fault: str) -> None:
    """What follows the first wrong item is not looked at: a frame may hold half a million of them."""
    with pytest.raises(InvalidInputError) as caught:
        from_wire(data, kind)
    assert (str(caught.value), data.looked) == (fault, looked)
