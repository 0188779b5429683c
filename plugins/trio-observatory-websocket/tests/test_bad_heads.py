"""Bytes that are no request, requests that never end, and too many of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings, strategies as st


@pytest.fixture
async def house(open_house: Any) -> AsyncIterator[Any]:
    """Return an open door, with little patience, that goes on serving somebody else."""
    async with open_house(handshake_seconds=0.3) as house, house.client() as other:
        yield house
        assert (await other.call("health.get"))["healthy"]
        await house.until(lambda: house.service.statistics()["connections"] == 1)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\0" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,  # TLS
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_no_request(house: Any, data: bytes) -> None:
    """What is no request gets one line that says so."""
    async with house.raw() as raw:
        status, _, text = await raw.ask(data)
    assert status in (400, 403, 501, 505)
    assert text.count("\n") == 1
    assert "Traceback" not in text
    assert "bytearray" not in text


async def test_large_head(house: Any) -> None:
    """Of a head of 1 MiB only a little is read; who sends it has the answer all the same."""
    async with house.raw() as raw, trio.open_nursery() as nursery:
        nursery.start_soon(_send, raw, b"GET / HTTP/1.1\r\nX: " + b"x" * 1024 * 1024)
        status, _, _ = await raw.answer()
        assert status == 431
        nursery.cancel_scope.cancel()


async def test_never_ends(house: Any) -> None:
    """Who begins a request and does not end it in time is told so, also if something comes now and then."""
    async with house.raw() as raw, trio.open_nursery() as nursery:
        nursery.start_soon(_drip, raw)
        status, _, text = await raw.ask(b"GET / HTTP/1.1\r\n")
        assert (status, text) == (408, "there was no complete request within 0.3 s\n")
        nursery.cancel_scope.cancel()


async def test_gone_within_the_head(house: Any) -> None:
    """Who goes before the request was complete is let go, without a word."""
    async with house.raw() as raw:
        await raw.stream.send_all(b"GET / HTTP/1.1\r\n")
        await raw.stream.send_eof()
        assert await raw.everything() == b""


async def test_half_open(open_house: Any) -> None:
    """A hundred connections that say nothing keep nobody from connecting, and are ended in time."""
    async with open_house(handshake_seconds=1) as house:
        streams = [await trio.open_tcp_stream("127.0.0.1", house.port) for _ in range(100)]
        async with house.client() as client:
            assert (await client.call("health.get"))["healthy"]
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(_read_to_the_end, stream)
        await house.until(lambda: house.service.statistics()["refused"] == {"408": 100})


@given(st.binary(max_size=200))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_bytes(open_house: Any, data: bytes) -> None:
    """Whatever bytes come, the connection is answered in HTTP or closed."""
    async with open_house() as house, house.raw() as raw:
        await raw.stream.send_all(data)
        await raw.stream.send_eof()
        answer = await raw.everything()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


async def _send(raw: Any, data: bytes) -> None:
    with suppress(trio.BrokenResourceError):  # it may be closed before all was sent
        await raw.stream.send_all(data)


async def _drip(raw: Any) -> None:
    while True:
        await trio.sleep(0.05)
        await _send(raw, b"X: y\r\n")


async def _read_to_the_end(stream: trio.SocketStream) -> None:
    async with stream:
        while await stream.receive_some():
            pass
