"""Who may come in, by every route there is, and what every answer says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from observatory import Asgi, AsgiApp, Context, Identity, SecuritySettings
from observatory.testing import observatory_plugin

_OPEN = ("/healthz", "/readyz")


def who(context: Context) -> AsgiApp:
    """Make a route that tells who asks."""

    async def app(scope: Asgi, receive: Any, send: Any) -> None:
        identity: Identity = scope["state"]["identity"]
        await PlainTextResponse(str(identity.name))(scope, receive, send)

    return app


def fails(context: Context) -> AsgiApp:
    """Make a route that fails, below `/late` once it has begun to answer."""

    async def app(scope: Asgi, receive: Any, send: Any) -> None:
        if scope["path"].endswith("late"):
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("secret")

    return app


def splits(context: Context) -> AsgiApp:
    """Make a route that puts what it was sent into a header of its answer."""

    async def app(scope: Asgi, receive: Any, send: Any) -> None:
        headers = [(b"x-path", scope["path"].encode()), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    return app


PLUGIN = observatory_plugin("mine", routes={"who": who, "fails": fails, "splits": splits})


@pytest.fixture
async def house(open_house: Any) -> AsyncIterator[Any]:
    """Return an open door, with two more routes."""
    tables = {"security": SecuritySettings(origins=("https://good.example",), requests_per_second=1_000_000)}
    async with open_house(plugins=(PLUGIN,), tables=tables) as house:
        yield house


def every_route(house: Any) -> list[tuple[str, str]]:
    """Return each method and path there is, and some that there are not."""
    found = [("GET", "/"), ("GET", "/nothing"), ("POST", "/nothing"), ("GET", "/who"), ("POST", "/who/below")]
    found += [(method, "/healthz") for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "PROPFIND")]
    for route in house.service.routes:
        found += [(method, route.path.replace("{", "").replace("}", "")) for method in sorted(route.methods)]
    return sorted(set(found))


async def test_enumeration(house: Any) -> None:  # noqa: ASYNC124 -- the fixture needs Trio
    """The routes are found, so that what follows asks all of them."""
    assert {("GET", "/healthz"), ("GET", "/metrics")} <= set(every_route(house))


@pytest.mark.parametrize(
    "wrong",
    [
        {"Host": "evil.example"},
        {"Host": None},
        {"Host": ""},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ["https://good.example", "https://good.example"]},
    ],
    ids=str,
)
async def test_host_and_origin(house: Any, wrong: dict[str, Any]) -> None:
    """By no route does anybody come in who asks for another host, or whom another page has sent."""
    for method, path in every_route(house):
        async with house.raw() as raw:
            body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
            status, headers, _ = await raw.ask(raw.request(f"{method} {path} HTTP/1.1", body, **wrong))
            assert status in (400, 403), (method, path)
            assert status == 403 or wrong == {"Host": None}, "only HTTP itself answers 400"
            assert "content-security-policy" in headers or status == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"Authorization": None},
        {"Authorization": None, "Cookie": "token={token}; Authorization=Bearer {token}"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic {token}"},
        {"Authorization": "{token}"},
        {"Authorization": ["Bearer {token}", "Bearer {token}"]},
        {"Authorization": "Bearer agent-1.{token}"},
    ],
    ids=str,
)
async def test_token(house: Any, wrong: dict[str, Any]) -> None:
    """By no route does anybody come in without a right token in the header, wherever else one stands."""

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(one) for one in value]
        return value and value.format(token=house.token)

    headers = {name: filled(value) for name, value in wrong.items()}
    for method, path in every_route(house):
        if path in _OPEN:
            continue
        async with house.raw() as raw:
            body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
            status, answered, _ = await raw.ask(
                raw.request(f"{method} {path}?token={house.token}&access_token={house.token} HTTP/1.1", body, **headers)
            )
            assert (status, answered["www-authenticate"]) == (401, "Bearer"), (method, path)


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_forms(house: Any, kind: str | None) -> None:
    """By no route does anything come in that a form of a page can send."""
    for method, path in every_route(house):
        if method in ("POST", "PUT", "PATCH"):
            async with house.raw() as raw:
                status, _, text = await raw.ask(raw.request(f"{method} {path} HTTP/1.1", b"{}", Content_Type=kind))
                assert status == 415, (method, path)
                assert "expected the header Content-Type: application/json" in text


async def test_healthz_needs_no_token(house: Any) -> None:
    """Whether all is well may be asked without one, and tells nothing else."""
    async with house.raw() as raw:
        for path in _OPEN:
            status, _, text = await raw.ask(raw.request(f"GET {path} HTTP/1.1", Authorization=None))
            assert (status, text) == (200, "ok\n")


async def test_good_origin(house: Any) -> None:
    """A page that the settings name may come in."""
    async with house.client() as client:
        assert (await client.get("metrics", headers={"Origin": "https://good.example"})).status_code == 200


async def test_identity(house: Any) -> None:
    """A route hears who asks: the owner, or an agent."""
    async with house.client() as client:
        assert (await client.get("who")).text == "None"
    async with house.client("agent-1") as client:
        assert (await client.get("who/below")).text == "agent-1"
    assert [agent.name for agent in house.obs.presence.list_agents()] == ["agent-1"]


async def test_websocket(house: Any) -> None:
    """There is no websocket here, whoever asks for one."""
    async with house.raw() as raw:
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
        request = raw.request("GET /who HTTP/1.1", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", **upgrade)
        assert (await raw.ask(request))[0] == 403
    assert house.figures["refused"] == {"403": 1}


@pytest.mark.parametrize("path", ["/fails", "/%66ails", "/fails/%0d%0aERROR%20forged"])
async def test_a_route_that_fails(house: Any, log: Any, path: str) -> None:
    """It is answered, without a word of what happened: that stands in the log, in one line whatever the path."""
    log.expect(r"^GET '/fails[^\r\n]*' has failed$")
    async with house.raw() as raw:
        status, _, text = await raw.ask(raw.request(f"GET {path} HTTP/1.1"))
        assert status == 500
        assert "secret" not in text


async def test_a_route_that_fails_late(house: Any, log: Any) -> None:
    """An answer that has begun is cut off, and the others go on."""
    log.expect("GET '/fails/late' has failed")
    log.expect("Error in ASGI Framework")
    async with house.raw() as raw:
        await raw.stream.send_all(raw.request("GET /fails/late HTTP/1.1"))
        await raw.everything()
    async with house.client() as client:
        assert (await client.get("who")).status_code == 200


async def test_a_route_that_can_be_made_to_split_its_answer(house: Any, log: Any) -> None:
    """No line of a client's gets into the head of an answer, and the others go on."""
    async with house.raw() as raw:
        assert (await raw.ask(raw.request("GET /splits/a HTTP/1.1")))[1]["x-path"] == "/splits/a"
    log.expect("GET .* has failed")
    log.expect("Error in ASGI Framework")
    async with house.raw() as raw:
        await raw.stream.send_all(raw.request("GET /splits/a%0d%0aSet-Cookie:%20a=b HTTP/1.1"))
        assert b"Set-Cookie" not in await raw.everything()
    async with house.client() as client:
        assert (await client.get("who")).status_code == 200


async def test_too_fast(open_house: Any) -> None:
    """Whoever asks for more than it may is told when to ask again; it is counted, and others may ask."""
    tables = {"security": SecuritySettings(requests_per_second=0.5, burst=2)}
    async with open_house(tables=tables) as house, house.client("a") as client, house.client("b") as other:
        assert [(await client.get("metrics")).status_code for _ in range(3)] == [200, 200, 429]
        response = await client.get("metrics")
        assert (response.status_code, response.headers["retry-after"]) == (429, "2")
        assert json.loads(response.content)["fields"]["identity"] == "a"
        assert (await other.get("metrics")).status_code == 200
        assert house.obs.security.rate_limited == 2


async def test_every_answer_is_guarded(house: Any) -> None:
    """Every answer says that no browser shall keep it, frame it, or guess what it is."""
    async with house.client() as client:
        for path in ("healthz", "metrics", "nothing", "who"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert headers["x-frame-options"] == "DENY"
            assert "server" not in headers


@pytest.mark.parametrize("more", [b"", b"SM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)])
async def test_http2(house: Any, more: bytes) -> None:
    """Whoever begins with HTTP/2 is refused as anybody who names no host, and gone: bounds of HTTP/1.1 hold."""
    async with house.raw() as raw:
        await raw.stream.send_all(b"PRI * HTTP/2.0\r\n\r\n" + more)
        answer = await raw.everything()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
    await house.until(lambda: house.figures["connections"] == 0)
    assert house.figures["requests"] == 0


@pytest.mark.parametrize(
    "head", [b"x\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"GET /%ff HTTP/1.1"]
)
async def test_what_is_no_request_is_answered_guarded_too(house: Any, head: bytes) -> None:
    """Also what never comes to a route is answered with what every answer says."""
    async with house.raw() as raw:
        await raw.stream.send_all(head if head.endswith(b"\n") else raw.request(head.decode()))
        status, headers, _ = await raw.answer()
    assert 400 <= status < 500
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
