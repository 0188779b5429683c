"""Attacks on every route that a running service has: its own, those of other plugins, and the door for websockets.

Routes are taken from the service and from its document, so that one that somebody adds is attacked as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from starlette.responses import PlainTextResponse

from observatory import Asgi, AsgiApp, Context, SecuritySettings, token_for
from observatory.testing import observatory_plugin

_OPEN = ("/healthz", "/readyz")
_GOOD = "https://good.example"
_WITH_BODY = ("POST", "PUT", "PATCH")
_ANY = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")


class Stranger:
    """A plugin's route, which counts how often it is asked."""

    asked = 0

    def make(self, context: Context) -> AsgiApp:
        """Make the application."""
        return self._answer

    async def _answer(self, scope: Asgi, receive: Any, send: Any) -> None:
        self.asked += 1
        await PlainTextResponse("hello")(scope, receive, send)


@pytest.fixture
def stranger() -> Stranger:
    """Return a stranger's route."""
    return Stranger()


@pytest.fixture
async def house(open_house: Any, stranger: Stranger) -> AsyncIterator[Any]:
    """Return an open door, behind which stands whatever is installed, and a stranger's route."""
    tables = {"security": SecuritySettings(origins=(_GOOD,), requests_per_second=1_000_000, burst=1_000_000)}
    plugin = observatory_plugin("strange", routes={"strange": stranger.make})
    installed = tuple(point.name for point in entry_points(group="observatory"))
    async with open_house(plugins=(plugin,), also=installed, tables=tables) as house:
        yield house


async def every_route(house: Any) -> list[tuple[str, str]]:
    """Return each method and path that the running service has, and those of what it has not."""
    async with house.client() as client:
        document = (await client.get("api/openapi.json")).json()
    found = {(method, "/nothing") for method in _ANY}
    for path, methods in document["paths"].items():
        found |= {(method.upper(), _filled(path)) for method in methods}
    for route in house.service.routes:
        found |= {(method, _filled(route.path)) for method in (*route.methods, "OPTIONS", "PATCH")}
    for name in house.service.mounted:
        found |= {(method, path) for method in _ANY for path in (f"/{name}", f"/{name}/below")}
    return sorted(found)


def _filled(path: str) -> str:
    return re.sub(r"\{.*?\}", "x", path)


def _body(method: str) -> bytes:
    return b"{}" if method in _WITH_BODY else b""


async def _ask(house: Any, line: str, body: bytes = b"", **headers: Any) -> tuple[int, dict[str, str], str]:
    async with house.raw() as raw:
        found: tuple[int, dict[str, str], str] = await raw.ask(raw.request(line, body, **headers))
        return found


async def test_enumeration(house: Any) -> None:
    """The routes are found: those of the service, of every operation, of a stranger and of what is installed."""
    found = await every_route(house)
    assert {
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("POST", "/api/events"),
        ("POST", "/api/modules/SwarmMonitor/claim_task"),
        ("DELETE", "/api/mailboxes/x"),
        ("PUT", "/api/notes/x"),
        ("POST", "/strange/below"),
    } <= set(found)
    assert {f"/{name}" for name in house.service.mounted} <= {path for _, path in found}


def _bad_hosts() -> Iterator[Any]:
    for host in (
        "evil.example",
        "",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:{port}.evil.example",
        "ann@127.0.0.1:{port}",
    ):
        yield pytest.param({"Host": host}, 403, id=f"host {host}")
    for host in ("2130706433:{port}", "127.1:{port}", "[::ffff:127.0.0.1]:{port}", "127.0.0.1:{port}, evil.example"):
        yield pytest.param({"Host": host}, 403, id=f"host {host}")
    yield pytest.param({"Host": "evil.example", "X_Forwarded_Host": "127.0.0.1:{port}"}, 403, id="forwarded host")
    yield pytest.param({"Host": None}, 400, id="no host")
    yield pytest.param({"Host": ["127.0.0.1:{port}", "evil.example"]}, 400, id="two hosts")
    yield pytest.param({"Host": ["127.0.0.1:{port}"] * 2}, 400, id="the host twice")


def _bad_origins() -> Iterator[Any]:
    for origin in ("https://evil.example", "null", "", "http://127.0.0.1:{port}", f"{_GOOD}.evil.example", f"{_GOOD}/"):
        yield pytest.param({"Origin": origin}, 403, id=f"origin {origin}")
    yield pytest.param({"Origin": [_GOOD, _GOOD]}, 403, id="the origin twice")
    yield pytest.param({"Origin": [_GOOD, "https://evil.example"]}, 403, id="two origins")


def _bad_tokens() -> Iterator[Any]:
    for value in (
        "Bearer wrong",
        "Bearer",
        "Bearer ",
        "Basic {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer {token} x",
    ):
        yield pytest.param({"Authorization": value}, 401, id=value)
    for value in ("Bearer ann.{token}", "Bearer {other}", "Bearer .{token}", "Bearer {ann}x", "Bearer bob{ann}"):
        yield pytest.param({"Authorization": value}, 401, id=value)
    yield pytest.param({"Authorization": None}, 401, id="no token")
    yield pytest.param({"Authorization": ["Bearer {token}", "Bearer {token}"]}, 401, id="the token twice")
    cookie = "token={token}; Authorization=Bearer {token}; access_token={token}"
    yield pytest.param({"Authorization": None, "Cookie": cookie}, 401, id="in a cookie")
    yield pytest.param({"Authorization": None, "X_Authorization": "Bearer {token}"}, 401, id="in another header")
    yield pytest.param({"Authorization": None, "Proxy_Authorization": "Bearer {token}"}, 401, id="for a proxy")


def _bad_heads() -> Iterator[Any]:
    yield pytest.param({"X_A": "a\x00b"}, 400, id="NUL in a header")
    yield pytest.param({"X_A": "a\rHost: evil.example"}, 400, id="CR in a header")
    yield pytest.param({"X_A : a\r\nX_B": "b"}, 400, id="space in a name")
    yield pytest.param({"Transfer_Encoding": "gzip, chunked"}, 501, id="compressed chunks")


@pytest.mark.parametrize(("wrong", "expected"), [*_bad_hosts(), *_bad_origins(), *_bad_tokens(), *_bad_heads()])
async def test_refused_by_every_route(house: Any, stranger: Stranger, wrong: dict[str, Any], expected: int) -> None:
    """No route is asked, and each answers in the same way, which says to browsers what every answer says."""
    words = {
        "port": house.port,
        "token": house.token,
        "ann": house.obs.security.token_for("ann"),
        "other": token_for("another run's", "ann"),
    }

    def filled(value: Any) -> Any:
        return [filled(one) for one in value] if isinstance(value, list) else value and value.format_map(words)

    routes = await every_route(house)
    before, answers = house.figures["requests"], set()
    for method, path in routes:
        if expected == 401 and path in _OPEN:
            continue
        headers = {name: filled(value) for name, value in wrong.items()}
        where = f"{path}?token={house.token}&access_token={house.token}"
        status, said, text = await _ask(house, f"{method} {where} HTTP/1.1", _body(method), **headers)
        assert said["x-content-type-options"] == "nosniff", (method, path)
        assert "access-control-allow-origin" not in said or expected != 403
        answers.add((status, text and method != "HEAD" and json.loads(text)["error"]))
    assert {status for status, _ in answers} == {expected}
    assert len({error for _, error in answers if error}) <= 1
    assert (house.figures["requests"], stranger.asked) == (before, 0)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "text/plain; application/json",
        ["text/plain", "application/json"],
        ["application/json", "application/json"],
    ],
    ids=str,
)
async def test_forms(house: Any, stranger: Stranger, kind: Any) -> None:
    """What a page can send without asking, by a form or a simple request, is taken by no route, even with a token."""
    for method, path in await every_route(house):
        if method in _WITH_BODY:
            status, _, _ = await _ask(house, f"{method} {path} HTTP/1.1", b'{"a": 1}', Content_Type=kind)
            assert status == 415, (method, path)
    assert stranger.asked == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", ["identity", "gzip"]], ids=str)
async def test_compressed(house: Any, stranger: Stranger, coding: Any) -> None:
    """Nothing is decompressed, so that nothing small can become large."""
    for method, path in await every_route(house):
        if method in _WITH_BODY:
            status, said, _ = await _ask(house, f"{method} {path} HTTP/1.1", b"\x1f\x8b", Content_Encoding=coding)
            assert (status, said["accept-encoding"]) == (415, "identity"), (method, path)
    assert stranger.asked == 0


_TARGETS = [
    *("http://127.0.0.1:{port}{path}", "http://evil.example{path}", "//evil.example{path}", "evil.example:80", "*"),
    *("/strange/..{path}", "/strange/%2e%2e{path}", "/strange/.%2E{path}", "/.{path}", "{path}/.", "{path}/%2e%2e"),
    *(
        "/{path}",
        "{path}/",
        "{path}//",
        "{path};x",
        "{path}%00",
        "{path}%0d%0aX-Injected:1",
        "\\{path}",
        "/healthz{path}",
    ),
    *("{encoded}", "/{encoded}", "/healthz/..{path}", "/healthz/%2e%2e{path}", "/healthz%2f%2e%2e{path}", "{path}#x"),
]


@pytest.mark.parametrize("target", _TARGETS)
async def test_tricks_with_paths(house: Any, stranger: Stranger, target: str) -> None:
    """No other way to write a path leads past the check of the token, and none to a route that was not meant."""
    for method, path in await every_route(house):
        tricked = target.format(port=house.port, path=path, encoded=path.replace("/", "%2f"))
        before = house.figures["requests"]
        status, said, _ = await _ask(house, f"{method} {tricked} HTTP/1.1", _body(method), Authorization=None)
        assert status in (400, 401), (method, tricked)
        assert "x-injected" not in said
        assert house.figures["requests"] == before
    assert stranger.asked == 0


@pytest.mark.parametrize(
    "target", ["*", "evil:80", "http://127.0.0.1:{port}/strange", "/strange/../x", "/strange/%2e%2e/x"]
)
async def test_no_path(house: Any, stranger: Stranger, target: str) -> None:
    """What is no plain path is refused before a route runs, whoever asks."""
    for method in ("GET", "OPTIONS", "CONNECT"):
        status, _, text = await _ask(house, f"{method} {target.format(port=house.port)} HTTP/1.1")
        assert (status, "expected a path" in text) == (400, True)
    assert stranger.asked == 0


async def test_methods(house: Any) -> None:
    """By no method that a route does not have does it do anything, whatever other headers say of it."""
    for route in house.service.routes:
        for method in {*_ANY, "TRACE", "get", "QUERY"} - set(route.methods):
            if method.upper() in route.methods:
                continue
            line = f"{method} {_filled(route.path)}?_method=GET HTTP/1.1"
            status, said, _ = await _ask(house, line, _body(method), X_HTTP_Method_Override="GET")
            assert status == 405, line
            assert set(said["allow"].split(", ")) == set(route.methods)


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
async def test_upgrades(house: Any, stranger: Stranger, upgrade: str) -> None:
    """No route is reached by another protocol: a websocket is refused, and for HTTP/2 nothing changes."""
    key = {"Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade, "HTTP2_Settings": "AAMAAABk", **key}
    for _, path in await every_route(house):
        status, said, _ = await _ask(house, f"GET {path} HTTP/1.1", b"", Authorization="Bearer wrong", **headers)
        assert status == (403 if upgrade == "websocket" else 200 if path in _OPEN else 401), path
        assert said["x-content-type-options"] == "nosniff"
    assert stranger.asked == 0


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": [_GOOD, _GOOD]}, 403),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": ["Bearer {token}", "Bearer {token}"]}, 401),
    ],
    ids=str,
)
async def test_door_for_websockets(house: Any, wrong: dict[str, Any], expected: int) -> None:
    """The same layer stands before the door for websockets."""
    port = urlsplit(house.obs.service("websocket").url).port
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    headers |= {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Host": f"127.0.0.1:{port}", **wrong}
    async with house.raw() as raw, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        raw.stream = stream
        assert (await raw.ask(raw.request("GET / HTTP/1.1", **headers)))[0] == expected
