"""The token as the first message, for clients that cannot send headers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

_PING, _PONG, _BINARY, _TEXT, _CLOSE = 9, 10, 2, 1, 8


@pytest.fixture
async def raw(house: Any) -> AsyncIterator[Any]:
    """Return a websocket that has not said who it is."""
    async with house.upgraded(Authorization=None) as raw:
        yield raw


async def test_owner(house: Any, raw: Any) -> None:
    """The service's own token opens the connection, and names nobody."""
    assert (await raw.call("observatory.authenticate", token=house.token))["result"] == {"identity": None}
    assert "result" in await raw.call("health.get")


async def test_agent(house: Any, raw: Any) -> None:
    """An agent's token opens the connection as that agent."""
    token = house.obs.security.token_for("agent-42")
    assert (await raw.call("observatory.authenticate", token=token))["result"] == {"identity": "agent-42"}
    assert (await raw.call("mailbox.send", to="a", content=""))["result"]["message"]["from"] == "agent-42"


async def test_notification(house: Any, raw: Any) -> None:
    """A token without an id counts, and has no answer."""
    message = {"jsonrpc": "2.0", "method": "observatory.authenticate", "params": {"token": house.token}}
    await raw.send(_TEXT, json.dumps(message))
    assert (await raw.call("health.get"))["id"] == 1


async def test_pipelined(house: Any, raw: Any) -> None:
    """Requests may follow the token before it was answered."""
    for id, method in enumerate(["observatory.authenticate", "health.get"]):
        request = {"jsonrpc": "2.0", "id": id, "method": method, "params": {"token": house.token} if not id else {}}
        await raw.send(_TEXT, json.dumps(request))
    assert [(await raw.message())["id"] for _ in range(2)] == [0, 1]


async def test_ping(house: Any, raw: Any) -> None:
    """Who has not said who it is gets a pong all the same."""
    await raw.send(_PING, b"hello")
    assert await raw.receive() == (_PONG, b"hello")


@pytest.mark.parametrize(
    "params", [{}, {"token": "wrong"}, {"token": None}, {"token": 7}, {"token": ["TOKEN"]}, ["TOKEN"], None, {"t": ""}]
)
async def test_wrong_token(house: Any, raw: Any, params: Any) -> None:
    """A wrong token, or none, is answered, and the connection closed."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "observatory.authenticate", "params": params}
    if params is None:
        del request["params"]
    await raw.send(_TEXT, json.dumps(request).replace("TOKEN", house.token))
    error = (await raw.message())["error"]
    assert (error["code"], error["data"]["error"]) == (-32001, "UnauthorizedError")
    assert house.token not in json.dumps(error)
    assert await raw.close_code() == (1008, "a token is needed: as a header, or as the first message")


@pytest.mark.parametrize(
    ("opcode", "message", "code"),
    [
        (_TEXT, '{"jsonrpc": "2.0", "id": 1, "method": "health.get"}', -32001),
        (_TEXT, '{"jsonrpc": "2.0", "method": "health.get"}', None),
        (_TEXT, '[{"jsonrpc":"2.0","id":1,"method":"observatory.authenticate","params":{"token":"TOKEN"}}]', None),
        (_TEXT, "TOKEN", -32700),
        (_TEXT, "", -32700),
        (_TEXT, "{}", -32600),
        (_BINARY, '{"jsonrpc":"2.0","id":1,"method":"observatory.authenticate","params":{"token":"TOKEN"}}', -32600),
    ],
)
async def test_something_else_first(house: Any, raw: Any, opcode: int, message: str, code: int | None) -> None:
    """Anything else as the first message is not carried out, and closes the connection."""
    await raw.send(opcode, message.replace("TOKEN", house.token))
    if code is not None:
        assert (await raw.message())["error"]["code"] == code
    assert (await raw.receive())[0] == _CLOSE


async def test_nothing_in_time(open_house: Any) -> None:
    """A client that does not say who it is in time is closed; one that has done so stays."""
    async with open_house(handshake_seconds=0.2) as house, house.client() as client:
        async with house.upgraded(Authorization=None) as raw:
            assert (await raw.close_code())[0] == 1008
            assert await raw.everything() == b""
        assert await client.call("health.get")


async def test_again(house: Any) -> None:
    """Who is known already cannot become somebody else."""
    async with house.client("agent-1") as client:
        error = await client.refusal("observatory.authenticate", token=house.token)
        assert error["code"] == -32601
        assert (await client.refusal("mailbox.clear", agent="agent-2"))["data"]["error"] == "ForbiddenError"
