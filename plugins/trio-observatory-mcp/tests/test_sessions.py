"""Sessions over HTTP: how they begin and end, who can use them, and how many there are."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest
import trio

OpenHouse: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

OLD, NEW = "2025-11-25", "2026-07-28"
HELLO = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
both = pytest.mark.parametrize("revision", [OLD, NEW])


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See that whatever clients do, no warning or error is logged."""
    yield
    assert [one.getMessage() for one in caplog.get_records("call") if one.levelno >= logging.WARNING] == []


async def next_event(lines: AsyncIterator[str]) -> Any:
    """Return the next message of a stream; None at its end."""
    async for line in lines:
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))
    return None


@both
async def test_identity_is_that_of_the_token(house: Any, revision: str) -> None:
    """Whoever has an agent's token is that agent, verified; nothing in a request makes it another one."""
    async with house.wire("abc", revision) as wire:
        sent = await wire.call("send_message", to="bob", content="go")
        refused = await wire.call("check_inbox", session_id="bob")
        forged = await wire.call("send_message", to="bob", content="go", **{"from": "eve"})
    [message] = house.obs.mailbox.get_messages("bob")
    assert (message.id, message.from_) == (sent["structuredContent"]["id"], "abc")
    assert "this connection is 'abc's" in refused["content"][0]["text"].replace("''", "'")
    assert "arguments.from: unknown parameter" in forged["content"][0]["text"]


@both
async def test_what_is_sent_is_verified(house: Any, revision: str) -> None:
    """Others are told that the sender is who it says."""
    async with house.obs.pubsub.subscribe("agent:bob") as told, house.wire("abc", revision) as wire:
        await wire.call("send_message", to="bob", content="go")
        assert (await anext(told)).verified


async def test_session_of_somebody_else(house: Any) -> None:
    """A session cannot be used, followed or ended by another agent, nor by the owner: to them there is none."""
    async with house.wire("abc") as abc, house.wire("eve") as eve:
        stolen = {"Mcp-Session-Id": abc.session}
        call = abc.body("tools/call", name="check_inbox", arguments={})
        for answer in (
            await eve.http.post(house.url, json=call, headers=stolen),
            await eve.http.get(house.url, headers=stolen),
            await eve.http.delete(house.url, headers=stolen),
        ):
            assert answer.status_code == 404
            assert "there is no such session" in answer.json()["error"]["message"]
        async with house.http(None) as owner:
            assert (await owner.post(house.url, json=call, headers=stolen)).status_code == 403
        assert (await abc.call("check_inbox"))["structuredContent"]["unread"] == 0


@both
async def test_two_agents_do_not_meet(house: Any, revision: str) -> None:
    """What one agent was shown is still new to another one, and each gets its own mail only."""
    for name in ("abc", "bob"):
        await house.obs.mailbox.send_message(name, "ann", f"to {name}")
    async with house.wire("abc", revision) as abc, house.wire("bob", revision) as bob:
        for wire, name in ((abc, "abc"), (bob, "bob")):
            [message] = (await wire.call("check_inbox"))["structuredContent"]["messages"]
            assert f"to {name}" in message["content"]


async def test_the_owner_is_nobody(house: Any) -> None:
    """With the service's own token one is told to take an agent's."""
    async with house.http(None) as http:
        answer = await http.post(house.url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert answer.status_code == 403
    assert "observatory token NAME" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Accept": "text/html"}, 406),
    ],
)
async def test_the_gate(house: Any, headers: dict[str, str], status: int) -> None:
    """What the door asks of every request it asks here, too."""
    async with house.http("abc", **headers) as http:
        hello = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
        answer = await http.post(house.url, content=hello, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == status


async def test_below(house: Any) -> None:
    """Below `/mcp` there is nothing."""
    async with house.http() as http:
        assert (await http.post(f"{house.url}/x", json={})).status_code == 404
        assert (await http.get(f"{house.url}/")).status_code == 400


async def test_deleted(house: Any) -> None:
    """A session that its client ends is gone at once, and so is what it followed."""
    async with house.wire() as wire:
        await wire.ask("resources/subscribe", uri="observatory://notes")
        await house.until(lambda: house.figures["sessions"] == 1)
        headers = {"Mcp-Session-Id": wire.session}
        assert (await wire.http.delete(house.url, headers=headers)).status_code == 200
        assert (await wire.post("tools/list")).status_code == 404
        await house.until(lambda: house.figures["sessions"] == 0)
        followed = {one.topic for one in house.obs.pubsub.statistics().subscriptions}
        assert not followed & {"notes:update", "skills:update"}


async def test_a_new_session_is_shown_everything(house: Any) -> None:
    """What was shown in a session that is over is shown again in the next one."""
    await house.obs.mailbox.send_message("abc", "bob", "go")
    for _ in range(2):
        async with house.wire() as wire:
            assert len((await wire.call("check_inbox"))["structuredContent"]["messages"]) == 1
            assert (await wire.call("check_inbox"))["structuredContent"]["messages"] == []


@both
async def test_nobody_waits_any_more(house: Any, revision: str) -> None:
    """When a client goes while it waits for a message, the wait ends, and the message is there for the next one."""
    async with house.wire("abc", revision) as wire:
        arguments = {"name": "wait_for_message", "arguments": {"max_seconds": 600}, "_meta": {"progressToken": 1}}
        async with wire.stream("tools/call", **arguments) as lines:
            assert (await next_event(lines))["method"] == "notifications/progress"
        await house.until(lambda: house.obs.service("http").statistics()["connections"] <= 1)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await house.obs.mailbox.send_message("abc", "bob", "later")
        [message] = (await wire.call("check_inbox"))["structuredContent"]["messages"]
        assert "later" in message["content"]


async def test_requests_that_open_nothing(house: Any) -> None:
    """A request without a session that is no handshake leaves none behind."""
    async with house.http() as http:
        for body in (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}', b'{"x": 1}', b"[]", b"[" * 100_000):
            answer = await http.post(house.url, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 400
        await house.until(lambda: house.figures["sessions"] == 0)


@pytest.mark.parametrize(("params", "accept", "status"), [({}, None, 400), (HELLO, "text/html", 406)])
async def test_handshakes_that_fail(house: Any, params: Any, accept: str | None, status: int) -> None:
    """A handshake that is refused leaves no session behind."""
    async with house.http("abc", **({"Accept": accept} if accept else {})) as http:
        answer = await http.post(house.url, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        assert answer.status_code == status
        await house.until(lambda: house.figures["sessions"] == 0)
    assert house.figures["opened"] == 1


@both
async def test_nobody_waits_for_what_is_not_begun(house: Any, revision: str) -> None:
    """Nor does a wait go on of which its client has heard nothing when it goes."""
    async with house.wire("abc", revision) as wire:
        with trio.move_on_after(0.3):
            await wire.post("tools/call", name="wait_for_message", arguments={"max_seconds": 600})
        await house.until(lambda: house.obs.service("http").statistics()["connections"] == 0)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await house.obs.mailbox.send_message("abc", "bob", "later")
        assert len((await wire.call("check_inbox"))["structuredContent"]["messages"]) == 1


@both
async def test_the_client_has_gone(house: Any, revision: str) -> None:
    """Nor does a message count as shown to a client that has gone before anybody came to answer it."""
    await house.obs.mailbox.send_message("abc", "bob", "go")
    async with house.wire("abc", revision) as wire:
        http, body = wire.http, wire.body("tools/call", name="check_inbox", arguments={})
        headers = wire.headers("tools/call", "check_inbox")
        request = http.build_request("POST", house.url, json=body, headers=headers)
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        with socket.create_connection((request.url.host, request.url.port)) as gone:  # and closed in the same turn
            gone.sendall("\r\n".join([f"POST {request.url.path} HTTP/1.1", *lines, "", ""]).encode() + request.content)
        await house.until(
            lambda: sum(one["requests"] for one in house.figures["clients"]) == (3 if wire.session else 1)
        )
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert house.obs.traces.get_surfaced("abc").ids == ()
        assert len((await wire.call("check_inbox"))["structuredContent"]["messages"]) == 1


@both
async def test_the_door_closes(house: Any, revision: str) -> None:
    """When whoever carries requests here stops, their work ends as well, and the session goes on."""
    async with house.wire("abc", revision) as wire:
        call = wire.body("tools/call", name="wait_for_message", arguments={"max_seconds": 600})
        headers = {**wire.headers("tools/call", "wait_for_message"), "Accept": "application/json, text/event-stream"}
        async with trio.open_nursery() as door:
            door.start_soon(house.answer, "abc", call, headers)
            await trio.testing.wait_all_tasks_blocked(0.05)
            door.cancel_scope.cancel()
        await house.obs.mailbox.send_message("abc", "bob", "later")
        assert len((await wire.call("check_inbox"))["structuredContent"]["messages"]) == 1


async def test_sessions_of_one_agent(open_house: OpenHouse) -> None:
    """Of an agent's many sessions the one that was used longest ago makes room at once; others' are not touched."""
    async with open_house(max_sessions=17) as house, house.wire("eve") as eve, house.http("abc") as http:
        wires = [await house.hello(http) for _ in range(16)]
        await wires[0].ask("tools/list")
        await house.hello(http)
        assert (await wires[1].post("tools/list")).status_code == 404
        assert (await wires[0].post("tools/list")).status_code == 200
        assert (await eve.post("tools/list")).status_code == 200


async def test_sessions_that_are_in_use(house: Any) -> None:
    """Where all of an agent's sessions are in use, one more is refused."""
    async with house.http("abc") as http, trio.open_nursery() as nursery:
        for _ in range(16):
            wire = await house.hello(http)
            nursery.start_soon(_follow, wire)
        await house.until(lambda: house.obs.service("http").statistics()["connections"] >= 16)
        await trio.testing.wait_all_tasks_blocked(0.05)
        answer = await http.post(house.url, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "all 16 sessions of 'abc' are in use" in answer.json()["error"]["message"]
        nursery.cancel_scope.cancel()


async def _follow(wire: Any) -> None:
    async with wire.http.stream("GET", wire.url, headers={"Mcp-Session-Id": wire.session}) as answer:
        async for _ in answer.aiter_lines():
            pass


async def test_all_sessions(open_house: OpenHouse) -> None:
    """Beyond `max_sessions` one more is refused, whoever asks; when one ends there is room again."""
    async with (
        open_house(max_sessions=2) as house,
        house.wire("abc") as abc,
        house.wire("bob"),
        house.http("eve") as http,
    ):
        answer = await http.post(house.url, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}})
        assert answer.status_code == 503
        await abc.http.delete(house.url, headers={"Mcp-Session-Id": abc.session})
        await house.until(lambda: house.figures["sessions"] == 1)
        await house.hello(http)


@both
async def test_idle(open_house: OpenHouse, revision: str) -> None:
    """A session in which nothing is asked for long ends; by 2026-07-28 nobody sees that."""
    async with open_house(session_seconds=0.05) as house, house.wire("abc", revision) as wire:
        if revision == NEW:
            assert (await wire.post("tools/list")).status_code == 200
        await house.until(lambda: house.figures["sessions"] == 0)
        assert (await wire.post("tools/list")).status_code == (404 if revision == OLD else 200)


async def test_a_stream_is_not_idle(open_house: OpenHouse) -> None:
    """A session that is followed is not idle, and hears what it has subscribed to."""
    async with open_house(session_seconds=0.2) as house, house.wire() as wire:
        await wire.ask("resources/subscribe", uri="observatory://notes")
        async with wire.http.stream("GET", house.url, headers={"Mcp-Session-Id": wire.session}) as answer:
            await trio.sleep(0.4)
            await house.obs.notes.add_note("plan", "first")
            told = await next_event(answer.aiter_lines())
            assert told["params"]["uri"] == "observatory://notes"


@both
async def test_the_service_stops(open_house: OpenHouse, revision: str) -> None:
    """When the service stops, streams end at once, as they should, and calls that wait are answered."""
    arguments = {"name": "wait_for_message", "arguments": {"max_seconds": 600}, "_meta": {"progressToken": 1}}
    async with (
        open_house() as house,
        house.wire("abc", revision) as wire,
        wire.stream("tools/call", **arguments) as lines,
        trio.open_nursery() as nursery,
    ):
        assert (await next_event(lines))["method"] == "notifications/progress"
        nursery.start_soon(house.obs.stop)
        with trio.fail_after(0.9):  # the door would wait for a second
            assert await next_event(lines) is None
