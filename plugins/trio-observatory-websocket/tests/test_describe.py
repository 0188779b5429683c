"""`observatory.describe`: its schemas fit what methods take and give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest

from observatory.testing import FailingChannel, observatory_plugin


@pytest.fixture
async def client(open_house: Any) -> AsyncIterator[Any]:
    """Return an agent's client, with dead letters and everything else there is."""
    plugin = observatory_plugin("failing", channels={"failing": lambda context: FailingChannel(permanent=True)})
    async with open_house(plugins=(plugin,)) as house, house.client("agent-1") as client:
        yield client


async def _id(client: Any) -> str:
    id: str = (await client.call("mailbox.send", to="agent-1", content="hello", metadata={"a": [1]}))["message"]["id"]
    return id


_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("mailbox.send", {"to": "agent-1", "content": "x", "type": "t", "metadata": {}, "idempotency_key": "k"}),
    ("mailbox.send", {"to": "agent-1", "content": "x", "from": "agent-1", "expires_in": 60, "require": []}),
    ("mailbox.broadcast", {"names": ["agent-1", "../x"], "content": "x"}),
    ("mailbox.receive", {}),
    ("mailbox.receive", {"agent": "agent-1", "after": None}),
    ("mailbox.messages", {"agent": "agent-1", "limit": 2, "unread_only": True}),
    ("mailbox.check", {"agent": "agent-1", "max_chars": 6}),
    ("mailbox.acknowledge", {"agent": "agent-1", "ids": ["ID"]}),
    ("mailbox.listen", {}),
    ("mailbox.unlisten", {"agent": "agent-1"}),
    ("mailbox.stats", {}),
    ("mailbox.stats", {"agent": "agent-1"}),
    ("deliveries.get", {"id": "ID"}),
    ("dead_letters.list", {}),
    ("notes.add", {"key": "k", "text": "t"}),
    ("notes.get", {"key": "k"}),
    ("notes.get", {"key": "other"}),
    ("notes.list", {}),
    ("notes.delete", {"key": "k"}),
    ("health.get", {}),
    ("statistics.get", {}),
    ("plugins.list", {}),
    ("topics.epoch", {}),
    ("topics.subscribe", {"topic": "build", "since": 0, "epoch": "e"}),
    ("topics.subscribe", {"topic": "agent:agent-1", "snapshot": True}),
    ("topics.unsubscribe", {"topic": "build"}),
    ("observatory.describe", {}),
    ("mailbox.clear", {"agent": "agent-1"}),
]
# Those are tested where they are, and below.
_ELSEWHERE = {"modules.call", "services.call", "dead_letters.redeliver", "mailbox.request"}


async def test_requests_and_results(client: Any, log: Any) -> None:
    """What is asked for, and what comes back, is as it is described; every method is called."""
    log.expect("failing cannot take back messages")
    methods = (await client.call("observatory.describe"))["methods"]
    assert {method for method, _ in _CALLS} | _ELSEWHERE == set(methods)
    id = await _id(client)
    await _id(client)
    for method, given in _CALLS:
        params = {name: [id] if value == ["ID"] else id if value == "ID" else value for name, value in given.items()}
        jsonschema.validate(params, methods[method]["params"])
        result = await client.call(method, **params)
        jsonschema.validate(result, methods[method]["result"], format_checker=jsonschema.FormatChecker())


async def test_schemas(client: Any) -> None:
    """Every schema is one, and says what it is about."""
    described = await client.call("observatory.describe")
    for schemas in described["methods"].values():
        for schema in schemas.values():
            jsonschema.Draft202012Validator.check_schema(schema)
    assert described["methods"]["mailbox.send"]["params"]["required"] == ["to", "content"]
    assert described["errors"]["RateLimitError"] == -32003


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("mailbox.send", {"to": "a"}),
        ("mailbox.send", {"to": "a", "content": "c", "contents": ""}),
        ("mailbox.send", {"to": 1, "content": "c"}),
        ("mailbox.broadcast", {"names": "ab", "content": ""}),
        ("mailbox.messages", {"agent": "a", "limit": "1"}),
        ("modules.call", {"module": "m", "method": "n", "params": 7}),
        ("services.call", {"service": "s", "module": "m", "method": "n"}),
        ("dead_letters.redeliver", {"ids": [1]}),
        ("mailbox.request", {"to": "a", "content": None}),
    ],
)
async def test_what_is_refused(client: Any, method: str, params: Any) -> None:
    """What the schema does not allow is refused."""
    schema = (await client.call("observatory.describe"))["methods"][method]["params"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(params, schema)
    assert (await client.answer(method, params))["error"]["code"] == -32602
