"""A tool: a typed function, and what is told of it."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations

from observatory import InvalidInputError, ObservatoryError, Operation, to_wire
from observatory_mcp.desk import Call
from observatory_mcp.wrapping import tagless

_log = logging.getLogger("observatory.mcp")

_ARGUMENT = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_PARAMS = "params."


class AgentTool:
    """A tool.

    Args:
        function: an async function with annotations, which takes `call` behind `*`; its name, its docstring and the
            `Args` in that are what agents are told.
        reads: whether it changes nothing.
        again: whether calling it again with the same arguments changes nothing more.
        waits: whether it waits for others, and tells how long it does so.
    """

    def __init__(
        self,
        function: Callable[..., Awaitable[Any]],
        *,
        reads: bool = False,
        again: bool = False,
        waits: bool = False,
    ) -> None:
        self.name: str = function.__name__
        """What it is called."""
        self.waits = waits
        """Whether it waits for others."""
        self._operation = Operation(function, name=self.name, leave_out=("call",))
        text, _, arguments = (inspect.getdoc(function) or "").partition("\n\nArgs:\n")
        schema = self._operation.schema()
        described = {name: " ".join(words.split()) for name, words in _ARGUMENT.findall(arguments)}
        for parameter in self._operation.parameters:
            schema["params"]["properties"][parameter.name] |= {"description": described[parameter.source.name]}
        self.described = Tool(
            name=self.name,
            description=text,
            input_schema=schema["params"],
            output_schema=_as_object(schema["result"]),
            annotations=ToolAnnotations(
                read_only_hint=reads, destructive_hint=False, idempotent_hint=reads or again, open_world_hint=False
            ),
        )
        """What agents are told of it."""

    async def call(self, arguments: Mapping[str, Any] | None, call: Call) -> CallToolResult:
        """Call it; whatever is wrong is said in the result."""
        try:
            value = to_wire(await self._operation.call(arguments, call=call))
        except ObservatoryError as error:
            return _failure(f"{type(error).__name__}: {_words_of(error)}")
        except Exception:  # noqa: BLE001  # as at every edge: the next call may go well
            _log.exception("the tool %s has failed", self.name)
            return _failure("it has failed inside, and the log of `observatory mcp` says how; do not call it again so")
        text = orjson.dumps(value).decode()
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=value)


def _failure(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _words_of(error: ObservatoryError) -> str:
    text = str(error)
    if isinstance(error, InvalidInputError):
        text = f"arguments.{error.field.removeprefix(_PARAMS)}: {error.reason}"
    return tagless(text, lines=True)


def _as_object(schema: dict[str, Any]) -> dict[str, Any]:
    """Write the class that a schema refers to at its root, where clients look for an object."""
    definitions = dict(schema["$defs"])
    root: dict[str, Any] = definitions.pop(schema["$ref"].removeprefix("#/$defs/"))
    return root | ({"$defs": definitions} if definitions else {})
