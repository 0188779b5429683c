"""Requests that are a little or very wrong: nothing fails, nothing is logged, and others are served."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio

_EVENT = b'{"session_id": "s", "hook_event_name": "UserPromptSubmit", "tool_input": {"a": [1, 2.5, null, "\\u00e4"]}}'

_TARGETS = [
    *(
        "GET /healthz",
        "GET /metrics",
        "HEAD /readyz",
        "OPTIONS *",
        "GET /api/openapi.json",
        "POST /api/events?agent=ann",
    ),
    *("GET /api/mailboxes/ann/messages?limit=5&unread_only=true", "PUT /api/notes/a%2Fb", "DELETE /api/mailboxes/ann"),
    *("POST /api/mailboxes/ann/messages", "POST /api/modules/Presence/list_agents", "GET /nothing/at//all?x=%zz"),
]

_PIECES = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"%",
        b"%00",
        b"%ff",
        b"/../",
        b"?",
        b"#",
        b"{",
        b"}",
        b"[",
        b'"',
    ),
    *(b"\xff\xfe", b"\xed\xa0\x80", b"HTTP/1.1", b"Host: evil\r\n", b"Content-Length: 5\r\n", b"0\r\n\r\n", b"9" * 400),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Upgrade: websocket\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
    ),
]


def _spoilt(request: bytes, chance: random.Random) -> bytes:
    """Return a request in which a few things are different."""
    for _ in range(chance.choice([0, 1, 1, 2, 5, 20])):
        start = chance.randrange(len(request) + 1)
        end = min(len(request), start + chance.choice([0, 0, 1, 5, 50]))
        request = request[:start] + chance.choice(_PIECES) + request[end:]
    return request


@pytest.mark.parametrize("seed", range(4))
async def test_garbage(open_house: Any, seed: int) -> None:
    """Whatever is asked is answered, or ends the connection; what is answered is no failure of the service."""
    chance = random.Random(seed)
    async with open_house(request_seconds=0.2, redact=["s+e"]) as house:

        async def ask() -> None:
            async with house.raw() as raw:
                line = f"{chance.choice(_TARGETS)} HTTP/1.1"
                body = chance.choice([b"", b"{}", _EVENT, b'{"content": "x", "from": "bob", "text": "y"}'])
                request = b"".join(_spoilt(raw.request(line, body), chance) for _ in range(chance.choice([1, 1, 3])))
                try:
                    await raw.stream.send_all(request)
                    await raw.stream.send_eof()
                    answer = await raw.everything()
                except trio.BrokenResourceError:
                    return
                assert b"HTTP/1.1 500" not in answer, request

        async with trio.open_nursery() as nursery:
            for _ in range(150):
                nursery.start_soon(ask)
        await house.until(lambda: house.figures["connections"] == 0)
        async with house.client() as client:
            assert (await client.get("readyz")).status_code == 200
        assert house.obs.health().healthy
