"""How much a client may send, how slowly, and how many there may be."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio

from observatory import Asgi, AsgiApp, Context
from observatory.testing import observatory_plugin


def reads(context: Context) -> AsgiApp:
    """Make a route that reads a body, and tells how long it is."""

    async def app(scope: Asgi, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        text = str(size).encode()
        length = (b"content-length", str(len(text)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": text})

    return app


def pours(context: Context) -> AsgiApp:
    """Make a route whose answer is very long."""

    async def app(scope: Asgi, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1_000):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
        await send({"type": "http.response.body"})

    return app


PLUGIN = observatory_plugin("mine", routes={"reads": reads, "pours": pours})


async def test_body(open_house: Any) -> None:
    """A body of as many bytes as are allowed is taken, and one of one more is not."""
    async with open_house(plugins=(PLUGIN,), max_body_bytes=100_000) as house, house.client() as client:
        headers = {"Content-Type": "application/json"}
        assert (await client.post("reads", content=bytes(100_000), headers=headers)).text == "100000"
        response = await client.post("reads", content=bytes(100_001), headers=headers)
        assert response.status_code == 413
        assert "has at most 100,000 bytes" in response.text


async def test_body_in_chunks(open_house: Any) -> None:
    """So it is where nobody has said how long it will be; the client hears it while it still sends."""
    async with open_house(plugins=(PLUGIN,), max_body_bytes=100_000) as house, house.raw() as raw:
        head = raw.request("POST /reads HTTP/1.1", Content_Type="application/json", Transfer_Encoding="chunked")
        chunk = b"c350\r\n" + bytes(50_000) + b"\r\n"
        status, headers, _ = await raw.ask(head + chunk * 8)
        assert (status, headers["connection"]) == (413, "close")


@pytest.mark.parametrize("sent", [b"", b"GET /readyz HT", b"GET /readyz HTTP/1.1\r\nHost: a\r\n"])
async def test_slow_head(open_house: Any, sent: bytes) -> None:
    """Who does not say what it wants is cut off."""
    async with open_house(request_seconds=0.1) as house, house.raw() as raw:
        await raw.stream.send_all(sent)
        assert await raw.everything() == b""


async def test_slow_body(open_house: Any) -> None:
    """Who does not say all of it is told so, however often it says a little."""
    async with open_house(plugins=(PLUGIN,), request_seconds=0.3) as house, house.raw() as raw:
        request = raw.request("POST /reads HTTP/1.1", b"x" * 1_000)
        await raw.stream.send_all(request[:-900])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_trickle, raw)
            status, _, text = await raw.answer()
            nursery.cancel_scope.cancel()
        assert (status, "was not there within 0.3 s" in text) == (408, True)


async def _trickle(raw: Any) -> None:
    while True:
        await raw.stream.send_all(b"x")
        await trio.sleep(0.02)


async def test_idle(open_house: Any) -> None:
    """A connection that asks for nothing more is closed."""
    async with open_house(request_seconds=0.1) as house, house.raw() as raw:
        await raw.ask(raw.request())
        assert await raw.everything() == b""


async def test_takes_nothing(open_house: Any) -> None:
    """Who does not take its answer is cut off, and holds nobody up."""
    async with open_house(plugins=(PLUGIN,), write_seconds=0.2) as house, house.raw() as raw:
        await raw.stream.send_all(raw.request("GET /pours HTTP/1.1"))
        await house.until(lambda: house.figures["connections"] == 1)
        await house.until(lambda: house.figures["connections"] == 0)


async def test_strangers_make_room(open_house: Any) -> None:
    """Where all places are taken, who came first and has not said who it is makes room."""
    async with open_house(max_connections=2) as house, house.raw() as known, house.raw() as stranger:
        assert (await known.ask(known.request("GET /metrics HTTP/1.1")))[0] == 200
        assert (await stranger.ask(stranger.request(Authorization=None)))[0] == 200
        async with house.raw() as other:
            assert (await other.ask(other.request()))[0] == 200
            assert await stranger.everything() == b""
            assert (await known.ask(known.request()))[0] == 200
        assert house.figures["turned_away"] == 1


async def test_full(open_house: Any) -> None:
    """Where all have said who they are, one more is told to come back; once one has gone it is let in."""
    async with open_house(max_connections=1) as house:
        async with house.raw() as known:
            assert (await known.ask(known.request("GET /metrics HTTP/1.1")))[0] == 200
            async with house.raw() as other:
                status, headers, _ = await other.answer()
                assert (status, headers["retry-after"], headers["x-frame-options"]) == (503, "1", "DENY")
        await house.until(lambda: house.figures["connections"] == 0)
        async with house.client() as client:
            assert (await client.get("metrics")).status_code == 200


async def test_one_agent_does_not_take_all(open_house: Any) -> None:
    """One agent has a quarter of the places at most; what it has open goes on, and others come in."""
    async with open_house(max_connections=8) as house, AsyncExitStack() as stack:
        ann = {"Authorization": f"Bearer {house.obs.security.token_for('ann')}"}
        first, second, third = [await stack.enter_async_context(house.raw()) for _ in range(3)]
        for raw in (first, second):
            assert (await raw.ask(raw.request("GET /metrics HTTP/1.1", **ann)))[0] == 200
        status, headers, text = await third.ask(third.request("GET /metrics HTTP/1.1", **ann))
        assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "1")
        assert "'ann' has 2 connections already" in text
        assert (await first.ask(first.request("GET /metrics HTTP/1.1", **ann)))[0] == 200
        async with house.client("bob") as client, house.client() as owner:
            assert (await client.get("metrics")).status_code == (await owner.get("metrics")).status_code == 200
        await second.stream.aclose()
        await house.until(lambda: house.figures["connections"] == 1)
        async with house.client("ann") as client:
            assert (await client.get("metrics")).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 5_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 5_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n" * 5_000,
    ],
    ids=lambda head: repr(head[:20]),
)
async def test_bad_heads(open_house: Any, head: bytes) -> None:
    """What is no request is refused, and the others go on."""
    async with open_house(request_seconds=0.5) as house, house.raw() as raw, house.client() as client:
        await raw.stream.send_all(head)
        answer = await raw.everything()
        assert answer == b"" or answer.split(b" ")[1][:1] == b"4", answer
        assert (await client.get("metrics")).status_code == 200
