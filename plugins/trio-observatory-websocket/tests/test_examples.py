"""The examples of the specification of JSON-RPC 2.0, with methods that are there, over a connection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
import trio

from observatory import Module
from observatory.testing import observatory_plugin


class _Calculator(Module):
    """The methods of the specification's examples."""

    exposes: ClassVar = ("subtract", "update", "get_data", "sum")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait."""
        task_status.started()
        await trio.sleep_forever()

    def subtract(self, minuend: int, subtrahend: int) -> int:
        """Subtract."""
        return minuend - subtrahend

    def sum(self, first: int, second: int, third: int) -> int:
        """Add."""
        return first + second + third

    def update(self, values: list[int]) -> None:
        """Take values."""

    def get_data(self) -> list[Any]:
        """Give values."""
        return ["hello", 5]


_PLUGIN = observatory_plugin("calculator", modules={"Calculator": lambda context: _Calculator()})


def _call(method: str, params: Any, **more: Any) -> dict[str, Any]:
    """Return a request for a method of the examples, which a module exposes."""
    inner = {"module": "Calculator", "method": method, "params": params}
    return {"jsonrpc": "2.0", "method": "modules.call", "params": inner} | more


def _result(result: Any, id: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": result, "id": id}


def _error(code: int, id: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": code, "id": id}


@pytest.fixture
async def raw(open_house: Any) -> AsyncIterator[Any]:
    """Return a connection."""
    async with open_house(plugins=(_PLUGIN,)) as house, house.upgraded() as raw:
        yield raw


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (_call("subtract", [42, 23], id=1), _result(19, 1)),
        (_call("subtract", [23, 42], id=2), _result(-19, 2)),
        (_call("subtract", {"subtrahend": 23, "minuend": 42}, id=3), _result(19, 3)),
        (_call("subtract", {"minuend": 42, "subtrahend": 23}, id=4), _result(19, 4)),
        (_call("update", [[1, 2, 3, 4, 5]]), None),
        ({"jsonrpc": "2.0", "method": "foobar"}, None),
        ({"jsonrpc": "2.0", "method": "foobar", "id": "1"}, _error(-32601, "1")),
        ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', _error(-32700, None)),
        ({"jsonrpc": "2.0", "method": 1, "params": "bar"}, _error(-32600, None)),
        (
            '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]',
            _error(-32700, None),
        ),
        ([], _error(-32600, None)),
        ([1], [_error(-32600, None)]),
        ([1, 2, 3], [_error(-32600, None)] * 3),
        (
            [
                _call("sum", [1, 2, 4], id="1"),
                _call("update", [[7]]),
                _call("subtract", [42, 23], id="2"),
                {"foo": "boo"},
                {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
                _call("get_data", None, id="9"),
            ],
            [
                _result(7, "1"),
                _result(19, "2"),
                _error(-32600, None),
                _error(-32601, "5"),
                _result(["hello", 5], "9"),
            ],
        ),
        ([_call("sum", [1, 2, 4]), _call("update", [[7]])], None),
    ],
)
async def test_example(raw: Any, sent: Any, answer: Any) -> None:
    """Each is answered as the specification says, or not at all."""
    await raw.send(1, sent if isinstance(sent, str) else json.dumps(sent))
    await raw.send(1, json.dumps(_call("get_data", [], id="last")))
    got: list[Any] = []
    while not got or got[-1] != _result(["hello", 5], "last"):
        got.append(_code_only(await raw.message()))
    assert got[:-1] == ([] if answer is None else [answer])


def _code_only(answer: Any) -> Any:
    """Leave of an error its code."""
    if isinstance(answer, list):
        return [_code_only(one) for one in answer]
    return answer | {"error": answer["error"]["code"]} if "error" in answer else answer
