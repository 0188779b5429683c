"""Who is let in, and what is upgraded: the head of the request, each part of it wrong in every way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from observatory import SecuritySettings

_PAGE = "http://dashboard.example"


@pytest.fixture
async def house(open_house: Any) -> AsyncIterator[Any]:
    """Return an open door that one page and one name beside loopback may come by."""
    security = SecuritySettings(hosts=("Observatory.example",), origins=(_PAGE,))
    async with open_house(tables={"security": security}) as house:
        yield house


def _changes(house: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """Put the port, the token and the token of an agent where a test asks for them."""
    known = {"PORT": str(house.port), "TOKEN": house.token, "AGENT": house.obs.security.token_for("agent-42")}

    def put(value: Any) -> Any:
        if isinstance(value, list):
            return [put(one) for one in value]
        for name, known_value in known.items():
            value = value.replace(name, known_value) if value else value
        return value

    return {name: put(value) for name, value in changes.items()}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Host": "localhost:PORT"},
        {"Host": "LocalHost:PORT"},
        {"Host": "[::1]:PORT"},
        {"Host": "observatory.EXAMPLE"},
        {"Origin": _PAGE},
        {"Authorization": "bearer  TOKEN "},
        {"Authorization": "Bearer AGENT"},
        {"Authorization": None},
        {"Upgrade": "foo, WebSocket"},
        {"Upgrade": ["foo", "websocket"]},
        {"Connection": "keep-alive, upgrade"},
        {"Sec-WebSocket-Protocol": "jsonrpc, \xff"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Content-Length": "0"},
        {"X-Long": "x" * 8_000},
    ],
)
async def test_let_in(house: Any, changes: dict[str, Any]) -> None:
    """A good request is upgraded, whatever else stands in it; nothing is compressed, and no protocol chosen."""
    async with house.raw() as raw:
        status, headers, _ = await raw.ask(raw.request(**_changes(house, changes)))
    assert status == 101
    assert headers.pop("observatory-run") == house.obs.pubsub.epoch
    assert headers == {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "observatory-max-message": "1048576",
        "observatory-durability": "memory",
    }


_HOSTS = [
    None,
    "",
    "127.0.0.1",
    "localhost",
    "127.0.0.1:1",
    "127.0.0.1:PORT.evil.example",
    "evil.example",
    "evil.example:PORT",
    "localhost:PORT, localhost:PORT",
    "user@localhost:PORT",
    "localhost.:PORT",
    "0.0.0.0:PORT",
    "observatory.example:PORT",
    "\xff",
]
_ORIGINS = [
    "",
    "null",
    "http://evil.example",
    "http://dashboard.example:80",
    "https://dashboard.example",
    "http://Dashboard.example",
    "http://dashboard.example/",
    "http://dashboard.example.evil.example",
    "http://127.0.0.1:PORT",
    [_PAGE, _PAGE],
    "\xff",
]
_TOKENS = [
    "",
    "Bearer",
    "Bearer ",
    "TOKEN",
    "Basic TOKEN",
    "Bearer TOKENx",
    "Bearer xTOKEN",
    "Bearer \xff",
    "Bearer " + "x" * 300,
    "Bearer agent-1.TOKEN",
    "Bearer agent-1AGENT",
    "Bearer .TOKEN",
    "Bearer TOKEN TOKEN",
    "Bearer TOKEN, Bearer TOKEN",
    ["Bearer TOKEN", "Bearer TOKEN"],
    ["Bearer TOKEN", "Bearer wrong"],
]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        *(({"Host": value}, 403) for value in _HOSTS if value is not None),
        *(({"Origin": value}, 403) for value in _ORIGINS),
        *(({"Authorization": value}, 401) for value in _TOKENS),
        ({"Origin": "http://evil.example", "Authorization": None}, 403),
        ({"Host": "evil.example", "Authorization": None}, 403),
        ({"Host": "evil.example", "Upgrade": None}, 403),
        ({"Authorization": "Bearer wrong", "Upgrade": None}, 401),
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Upgrade": "websockets"}, 426),
        ({"Connection": None}, 426),
        ({"Connection": "close"}, 426),
        ({"Sec-WebSocket-Version": None}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Version": "13, 8"}, 426),
        ({"Sec-WebSocket-Version": ["13", "13"]}, 426),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": ""}, 400),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Key": "\xff" * 16}, 400),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" * 2}, 400),
        ({"Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ=="] * 2}, 400),
        ({"Content-Length": "5"}, 400),
        ({"Transfer-Encoding": "chunked"}, 400),
        ({"line": "GET /other HTTP/1.1"}, 404),
        ({"line": "GET /?token=TOKEN HTTP/1.1"}, 404),
        ({"line": "GET //evil HTTP/1.1"}, 404),
        ({"line": "GET http://127.0.0.1/ HTTP/1.1"}, 404),
        ({"line": "POST / HTTP/1.1"}, 405),
        ({"line": "HEAD / HTTP/1.1"}, 405),
        ({"line": "OPTIONS / HTTP/1.1"}, 405),
        ({"line": "get / HTTP/1.1"}, 405),
        ({"line": "GET / HTTP/1.0"}, 505),
        ({"line": "GET / HTTP/2.0"}, 505),
        # What is not HTTP is refused before anybody looks at who asks.
        ({"Host": None}, 400),
        ({"Host": ["127.0.0.1:PORT", "127.0.0.1:PORT"]}, 400),
        ({"line": "GET / HTTP/x"}, 400),
        ({"line": "GET /"}, 400),
        ({"line": "nonsense"}, 400),
        ({"line": ""}, 400),
        ({"X Y": "a header with a space"}, 400),
        ({"X-Long": "x" * 30_000}, 431),
    ],
)
async def test_refused(house: Any, changes: dict[str, Any], status: int) -> None:
    """A wrong request is answered with its status and one line of plain text that says why, and nothing is upgraded."""
    async with house.raw() as raw:
        given, headers, text = await raw.ask(raw.request(**_changes(house, changes)))
    assert given == status
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["content-length"] == str(len(text.encode()))
    assert "close" in headers["connection"]
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert text.rstrip().isprintable()
    assert house.token not in text
    assert "Traceback" not in text
    await house.until(lambda: house.service.statistics()["refused"] == {str(status): 1})
    assert house.service.statistics()["accepted"] == 0


@pytest.mark.parametrize(
    ("changes", "header", "value"),
    [
        ({"Authorization": "Bearer wrong"}, "www-authenticate", "Bearer"),
        ({"line": "POST / HTTP/1.1"}, "allow", "GET"),
        ({"Upgrade": None}, "upgrade", "websocket"),
        ({"Sec-WebSocket-Version": "8"}, "sec-websocket-version", "13"),
    ],
)
async def test_what_is_allowed(house: Any, changes: dict[str, Any], header: str, value: str) -> None:
    """A refusal has the header that says what would be right."""
    async with house.raw() as raw:
        _, headers, _ = await raw.ask(raw.request(**changes))
    assert headers[header] == value


async def test_no_token(house: Any) -> None:
    """Without an Origin, which programs do not send, a token is needed as well."""
    async with house.upgraded(Authorization=None) as raw:
        answer = await raw.call("health.get")
        assert answer["error"]["data"]["error"] == "UnauthorizedError"
        assert (await raw.close_code())[0] == 1008


async def test_frames_behind_the_request(house: Any) -> None:
    """What a client sends together with its request, before it has the answer, is not lost."""
    async with house.raw() as raw:
        frame = raw.frame(1, b'{"jsonrpc": "2.0", "id": 7, "method": "health.get"}')
        status, _, _ = await raw.ask(raw.request() + frame)
        assert status == 101
        assert (await raw.message())["id"] == 7
