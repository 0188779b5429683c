"""Hook events: every kind is taken and kept, and what is none is refused and counted."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import trio

from observatory import SecuritySettings


@pytest.mark.parametrize(
    ("caller", "query", "agent", "verified"),
    [(None, "", None, False), (None, "?agent=ann", "ann", False), ("ann", "", "ann", True)],
)
async def test_agent(house: Any, caller: str | None, query: str, agent: str | None, verified: bool) -> None:
    """Whose program it is says the token, or its owner; with an agent's own it is certain."""
    async with house.obs.pubsub.subscribe("events:stream") as events, house.client(caller) as client:
        await client.post(f"api/events{query}", json={"session_id": "s-1", "hook_event_name": "Stop"})
        event = await anext(events)
    assert (event.payload.agent, event.verified) == (agent, verified)


@pytest.mark.parametrize(("caller", "agent", "status"), [("ann", "bob", 403), (None, "a/b", 400), (None, "", 400)])
async def test_not_that_agent(house: Any, refused: Any, caller: str | None, agent: str, status: int) -> None:
    """An agent's token speaks for itself only, and nobody for what is no name."""
    async with house.client(caller) as client:
        event = {"session_id": "s-1", "hook_event_name": "Stop"}
        refused(await client.post("api/events", params={"agent": agent}, json=event), status)
    assert house.figures["events"]["refused"] == 1


@pytest.mark.parametrize("query", ["agent=ann&agent=ann", "agnet=ann", "agent=ann&token=x", "x%0Ay=1"])
async def test_other_parameters(house: Any, refused: Any, query: str) -> None:
    """What could be meant for the agent, and is not, is refused rather than ignored."""
    async with house.client() as client:
        event = {"session_id": "s-1", "hook_event_name": "Stop"}
        text = refused(await client.post(f"api/events?{query}", json=event), 400)
    assert "params: expected nothing but one agent, got " in text
    assert "\n" not in text


GOOD = b'"session_id": "s", "hook_event_name": "Stop"'


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (b"", "this is not JSON"),
        (b"{", "this is not JSON: column 2"),
        (b"session_id=s", "this is not JSON"),
        (b"\xff\xfe", "this is not JSON"),
        (b'{%b, "x": "\xff"}' % GOOD, "this is not JSON"),
        (b'{%b, "x": "\\ud800\xff"}' % GOOD, "this is not UTF-8"),
        (b'{%b, "x": "\\ud800", "y": NaN}' % GOOD, "NaN is no number"),
        (b'{%b, "x": "\\ud800", "y": }' % GOOD, "this is not JSON"),
        (b'{%b, "x": NaN}' % GOOD, "this is not JSON"),
        (b'{%b, "x": 1e999}' % GOOD, "this is not JSON"),
        (b'{%b, "x": 18446744073709551616}' % GOOD, "is an integer beyond 64 bits; write it as a string"),
        (b'{%b, "x": %b}' % (GOOD, b"9" * 1_000_000), "number is infinity"),
        (b'{%b, "x": %b}' % (GOOD, b"[" * 2_000_000), "this is not JSON"),
        (b'{%b, "x": %b}' % (GOOD, b"[" * 500 + b"]" * 500), "nests too deep"),
        (b'{%b, "y": "\\ud800", "x": %b}' % (GOOD, b"[" * 5_000 + b"]" * 5_000), "nests too deep"),
        (b'{%b, "x": %b}' % (GOOD, b'{"a":' * 101 + b"1" + b"}" * 101), "nests too deep"),
        (b"[]", "expected an object"),
        (b"null", "expected an object"),
        (b'"Stop"', "expected an object"),
        (b"{}", "$.session_id"),
        (b'{"session_id": "s"}', "$.hook_event_name"),
        (b'{"hook_event_name": "Stop"}', "$.session_id"),
        (b'{"session_id": 5, "hook_event_name": "Stop"}', "expected 1 to 200 visible characters of ASCII"),
        (b'{"session_id": "", "hook_event_name": "Stop"}', "expected 1 to 200 visible characters of ASCII"),
        (b'{"session_id": "s:*", "hook_event_name": "Stop"}', "expected 1 to 200 visible characters of ASCII"),
        (b'{"session_id": "a\\nb", "hook_event_name": "Stop"}', "expected 1 to 200 visible characters of ASCII"),
        (b'{"session_id": "%b", "hook_event_name": "Stop"}' % (b"s" * 201), "expected 1 to 200 visible characters"),
        (b'{"session_id": "s", "hook_event_name": {}}', "expected 1 to 100 visible characters of ASCII"),
        (b'{"session_id": "s", "hook_event_name": "\\u001b[2J"}', "expected 1 to 100 visible characters of ASCII"),
    ],
    ids=lambda value: repr(value[:40]),
)
async def test_no_event(house: Any, refused: Any, body: bytes, finding: str) -> None:
    """What is no event is refused with what is wrong, and counted; nobody hears of it."""
    async with house.client() as client:
        headers = {"Content-Type": "application/json"}
        text = refused(await client.post("api/events", content=body, headers=headers), 400)
    assert finding in text
    assert len(text) < 500
    assert house.figures["events"] == {"accepted": 0, "refused": 1, "redacted": 0, "offered": 0}
    assert house.obs.pubsub.newest("events:stream") == 0


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'{%b, "x": 18446744073709551615}' % GOOD, 2**64 - 1),
        (b'{%b, "x": -9223372036854775808}' % GOOD, -(2**63)),
        (b'{%b, "x": "%b"}' % (GOOD, b"9" * 40), "9" * 40),
        (b'{%b, "x": "cut off \\ud83d"}' % GOOD, "cut off \ufffd"),
        (b'{%b, "x": {"\\udc00": ["\\ud83e\\uddf9"]}}' % GOOD, {"\ufffd": ["\U0001f9f9"]}),
        (b'{%b, "x": 1.5e300}' % GOOD, 1.5e300),
        (b'{%b, "x": %b}' % (GOOD, b"[" * 99 + b"]" * 99), json.loads("[" * 99 + "]" * 99)),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_odd_events(house: Any, body: bytes, data: Any) -> None:
    """What is odd, but can be kept, is kept; half a character becomes U+FFFD."""
    async with house.obs.pubsub.subscribe("events:stream") as events, house.client() as client:
        response = await client.post("api/events", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 204, response.text
        assert (await anext(events)).payload.data["x"] == data


async def test_large(open_house: Any) -> None:
    """An event of 4 MiB is taken, and one of more is not."""
    async with open_house(redact=["secret"]) as house, house.client() as client:
        event = {"session_id": "s", "hook_event_name": "PostToolUse", "tool_response": "x" * (4 * 1024 * 1024 - 100)}
        assert (await client.post("api/events", json=event)).status_code == 204
        event["tool_response"] += "x" * 200
        assert (await client.post("api/events", json=event)).status_code == 413
        assert house.figures["events"]["accepted"] == 1
        assert house.figures["refused"] == {"413": 1}


@pytest.mark.parametrize(
    "value", ["[],", "{},", '{"a":1},', "[1],", "1.5,", '"ab",', "[[[1]]],", '{"a":{"b":"c"}},'], ids=str
)
async def test_counted_for_what_it_takes(house: Any, value: str) -> None:
    """The bound on what is replayed counts the memory that an event takes, and not its letters: no bomb gets by."""
    body = f'{{"session_id": "s", "hook_event_name": "Stop", "x": [{value * 10_000}0]}}'
    async with house.obs.pubsub.subscribe("events:stream") as events, house.client() as client:
        await client.post("api/events", content=body, headers={"Content-Type": "application/json"})
        data = (await anext(events)).payload.data
    assert house.obs.pubsub.statistics().replay_bytes / 2 >= _bytes_of(data) * 0.9


def _bytes_of(value: Any) -> int:
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return sys.getsizeof(value) + sum(_bytes_of(one) for one in inner)


async def test_redacted(open_house: Any) -> None:
    """What the settings name does not come out, wherever in an event it stands; the rest is kept."""
    event = {
        "session_id": "sk-session",
        "hook_event_name": "PreToolUse",
        "tool_input": {"command": "curl -H 'x: sk-0123456789'", "env": ["A=sk-abcdefghij", 5, {"sk-keykeykey": None}]},
    }
    async with (
        open_house(redact=[r"sk-\w{8,}", "curl"]) as house,
        house.obs.pubsub.subscribe("events:stream") as events,
        house.client() as client,
    ):
        await client.post("api/events", json=event)
        await client.post("api/events", json={"session_id": "s", "hook_event_name": "Stop"})
        data = (await anext(events)).payload.data
        assert data["session_id"] == "sk-session"
        assert data["tool_input"] == {
            "command": "[redacted] -H 'x: [redacted]'",
            "env": ["A=[redacted]", 5, {"[redacted]": None}],
        }
        assert house.figures["events"]["redacted"] == 1


async def test_flood(open_house: Any) -> None:
    """Who sends too many is told when to go on; what was refused is counted."""
    tables: Mapping[str, Any] = {"security": SecuritySettings(requests_per_second=1, burst=5)}
    async with open_house(tables=tables) as house, house.client("ann") as client:
        event = {"session_id": "s", "hook_event_name": "Stop"}
        answers = [await client.post("api/events", json=event) for _ in range(20)]
        assert [one.status_code for one in answers[:6]] == [204] * 5 + [429]
        assert answers[-1].headers["retry-after"] == "1"
        figures = house.figures
        assert figures["events"]["accepted"] + figures["refused"]["429"] == 20


async def test_cut_off(house: Any) -> None:
    """An event whose sender has gone before all of it was there is none."""
    async with house.raw() as raw:
        body = json.dumps({"session_id": "s", "hook_event_name": "Stop"}).encode()
        await raw.stream.send_all(raw.request("POST /api/events HTTP/1.1", body)[:-5])
    await house.until(lambda: house.figures["accepted"] == 1 and house.figures["connections"] == 0)
    assert house.figures["events"]["accepted"] == 0


async def test_others_go_on_meanwhile(house: Any) -> None:
    """While large events are read, others are answered."""
    event = {"session_id": "s", "hook_event_name": "PostToolUse", "x": [{"a": "b" * 50}] * 40_000}
    async with house.client() as client, trio.open_nursery() as nursery:

        async def send_large() -> None:
            assert (await client.post("api/events", json=event)).status_code == 204

        for _ in range(3):
            nursery.start_soon(send_large)
        for _ in range(10):
            assert (await client.get("readyz")).status_code == 200
