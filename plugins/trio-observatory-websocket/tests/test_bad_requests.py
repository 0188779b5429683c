"""Bad requests: each is answered with what is wrong and where, and the connection goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

_SEND = {"to": "a", "content": "c", "from": "b"}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
async def client(house: Any) -> AsyncIterator[Any]:
    """Return a client that can still ask for something at the end."""
    async with house.client() as client, house.client() as other:
        yield client
        assert (await client.call("health.get"))["healthy"]
        assert (await other.call("health.get"))["healthy"]


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("mailbox.send", {}, "params.to: required, but missing"),
        ("mailbox.send", [], "params.to: required, but missing"),
        ("mailbox.send", ["a", "c", "b", "d"], "params: expected a list of at most 3 values, got 4"),
        ("mailbox.send", _SEND | {"to": 7}, "params.to: expected a string, got an integer"),
        ("mailbox.send", _SEND | {"to": "../x"}, "to: '../x' is no name"),
        ("mailbox.send", _SEND | {"content": ["x"]}, "params.content: expected a string, got a list"),
        ("mailbox.send", _SEND | {"metadata": [1]}, "params.metadata: expected a table, got a list"),
        ("mailbox.send", _SEND | {"metadata": {"x": [{"y": 2**63}]}}, "metadata.x[0].y: is an integer beyond 64 bits"),
        ("mailbox.send", _SEND | {"metadata": {"x": -(2**70)}}, "metadata.x: is an integer beyond 64 bits"),
        ("mailbox.send", _SEND | {"require": ["inbox", 7]}, "params.require[1]: expected a string, got an integer"),
        ("mailbox.send", _SEND | {"expires_in": "soon"}, "params.expires_in: expected a number, got a string"),
        ("mailbox.send", _SEND | {"expires_in": -1}, "expires_in: expected seconds above 0"),
        ("mailbox.send", _SEND | {"contents": "x"}, "params.contents: unknown parameter; did you mean 'content'?"),
        ("mailbox.send", _SEND | {"verified": True}, "params.verified: unknown parameter"),
        ("mailbox.send", _SEND | {"caller": {}}, "params.caller: unknown parameter"),
        ("mailbox.broadcast", {"names": "ab", "content": "", "from": "b"}, "params.names: expected a list"),
        ("mailbox.messages", {"agent": "a", "limit": True}, "params.limit: expected an integer, got a boolean"),
        ("mailbox.messages", {"agent": "a", "limit": -1}, "limit: expected an integer of at least 0, got -1"),
        ("mailbox.messages", {"agent": "a", "limit": -(10**15)}, "limit: expected an integer of at least 0"),
        ("mailbox.messages", {"agent": "a", "limit": 1e30}, "params.limit: expected an integer, got a number"),
        ("mailbox.check", {"agent": "a", "max_chars": -1}, "params.max_chars: expected an integer of at least 0"),
        ("mailbox.acknowledge", {"agent": "a", "ids": [None]}, "params.ids[0]: expected a string, got null"),
        ("topics.subscribe", {"topic": ""}, "topic: '' is not allowed"),
        ("topics.subscribe", {"topic": "x", "since": -1, "epoch": "e"}, "since: -1 is not allowed"),
        ("topics.subscribe", {"topic": "x", "since": 1}, "params.epoch: required with since"),
        ("topics.subscribe", {"topic": "x", "snapshot": True}, "params.snapshot: 'x' has none; agent:NAME"),
        (
            "topics.subscribe",
            {"topic": "agent:a", "snapshot": True, "since": 1, "epoch": "e"},
            "params.snapshot: there is none",
        ),
        ("modules.call", {"module": "m", "method": "n", "params": 7}, "params.params: "),
    ],
)
async def test_wrong_parameters(client: Any, method: str, params: Any, words: str) -> None:
    """A parameter that is wrong is named by its path, with what is expected."""
    error = (await client.answer(method, params))["error"]
    assert error["code"] == -32602
    assert error["message"].startswith(words)
    assert error["data"]["error"] == "InvalidInputError"
    assert error["data"]["message"] == error["message"]
    assert "\n" not in error["message"]


async def test_deep_metadata(client: Any) -> None:
    """Metadata that are nested too deep are refused, however they are read."""
    for depth in (100, 900):
        deep = '{"a":' * depth + "1" + "}" * depth
        text = json.dumps(_SEND)[:-1] + f', "metadata": {deep}}}'
        await client.say(f'{{"jsonrpc": "2.0", "id": 1, "method": "mailbox.send", "params": {text}}}')
        assert (await client.message())["error"]["message"].startswith(("metadata: is nested", "params.metadata"))


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("mailbox.sent", "did you mean 'mailbox.send'?"),
        ("topics.subscribed", "did you mean 'topics.subscribe'?"),
        ("rpc.discover; drop", "known: dead_letters.list, "),
        ("", "known: "),
        ("__init__", "known: "),
    ],
)
async def test_unknown_method(client: Any, method: str, hint: str) -> None:
    """Instead of a method that there is not, the nearest one is named, or all."""
    error = await client.refusal(method)
    assert error["code"] == -32601
    assert error["message"].startswith(f"there is no method {method!r}; {hint}")
    assert error["data"]["fields"]["kind"] == "method"


async def test_long_names(client: Any) -> None:
    """A name of almost 1 MiB is answered with a short error."""
    long = "mailbox.send" * 80_000
    for method, params in ((long, {}), ("modules.call", {"module": long, "method": "x"})):
        error = (await client.answer(method, params))["error"]
        assert error["data"]["error"] == "UnknownNameError"
        assert len(json.dumps(error)) < 3_000


async def test_other_frames(client: Any) -> None:
    """A binary message is answered with what is wrong with it."""
    await client.say(b'{"jsonrpc": "2.0", "id": 1, "method": "health.get"}')
    answer = await client.message()
    assert (answer["id"], answer["error"]["message"]) == (None, "expected text, got a binary message")


async def test_large_batch(client: Any) -> None:
    """Of a batch that is too large nothing is begun."""
    await client.say([{"jsonrpc": "2.0", "method": "mailbox.send", "params": _SEND}] * 1_001)
    assert (await client.message())["error"]["code"] == -32600
    assert (await client.call("mailbox.stats"))["mailboxes"] == {}


_METHODS = st.sampled_from(
    [
        "mailbox.send",
        "mailbox.messages",
        "mailbox.check",
        "mailbox.stats",
        "notes.add",
        "topics.subscribe",
        "health.get",
    ]
)
_PARAMS = st.dictionaries(st.sampled_from(["to", "content", "from", "agent", "limit", "key", "topic", "since"]), _JSON)
_REQUESTS = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": _METHODS},
    optional={"id": st.integers(0, 99) | st.text(max_size=3) | _JSON, "params": _PARAMS | _JSON},
)


@given(st.lists(_REQUESTS | st.lists(_REQUESTS, max_size=3) | _JSON, max_size=10))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_anything(open_house: Any, messages: list[Any]) -> None:
    """Whatever is asked, there is one answer for each request, none for what wants none, and never a fault."""
    async with open_house() as house, house.client() as client:
        for message in messages:
            await client.say(json.dumps(message))
            expected = _expected(message)
            if expected:
                answers = await _answers(client)
                assert len(answers) == expected
                assert all(one.get("error", {}).get("code") != -32603 for one in answers)
        assert (await client.call("health.get"))["healthy"]


async def _answers(client: Any) -> list[Any]:
    """Return the next message's answers; events may come before them."""
    answer = await client.message()
    while isinstance(answer, dict) and "method" in answer:
        answer = await client.message()
    return answer if isinstance(answer, list) else [answer]


def _expected(message: Any) -> int:
    """Return how many answers a message has."""
    if isinstance(message, list) and message:
        return sum(_expected(one) if isinstance(one, dict) else 1 for one in message)
    valid = (
        isinstance(message, dict)
        and message.get("jsonrpc") == "2.0"
        and isinstance(message.get("method"), str)
        and isinstance(message.get("params", {}), dict | list)
    )
    return 0 if valid and "id" not in message else 1
