"""How answers come over HTTP by 2025-11-25: whole or as a stream, when clients wait long, go, or cancel."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing

from observatory.testing import cancel_at_every_checkpoint


async def test_whole(house: Any) -> None:
    """What nothing is told of before its end is answered by one JSON value."""
    asked = await house.ask(house.call("quick"))
    assert (asked.status, asked.kind) == (200, b"application/json")
    assert json.loads(asked.text)["result"]["content"][0]["text"] == "quick"
    assert dict(asked.parts[0]["headers"])[b"mcp-session-id"] == b"the-session"


async def test_stream(house: Any) -> None:
    """Where something is told before the end, that comes first, in order, and the answer last."""
    asked = await house.ask(house.call("tell", _meta={"progressToken": "t"}))
    assert asked.kind == b"text/event-stream"
    *told, last = asked.events
    assert [one["params"]["progress"] for one in told] == [1, 2]
    assert last["result"]["content"][0]["text"] == "tell"
    assert asked.complete


async def test_no_wish_for_progress(house: Any) -> None:
    """Without a token nothing is told, and the answer is whole."""
    assert (await house.ask(house.call("tell"))).kind == b"application/json"


async def test_long(house: Any, autojump_clock: trio.testing.MockClock) -> None:
    """An answer that takes long becomes a stream that says every 15 s that there is somebody."""
    asked = house.call("wait")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.ask, asked)
        await trio.sleep(14)
        assert asked.parts == []
        await trio.sleep(32)
        assert asked.events == [None, None, None]
        house.go_on.set()
    assert asked.events[-1]["result"]["content"][0]["text"] == "wait"


@pytest.mark.parametrize("after", [1, 20])
async def test_the_client_goes(house: Any, after: int, autojump_clock: trio.testing.MockClock) -> None:
    """What is asked for ends when the client goes, before and after its answer has become a stream."""
    asked = house.call("wait")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.ask, asked)
        await trio.sleep(after)
        before = len(asked.parts)
        asked.gone.set()
    assert house.ended == ["wait"]
    assert len(asked.parts) == before  # nobody would get it


async def test_the_client_has_gone(house: Any) -> None:
    """What a client asks for that goes at once is not begun, or ends as soon as it could wait."""
    waiting = house.call("wait")
    waiting.gone.set()
    await house.ask(waiting)
    assert house.ended in ([], ["wait"])


async def test_cancelled(house: Any) -> None:
    """A request that its client cancels ends, and is answered, as HTTP wants an answer."""
    asked = house.call("wait", id=7)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.ask, asked)
        await trio.testing.wait_all_tasks_blocked()
        params = {"requestId": 7}
        said = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        assert (await house.ask(house.request(message=said))).status == 202
    assert json.loads(asked.text)["error"]["code"] == -32800
    assert house.ended == ["wait"]


async def test_an_id_twice(house: Any) -> None:
    """While a request is not answered, another one with its id is refused; then it may have it."""
    first = house.call("wait", id="a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.ask, first)
        await trio.testing.wait_all_tasks_blocked()
        second = await house.ask(house.call("quick", id="a"))
        assert second.status == 400
        assert "'a' is not answered yet" in json.loads(second.text)["error"]["message"]
        house.go_on.set()
    assert json.loads(first.text)["result"]["content"][0]["text"] == "wait"
    assert (await house.ask(house.call("quick", id="a"))).status == 200


async def test_changes(house: Any, autojump_clock: trio.testing.MockClock) -> None:
    """What belongs to no request comes in the stream that a session may have one of, until its client goes."""
    follower = house.request("GET", accept="text/event-stream")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.ask, follower)
        await trio.testing.wait_all_tasks_blocked()
        await house.ask(house.call("change"))
        assert (await house.ask(house.request("GET"))).status == 409
        await trio.sleep(16)
        follower.gone.set()
    assert [event and event["method"] for event in follower.events] == ["notifications/resources/updated", None]
    again = house.request("GET")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.ask, again)
        await trio.testing.wait_all_tasks_blocked()
        assert again.status == 200
        again.gone.set()


async def test_changes_that_nobody_follows(house: Any) -> None:
    """They are told to nobody, and hold nothing up."""
    for id in range(100):
        assert (await house.ask(house.call("change", id=id))).status == 200


@pytest.mark.parametrize(
    ("method", "accept", "status"),
    [
        ("PUT", "application/json, text/event-stream", 405),
        ("POST", "application/json", 406),
        ("POST", "text/event-stream", 406),
        ("GET", "application/json", 406),
    ],
)
async def test_refused(house: Any, method: str, accept: str, status: int) -> None:
    """Other methods, and clients that do not understand what might come, are told what to do."""
    asked = await house.ask(house.request(method, accept=accept))
    assert asked.status == status
    assert json.loads(asked.text)["error"]["message"]


async def test_the_session_ends(new_house: Any) -> None:
    """With a session everything ends that is worked on in it."""
    waiting = new_house.call("wait")
    with trio.CancelScope() as scope:
        async with new_house.transport.serve(), trio.open_nursery() as nursery:
            await new_house.hello()
            nursery.start_soon(new_house.ask, waiting)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert new_house.ended == ["wait"]
    assert waiting.parts == []


async def test_cancelled_anywhere(house: Any) -> None:
    """Wherever an answer is broken off, its work ends, its id can be had again, and the session goes on."""
    ids = iter(range(10, 10_000))

    async def ask() -> None:
        asked = house.call("tell", id=next(ids), _meta={"progressToken": 1})
        try:
            await house.ask(asked)
        finally:
            asked.exchange.leave()

    async def check() -> None:
        await trio.testing.wait_all_tasks_blocked()
        assert (await house.ask(house.call("quick", id=1))).status == 200

    assert await cancel_at_every_checkpoint(ask, check) > 10
