"""Functions that are offered to clients who speak JSON, in one manner at every door."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from types import GenericAlias
from typing import TYPE_CHECKING, Any

import attrs
import trio

from observatory.errors import InvalidInputError, UnknownNameError, did_you_mean
from observatory.kinds import kind_of, path_of, wire_name
from observatory.schemas import Definitions, resolved, summary_of, with_definitions
from observatory.wire import from_wire, to_wire

if TYPE_CHECKING:
    from observatory.security import Identity

_SHOWN = 80
"""Characters of a name that somebody has made up."""

_PARAMS = "params."


@attrs.frozen
class Parameter:
    """A parameter of an operation."""

    name: str
    """Its name on the wire, `from` for `from_`."""
    kind: Any
    """What it takes: its annotation, and for `*ids: str` a list of them, `tuple[str, ...]`."""
    default: Any
    """What the function gets where nothing is given; `attrs.NOTHING` when something must be."""
    source: inspect.Parameter
    """As the function declares it."""

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is attrs.NOTHING


class Operation:
    """A typed function that clients may call who speak JSON.

    Args:
        function: a plain or async function, or a method, with annotations that say what it takes and returns.
        name: what clients call it, such as `mailbox.send`.
        leave_out: parameters that are not offered: the function gets their defaults, or what whoever calls gives.

    Raises:
        InvalidInputError: something is not annotated, or of a kind that JSON cannot hold, or cannot be left out.
    """

    def __init__(self, function: Callable[..., Any], *, name: str, leave_out: Collection[str] = ()) -> None:
        self.name = name
        """What clients call it."""
        self.summary = summary_of(function)
        """The first line of the docstring."""
        self.left_out = frozenset(leave_out)
        """Parameters that clients cannot give."""
        self._function = function
        self._waits = inspect.iscoroutinefunction(function)
        hints = resolved(function, name)
        self._result = _annotation(hints, "return", name)
        sources = inspect.signature(function).parameters
        for left in leave_out:
            if left not in sources or not _may_be_left_out(sources[left]):
                raise InvalidInputError("leave_out", f"{name} has no parameter {left!r} with a default, or behind `*`")
        everything = [_parameter(source, hints, name) for source in sources.values()]
        self.parameters = tuple(one for one in everything if one.source.name not in leave_out)
        """What clients can give, in the order of the function."""
        self._required = [one.name for one in self.parameters if one.required]
        self._in_order = [one for one in everything if one.source.kind is not inspect.Parameter.KEYWORD_ONLY]
        self._offered = {parameter.name: parameter for parameter in self.parameters}
        self.schema()  # what JSON cannot hold is an error now, and not at a call

    async def call(self, params: Mapping[str, Any] | Sequence[Any] | None = None, **left_out: Any) -> Any:
        """Call the function.

        Args:
            params: as a JSON parser returns them: by name, or in a list those that Python takes by position.
            left_out: parameters that are left out, by name; else the function gets their defaults.

        Returns:
            What the function returns; `to_wire` makes of it what JSON can hold.

        Raises:
            InvalidInputError: a parameter is missing, unknown or of a wrong kind; it names the path. The function was
                not called.
            What the function raises.
        """
        positional, named = self._decode(self._by_name(params))
        if self._waits:
            return await self._function(*positional, **named, **left_out)
        await trio.lowlevel.checkpoint()
        return self._function(*positional, **named, **left_out)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the parameters by name, `params`, and of what comes back, `result`."""
        parameters, result = Definitions(), Definitions()
        params = {
            "type": "object",
            "properties": {one.name: parameters.schema(one.kind, f"{self.name}.{one.name}") for one in self.parameters},
            "required": [*self._required],
            "additionalProperties": False,
        }
        returned = result.schema(self._result, f"{self.name}.return")
        return {"params": with_definitions(params, parameters), "result": with_definitions(returned, result)}

    def _by_name(self, params: object) -> Mapping[str, Any]:
        if params is None:
            return {}
        if isinstance(params, list | tuple):
            names = [one.name for one in self.parameters if one.source.kind is not inspect.Parameter.KEYWORD_ONLY]
            if len(params) > len(names):
                raise InvalidInputError(
                    "params",
                    f"expected a list of at most {len(names)} values, got {len(params)}; give the others by name",
                )
            return dict(zip(names, params, strict=False))
        if not isinstance(params, Mapping):
            raise InvalidInputError("params", f"expected a table or a list, got {kind_of(params)}")
        for name in params:
            if name not in self._offered:
                shown = str(name)[:_SHOWN]
                known = did_you_mean(shown, self._offered)
                raise InvalidInputError(path_of([shown], "params"), f"unknown parameter; {known}")
        return params

    def _decode(self, params: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Make values of parameters: all that have a place, since those after `*` stand behind every one before it."""
        for name in self._required:
            if name not in params:
                raise InvalidInputError(f"params.{name}", "required, but missing")
        offered = self._offered
        values = {name: from_wire(value, offered[name].kind, path=f"params.{name}") for name, value in params.items()}
        positional: list[Any] = []
        for parameter in self._in_order:
            value = values.pop(parameter.name, parameter.default)
            if parameter.source.kind is inspect.Parameter.VAR_POSITIONAL:
                positional.extend(value)
            else:
                positional.append(value)
        named = {offered[name].source.name: value for name, value in values.items()}
        return positional, named


class Exposed:
    """What modules, or services, expose to clients: each method is made an operation when it is first asked for.

    One that has a parameter `identity` is told who asks, which no client can give.

    Args:
        kind: `module` or `service`.
        find: returns a part by its name, or raises `UnknownNameError`, as `Context.module` and `Context.service` do.
    """

    def __init__(self, kind: str, find: Callable[[str], Any]) -> None:
        self._kind = kind
        self._find = find
        self._operations: dict[tuple[str, str], Operation] = {}

    def operation(self, part: str, method: str) -> Operation:
        """Return a method that a part exposes.

        Raises:
            UnknownNameError: there is no such part, or it exposes no such method.
        """
        operation = self._operations.get((part, method))
        if operation is None:
            found = self._find(part[:_SHOWN])
            if method not in found.exposes:
                raise UnknownNameError(f"method of {part}", method[:_SHOWN], found.exposes)
            function = getattr(found, method)
            told = {"identity"}.intersection(inspect.signature(function).parameters)
            operation = self._operations[part, method] = Operation(function, name=f"{part}.{method}", leave_out=told)
        return operation

    async def call(
        self,
        part: str,
        method: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        identity: Identity | None = None,
    ) -> Any:
        """Call a method that a part exposes.

        Args:
            part: the name of the module or service.
            method: the name of its method.
            params: what `Operation.call` takes.
            identity: who asks; None for the program itself.

        Returns:
            What the method returns; `to_wire` makes of it what JSON can hold.

        Raises:
            UnknownNameError: there is no such part, or it exposes no such method; and what `Operation.call` raises.
        """
        operation = self.operation(part, method)
        told = {"identity": identity} if operation.left_out else {}
        return await operation.call(params, **told)

    async def ask(self, part: str, method: str, params: Mapping[str, Any], *, identity: Identity | None = None) -> Any:
        """Do the same for a client in this process, to whom parameters stand for themselves.

        Returns:
            What the method returns, as JSON says it.

        Raises:
            InvalidInputError: it returns what JSON cannot hold; and what `call` raises.
        """
        import orjson  # here, for whoever needs it

        await trio.lowlevel.checkpoint()
        part, method = from_wire(part, str, path=self._kind), from_wire(method, str, path="method")
        try:
            result = await self.call(part, method, params, identity=identity)
        except InvalidInputError as error:
            if error.field.startswith(_PARAMS):
                raise InvalidInputError(error.field.removeprefix(_PARAMS), error.reason) from error
            raise
        try:
            return orjson.loads(orjson.dumps(to_wire(result)))
        except TypeError as error:
            raise InvalidInputError("result", f"cannot be written as JSON: {error}") from error


def _parameter(source: inspect.Parameter, hints: Mapping[str, Any], operation: str) -> Parameter:
    kind = _annotation(hints, source.name, operation)
    default = attrs.NOTHING if source.default is inspect.Parameter.empty else source.default
    if source.kind is inspect.Parameter.VAR_KEYWORD:
        raise InvalidInputError(f"{operation}.{source.name}", "parameters of any name cannot be offered; name them")
    if source.kind is inspect.Parameter.VAR_POSITIONAL:
        kind, default = GenericAlias(tuple, (kind, ...)), ()
    return Parameter(wire_name(source.name), kind, default, source)


def _annotation(hints: Mapping[str, Any], name: str, operation: str) -> Any:
    if name not in hints:
        raise InvalidInputError(f"{operation}.{name}", "has no annotation; say what kind of value it is")
    return hints[name]


def _may_be_left_out(parameter: inspect.Parameter) -> bool:
    return parameter.default is not inspect.Parameter.empty or parameter.kind is inspect.Parameter.KEYWORD_ONLY
