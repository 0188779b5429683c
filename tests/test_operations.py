"""Operations: typed functions, called with what a JSON parser returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from jsonschema import Draft202012Validator

from observatory import (
    InvalidInputError,
    Observatory,
    ObservatoryError,
    Operation,
    to_wire,
)

if TYPE_CHECKING:
    from decimal import Decimal

ValuesOf: TypeAlias = Callable[[Any], st.SearchStrategy[Any]]
Functions: TypeAlias = Callable[[Observatory], Iterable[Callable[..., Any]]]


@attrs.frozen
class Size:
    """What a picture measures."""

    width: int
    height: int = 1


def draw(
    text: str,
    from_: str = "nobody",
    *colours: str,
    size: Size | None = None,
    mode: Literal["fast", "nice"] = "fast",
    options: Mapping[str, Any] | None = None,
    scale: float = 1.0,
    tags: Iterable[str] = (),
) -> list[Any]:
    """Draw a picture.

    And so on.
    """
    return [text, from_, colours, size, mode, options, scale, tags]


async def wait(seconds: int, *, then: Callable[[], None] | None = None) -> int:
    """Wait for a while."""
    await trio.lowlevel.checkpoint()
    return seconds if then is None else 0


def call(function: Callable[..., Any], params: Any = None) -> Any:
    """Call a function as clients do."""
    return trio.run(Operation(function, name="draw").call, params)


class TestCall:
    """Parameters are decoded, and the function is called."""

    @pytest.mark.parametrize(
        ("params", "changes"),
        [
            ({"text": "a"}, {}),
            (["a"], {}),
            ({"text": "a", "from": "b"}, {1: "b"}),
            (["a", "b"], {1: "b"}),
            (["a", "b", ["red"]], {1: "b", 2: ("red",)}),
            ({"text": "a", "colours": ["red", "blue"]}, {2: ("red", "blue")}),
            ({"text": "a", "size": {"width": 2}}, {3: Size(2)}),
            ({"text": "a", "mode": "nice"}, {4: "nice"}),
            ({"text": "a", "options": {"x": [1]}}, {5: {"x": [1]}}),
            ({"text": "a", "options": None}, {}),
            ({"text": "a", "scale": 2}, {6: 2.0}),
            ({"text": "a", "tags": ["t"]}, {7: ("t",)}),
        ],
    )
    def test_decoded(self, params: Any, changes: dict[int, Any]) -> None:
        """What is given by name or by position gets there, and the rest are the function's defaults."""
        expected = dict(enumerate(["a", "nobody", (), None, "fast", None, 1.0, ()]))
        assert call(draw, params) == list((expected | changes).values())

    @pytest.mark.parametrize(
        ("params", "fault"),
        [
            (None, "params.text: required, but missing"),
            ([], "params.text: required, but missing"),
            ({"from": "b"}, "params.text: required, but missing"),
            ("text", "params: expected a table or a list, got a string"),
            (["a", "b", [], None], "params: expected a list of at most 3 values, got 4; give the others by name"),
            ({"text": 5}, "params.text: expected a string, got an integer"),
            ({"text": "a", "from": None}, "params.from: expected a string, got null"),
            ({"text": "a", "from_": "b"}, "params.from_: unknown parameter; did you mean 'from'?"),
            ({"txet": "a"}, "params.txet: unknown parameter; did you mean 'text'?"),
            ({"text": "a", 5: 1}, "params.5: unknown parameter; known: colours, from, "),
            ({"x" * 1_000_000: 1}, f"params.{'x' * 80}: unknown parameter; known: "),
            ({"text": "a", "colours": "red"}, "params.colours: expected a list, got a string"),
            (["a", "b", [1]], "params.colours[0]: expected a string, got an integer"),
            ({"text": "a", "size": {}}, "params.size.width: required, but missing"),
            ({"text": "a", "size": {"width": "7"}}, "params.size.width: expected an integer, got a string"),
            ({"text": "a", "mode": "ugly"}, "params.mode: expected one of 'fast', 'nice', got 'ugly'"),
            ({"text": "a", "options": []}, "params.options: expected a table, got a list"),
            ({"text": "a", "scale": True}, "params.scale: expected a number, got a boolean"),
        ],
    )
    def test_faults(self, params: Any, fault: str) -> None:
        """What is wrong is named with its path."""
        with pytest.raises(InvalidInputError) as caught:
            call(draw, params)
        assert str(caught.value).startswith(fault)

    @settings(deadline=None)
    @given(data=st.data())
    def test_anything(self, values_of: ValuesOf, data: st.DataObject) -> None:
        """Whatever JSON holds gives a result or an InvalidInputError; what gives a result is valid by the schema."""
        operation = Operation(draw, name="draw")
        given = {one.name: values_of(Any) | values_of(one.kind).map(to_wire) for one in operation.parameters}
        params = data.draw(values_of(Any) | st.fixed_dictionaries({"text": given.pop("text")}, optional=given))
        with suppress(InvalidInputError):
            trio.run(operation.call, params)
            assert not isinstance(params, dict) or Draft202012Validator(operation.schema()["params"]).is_valid(params)

    async def test_awaited(self) -> None:
        """An async function is awaited."""
        assert await Operation(wait, name="wait", leave_out=["then"]).call([5]) == 5

    async def test_cancelled(self) -> None:
        """A call is a checkpoint: where it is cancelled, a plain function has not been called."""
        called = []

        def note(text: str) -> None:
            """Note that it was called."""
            called.append(text)

        with trio.CancelScope() as scope:
            scope.cancel()
            await Operation(note, name="note").call(["a"])
        assert scope.cancelled_caught
        assert not called

    async def test_own_errors(self) -> None:
        """What the function raises comes out as it is."""

        def refuse() -> None:
            """Refuse."""
            raise ObservatoryError("no")

        with pytest.raises(ObservatoryError, match=r"^no$"):
            await Operation(refuse, name="refuse").call()


class TestMade:
    """What an operation tells of itself, and what none can be made of."""

    def test_names(self) -> None:
        """An operation has a name, a summary and parameters, as clients see them."""
        operation = Operation(draw, name="pictures.draw")
        assert (operation.name, operation.summary) == ("pictures.draw", "Draw a picture.")
        assert [(one.name, one.required) for one in operation.parameters] == [
            ("text", True),
            *((name, False) for name in ["from", "colours", "size", "mode", "options", "scale", "tags"]),
        ]

    def test_schema(self) -> None:
        """The schema has the parameters by name, and the result."""
        assert Operation(wait, name="wait", leave_out=["then"]).schema() == {
            "params": {
                "type": "object",
                "properties": {"seconds": {"type": "integer"}},
                "required": ["seconds"],
                "additionalProperties": False,
            },
            "result": {"type": "integer"},
        }

    def test_definitions(self) -> None:
        """Each of both stands by itself, with the classes that it refers to."""
        schema = Operation(draw, name="draw").schema()
        assert schema["params"]["properties"]["size"] == {"anyOf": [{"$ref": "#/$defs/Size"}, {"type": "null"}]}
        assert schema["params"]["properties"]["colours"] == {"type": "array", "items": {"type": "string"}}
        assert list(schema["params"]["$defs"]) == ["Size"]
        assert "$defs" not in schema["result"]

    def test_no_annotation(self) -> None:
        """What is not annotated is refused."""

        def take(value) -> None:  # type: ignore[no-untyped-def]
            """Take it."""

        def give(value: int):  # type: ignore[no-untyped-def]
            """Give it."""

        assert refused(take) == "f.value: has no annotation; say what kind of value it is"
        assert refused(give) == "f.return: has no annotation; say what kind of value it is"

    def test_unfit(self) -> None:
        """What JSON cannot hold is refused."""

        def take(value: list[bytes]) -> None:
            """Take bytes."""

        def give() -> Awaitable[int]:
            """Give what is to be awaited."""
            raise NotImplementedError

        assert refused(take).startswith("f.value: JSON cannot hold bytes; it can hold scalars, Literal, ")
        assert refused(give).startswith("f.return: JSON cannot hold collections.abc.Awaitable[int]; ")

    def test_any_name(self) -> None:
        """Parameters of any name are refused."""

        def take(**values: int) -> None:
            """Take whatever is named."""

        assert refused(take) == "f.values: parameters of any name cannot be offered; name them"

    def test_unresolved(self) -> None:
        """What is imported for type checkers only is refused, and so is what has no annotations of its own."""

        def take(value: Decimal) -> None:
            """Take what nobody knows."""

        assert refused(take).startswith("f: its annotations cannot be resolved: name 'Decimal' is not defined; ")
        assert refused(partial(draw, "a")).startswith("f: its annotations cannot be resolved: ")

    @pytest.mark.parametrize("left", ["text", "colours", "texts"])
    def test_left_out(self, left: str) -> None:
        """Only what is there and has a default, or is given by name, can be left out."""
        assert refused(draw, left) == f"leave_out: f has no parameter {left!r} with a default, or behind `*`"

    async def test_given_by_whoever_calls(self) -> None:
        """A parameter behind `*` that is left out comes from the caller, and is none of the clients'."""

        def greet(name: str, *, caller: str) -> str:
            """Greet."""
            return f"{caller} greets {name}"

        operation = Operation(greet, name="greet", leave_out=["caller"])
        assert await operation.call({"name": "ann"}, caller="bob") == "bob greets ann"
        assert list(operation.schema()["params"]["properties"]) == ["name"]
        with pytest.raises(InvalidInputError, match=r"^params\.caller: unknown parameter"):
            await operation.call({"name": "ann", "caller": "eve"}, caller="bob")

    async def test_not_offered(self) -> None:
        """What is left out is unknown to clients, and those behind it keep their places."""
        operation = Operation(draw, name="draw", leave_out=["from_"])
        assert (await operation.call(["a", ["red"]]))[:3] == ["a", "nobody", ("red",)]
        with pytest.raises(InvalidInputError, match=r"^params\.from: unknown parameter"):
            await operation.call({"text": "a", "from": "b"})


def refused(function: Callable[..., Any], *leave_out: str) -> str:
    """Return why no operation can be made."""
    with pytest.raises(InvalidInputError) as caught:
        Operation(function, name="f", leave_out=leave_out)
    return str(caught.value)
