"""Nobody acts, or speaks, as somebody else: what a request says of who asks counts only as far as its token does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from trio.testing import wait_all_tasks_blocked

_NAMES = ("agent", "from", "holder", "identity", "owner", "sender", "session", "session_id", "to")
"""Parameters that name somebody."""

_ABOUT_OTHERS = {
    "mailbox.figures",
    "mailbox.messages",  # every token reads everything: the mail of others as well, as over the websocket
    "mailbox.send agent",  # the recipient
    "events.take session_id",  # the program's, whose is said by the token
    "Presence.list_leases",
    "SwarmMonitor.reassign_task",  # gives a task to whoever is named
}
"""Operations that name somebody whom they are about, and not who asks."""

_FILLED: dict[str, Any] = {
    "content": "hello",
    "ids": ["0123456789abcdef"],
    "id": "0123456789abcdef",
    "key": "k",
    "name": "bob",
    "resource": "r",
    "text": "x",
}


async def _operations(client: Any) -> list[tuple[str, str, str, str, dict[str, Any]]]:
    """Return name, method, path, the parameter that names somebody, and the others, of each operation that has one."""
    found = []
    document = (await client.get("api/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method, entry in methods.items():
            places = {one["name"]: one["in"] for one in entry["parameters"]}
            content = entry.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            for name in {*places, *content.get("properties", ())}.intersection(_NAMES):
                required = {one: _value(one, content) for one in content.get("required", ()) if one != name}
                found.append((entry["operationId"], method.upper(), path, name, required))
    return sorted(found, key=str)


def _value(name: str, schema: dict[str, Any]) -> Any:
    """Return something that is allowed for a parameter."""
    return _FILLED.get(name) or schema["properties"][name].get("enum", ["x"])[0]


async def test_as_somebody_else(house: Any) -> None:
    """Whatever operation has a parameter for who asks refuses an agent that names another one; nothing has happened."""
    refused = set()
    async with house.client("ann") as client:
        for operation, method, path, name, others in await _operations(client):
            url = re.sub(r"\{\w+\}", "bob", path).lstrip("/")
            where = {} if f"{{{name}}}" in path else {name: "bob"}
            if method in ("GET", "DELETE") or operation == "events.take":
                sent = {"params": where, "json": {"session_id": "s", "hook_event_name": "Stop"}}
                response = await client.request(method, url, **(sent if method == "POST" else {"params": where}))
            else:
                response = await client.request(method, url, json=others | where)
            if operation in _ABOUT_OTHERS or (operation, name) in {
                ("mailbox.send", "agent"),
                ("events.take", "session_id"),
            }:
                continue
            assert response.status_code == 403, (operation, name, response.text)
            refused.add(operation)
    assert {"mailbox.send", "mailbox.acknowledge", "mailbox.clear", "events.take", "SwarmMonitor.claim_task"} <= refused
    assert house.obs.mailbox.unread_count("bob") == 1, "only what ann has sent as herself"
    assert house.obs.mailbox.get_messages("bob")[0].from_ == "ann"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("api/mailboxes/bob/messages", {"content": "x", "identity": {"name": "bob"}}),
        ("api/mailboxes/bob/messages", {"content": "x", "from_": "carol"}),
        ("api/mailboxes/bob/messages", {"content": "x", "verified": True}),
        ("api/mailboxes/bob/messages", {"content": "x", "to": "carol"}),
        ("api/mailboxes/bob/messages", {"content": "x", "id": "0123456789abcdef"}),
        ("api/mailboxes/bob/messages", {"content": "x", "timestamp": "2026-01-01T00:00:00Z"}),
        ("api/modules/SwarmMonitor/add_project", {"path": "/p", "identity": None}),
        ("api/services/skills/reload", {"identity": {"name": None}}),
    ],
    ids=str,
)
async def test_what_nobody_can_give(open_house: Any, path: str, body: dict[str, Any]) -> None:
    """Who asks, and what the service itself says of a message, is no parameter, whoever gives one."""
    async with open_house(also=("skills",)) as house:
        for agent in ("ann", None):
            async with house.client(agent) as client:
                response = await client.post(path, json=body)
                assert (response.status_code, "unknown parameter" in response.text) == (400, True)
        assert house.obs.mailbox.unread_count("bob") == 0


async def test_verified(house: Any) -> None:
    """Only what an agent has sent with its own token is certain to come from it."""
    async with house.obs.pubsub.subscribe("agent:bob") as events:
        for agent in ("ann", None):
            async with house.client(agent) as client:
                await client.post("api/mailboxes/bob/messages", json={"content": "x", "from": "ann"})
        assert [(await anext(events)).verified for _ in range(2)] == [True, False]


async def test_events_of_somebody_else(house: Any) -> None:
    """An agent that tells of another one's session is heard as itself: it ends nobody's presence, and reads no mail."""
    await house.obs.mailbox.send_message("bob", "carol", "for bob only")
    async with house.client() as owner, house.client("ann") as client:
        await owner.post("api/events?agent=bob", json={"session_id": "s-bob", "hook_event_name": "PreToolUse"})
        for session in ("bob", "s-bob"):
            for name in ("SessionEnd", "UserPromptSubmit"):
                event = {"session_id": session, "hook_event_name": name, "agent": "bob", "from": "bob"}
                response = await client.post("api/events", json=event)
                assert "for bob only" not in response.text
        await wait_all_tasks_blocked()
    assert {one.name: one.status for one in house.obs.presence.list_agents()}["bob"] == "active"
    assert not [hop for trace in house.obs.traces.get_traces() for hop in trace.hops if hop.name == "surfaced"]


@pytest.mark.parametrize("agent", ["", "../bob", "bob\x00", "bob\r\nX: y", "b" * 129, ".bob"], ids=repr)
async def test_names_that_are_none(house: Any, agent: str) -> None:
    """What is no name is refused wherever one can be given."""
    async with house.client() as client:
        sent = await client.post("api/mailboxes/bob/messages", json={"content": "x", "from": agent})
        told = await client.post(
            "api/events", params={"agent": agent}, json={"session_id": "s", "hook_event_name": "Stop"}
        )
    assert (sent.status_code, told.status_code) == (400, 400)
