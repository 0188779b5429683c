"""Bad input below JSON: frames, and bytes that are none. The offender is closed; nobody else notices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import trio

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_HEALTH = b'{"jsonrpc": "2.0", "id": 1, "method": "health.get"}'


@pytest.fixture
async def house(open_house: Any) -> AsyncIterator[Any]:
    """Return an open door, with small frames, that goes on serving somebody else."""
    async with open_house(max_frame_bytes=4_096) as house, house.client() as other:
        yield house
        assert (await other.call("health.get"))["healthy"]
        assert house.service.statistics()["connections"] == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x82\0\0\0\0\xff\xff", 1007),
        (b"\x81\x82\0\0\0\0\xc3\x28", 1007),
        (b"\x81\x83\0\0\0\0\xed\xa0\x80", 1007),  # a lone surrogate
        (b"\x01\x81\0\0\0\0\xc3\x80\x81\0\0\0\0\x28", 1007),  # begun in one frame, wrong in the next
        (b"\x81\x81\0\0\0\0\xc3", 1007),  # cut off
        (b"\x81\x01x", 1002),  # not masked
        (b"\x83\x80\0\0\0\0", 1002),  # no such opcode
        (b"\xc1\x80\0\0\0\0", 1002),  # compressed, which was not agreed on
        (b"\x80\x80\0\0\0\0", 1002),  # goes on with nothing
        (b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 1002),  # another message within a message
        (b"\x09\x80\0\0\0\0", 1002),  # a ping in pieces
        (b"\x89\xfe\x00\x7e\0\0\0\0" + bytes(126), 1002),  # a long ping
        (b"\x81\xff" + b"\xff" * 8 + bytes(4), 1002),  # a length with the highest bit
        (b"\x88\x82\0\0\0\0\x03\xed", 1002),  # a close frame with a code that must not be sent
        (b"\x88\x81\0\0\0\0x", 1002),  # and one with half a code
        (b"\x88\x84\0\0\0\0\x03\xe8\xff\xff", 1007),
    ],
)
async def test_wrong_frame(house: Any, data: bytes, code: int) -> None:
    """A frame that is wrong closes the connection with the code that says why."""
    async with house.upgraded() as raw:
        await raw.stream.send_all(data)
        assert (await raw.close_code())[0] == code
        assert await raw.everything() == b""


@pytest.mark.parametrize("size", [4_097, 70_000, 3_000_000])
@pytest.mark.parametrize("opcode", [_TEXT, _BINARY])
async def test_too_large(house: Any, opcode: int, size: int) -> None:
    """A message that is too large closes the connection, however much of it comes."""
    async with house.upgraded() as raw, trio.open_nursery() as nursery:
        nursery.start_soon(_send_all, raw, raw.frame(opcode, b"x" * size))
        assert (await raw.close_code())[0] == 1009
        nursery.cancel_scope.cancel()


async def test_too_large_in_pieces(house: Any) -> None:
    """What counts is the message, and not each of its frames."""
    async with house.upgraded() as raw:
        for _ in range(5):
            await raw.send(_TEXT if not _ else _CONTINUATION, b"x" * 1_000, final=False)
        assert (await raw.close_code())[0] == 1009


async def test_too_large_in_bytes(house: Any) -> None:
    """Bytes count, and not characters."""
    async with house.upgraded() as raw:
        await raw.send(_TEXT, "€" * 1_400)
        code, reason = await raw.close_code()
        assert (code, reason) == (1009, "a message has at most 4096 bytes")


async def test_as_large_as_allowed(house: Any) -> None:
    """A message that is as large as allowed is answered."""
    async with house.upgraded() as raw:
        await raw.send(_TEXT, _HEALTH.ljust(4_096))
        assert (await raw.message())["id"] == 1


async def test_more_behind_what_is_too_large(house: Any) -> None:
    """What comes behind a message that is too large, or behind a close frame, does no harm."""
    for first, code in ((_BINARY, 1009), (_CLOSE, 1000)):
        async with house.upgraded() as raw:
            payload = b"x" * 5_000 if first == _BINARY else b"\x03\xe8"
            frames = [raw.frame(first, payload), raw.frame(_PING), raw.frame(_BINARY, payload * 3), raw.frame(_CLOSE)]
            await raw.stream.send_all(b"".join(frames))
            assert (await raw.close_code())[0] == code
            assert await raw.everything() == b""


@pytest.mark.parametrize("together", [True, False])
async def test_too_many_pieces(house: Any, together: bool) -> None:
    """One in more than 1,024 small frames closes the connection, since empty ones would add up to nothing for ever."""
    async with house.upgraded() as raw:
        pieces = [raw.frame(_TEXT, final=False), *[raw.frame(_CONTINUATION, final=False)] * 1_024]
        for data in [b"".join(pieces)] if together else pieces:
            await raw.stream.send_all(data)
        assert await raw.close_code() == (1009, "a message has at most 1,024 frames of less than 32 bytes")
        assert await raw.everything() == b""


async def test_as_many_pieces_as_allowed(house: Any) -> None:
    """One in 1,024 small frames is answered, and so is the next; larger ones among them do not count, nor do pings."""
    async with house.upgraded() as raw:
        for _ in range(2):
            await raw.send(_TEXT, _HEALTH, final=False)
            for _ in range(1_023):
                await raw.send(_CONTINUATION, final=False)
            await raw.send(_PING)
            await raw.send(_CONTINUATION)
            assert await raw.receive() == (_PONG, b"")
            assert (await raw.message())["id"] == 1


async def test_fragments(house: Any) -> None:
    """A message may come in pieces, byte by byte, with pings between them."""
    async with house.upgraded() as raw:
        for place, byte in enumerate(_HEALTH):
            await raw.send(_CONTINUATION if place else _TEXT, bytes([byte]), final=False)
        await raw.send(_PING, b"here")
        await raw.send(_CONTINUATION)
        assert await raw.receive() == (_PONG, b"here")
        assert (await raw.message())["id"] == 1


async def test_drip(house: Any) -> None:
    """Bytes may come one at a time."""
    async with house.upgraded() as raw:
        for byte in raw.frame(_TEXT, _HEALTH):
            await raw.stream.send_all(bytes([byte]))
        assert (await raw.message())["id"] == 1


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9bye", b"\x0f\xa0own"])
async def test_close(house: Any, payload: bytes) -> None:
    """Who closes gets its code back, and then nothing."""
    async with house.upgraded() as raw:
        await raw.send(_CLOSE, payload)
        code = int.from_bytes(payload[:2], "big") if payload else 1005
        assert (await raw.close_code())[0] == code
        assert await raw.everything() == b""


async def test_gone(house: Any) -> None:
    """A client that goes without a word, in the middle of a frame, is let go at once."""
    async with house.upgraded() as raw:
        await house.until(lambda: house.service.statistics()["connections"] == 2)
        await raw.stream.send_all(raw.frame(_TEXT, _HEALTH)[:20])
    await house.until(lambda: house.service.statistics()["connections"] == 1)


async def test_gone_before_the_answer(house: Any) -> None:
    """A client that has gone before its answer is written is let go."""
    for _ in range(20):
        async with house.upgraded() as raw:
            await raw.stream.send_all(raw.frame(_TEXT, _HEALTH) * 10)
            await raw.receive()
    await house.until(lambda: house.service.statistics()["connections"] == 1)


async def _send_all(raw: Any, data: bytes) -> None:
    with suppress(trio.BrokenResourceError):  # it may be closed before all was sent
        await raw.stream.send_all(data)
