"""How many connections there may be, and those that do not answer."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio

_CONNECTIONS = 1_000


async def test_too_many(open_house: Any) -> None:
    """Beyond the bound a client is told to come back; the others go on, and when one goes there is room."""
    async with open_house(max_connections=2) as house, house.client() as client:
        async with house.upgraded():
            for headers in ({}, {"Authorization": None}):
                async with house.raw() as raw:
                    status, answer, text = await raw.ask(raw.request(**headers))
                    assert (status, answer["retry-after"]) == (503, "1")
                    assert text == "2 connections are open, which is what this service holds\n"
            assert (await client.call("health.get"))["healthy"]
        await house.until(lambda: house.service.statistics()["connections"] == 1)
        async with house.upgraded() as raw:
            assert (await raw.call("health.get"))["id"] == 1


async def test_too_many_at_the_first_message(open_house: Any) -> None:
    """Who says who it is only when all places are taken is told to come back, too."""
    async with open_house(max_connections=1) as house, house.upgraded(Authorization=None) as raw, house.client():
        assert "result" in await raw.call("observatory.authenticate", token=house.token)
        words = "1 connections are open, which is what this service holds"
        assert await raw.close_code() == (1013, words)
        assert house.service.statistics()["closed_slow"] == 0


async def test_one_agent(open_house: Any) -> None:
    """An agent may have a quarter of the places; others, and the owner, find theirs."""
    async with open_house(max_connections=8) as house, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(house.client("agent-1"))
        token = house.obs.security.token_for("agent-1")
        words = "'agent-1' has 2 connections open, which is what one agent may have"
        async with house.raw() as raw:
            status, _, text = await raw.ask(raw.request(Authorization=f"Bearer {token}"))
            assert (status, text) == (503, f"{words}\n")
        async with house.upgraded(Authorization=None) as raw:
            assert "result" in await raw.call("observatory.authenticate", token=token)
            assert await raw.close_code() == (1013, words)
        for name in ("agent-2", None, None, None):
            await stack.enter_async_context(house.client(name))
        await stack.pop_all().aclose()
        await house.until(lambda: house.service.statistics()["open"] == 0)
        async with house.client("agent-1"), house.client("agent-1"):
            pass


async def test_places_of_the_owner(open_house: Any) -> None:
    """Of sixteen places one is the owner's, however many agents there are."""
    async with open_house(max_connections=16) as house, AsyncExitStack() as stack:
        for number in range(15):
            await stack.enter_async_context(house.client(f"agent-{number % 5}"))
        token = house.obs.security.token_for("agent-9")
        async with house.raw() as raw:
            status, _, text = await raw.ask(raw.request(Authorization=f"Bearer {token}"))
            assert (status, text) == (503, "15 connections are open, which is what this service holds\n")
        async with house.client() as client:
            assert (await client.call("health.get"))["healthy"]


async def test_few_files(open_house: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where a process may open few files there are fewer places, so that there are some left for everything else."""
    caplog.set_level("INFO", "observatory.websocket")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (131, 131))
    async with open_house() as house, house.client(), house.client(), house.client(), house.raw() as raw:
        assert (await raw.ask(raw.request()))[0] == 503
    assert "at most 3 connections, since this process may open 131 files" in caplog.text


async def test_little_before_the_token(open_house: Any) -> None:
    """Who has not said who it is may send messages of a few KiB; known, it may send larger ones."""
    async with open_house() as house:
        async with house.upgraded(Authorization=None) as raw:
            await raw.send(1, "x" * 4_097)
            assert await raw.close_code() == (1009, "a message has at most 4096 bytes")
        async with house.upgraded(Authorization=None) as raw:
            assert "result" in await raw.call("observatory.authenticate", token=house.token)
            large = "x" * 100_000
            answer = await raw.call("mailbox.send", to="a", content=large, **{"from": "b"})
            assert answer["result"]["message"]["content"] == large


async def test_who_says_nothing_takes_no_place(open_house: Any) -> None:
    """However many say nothing of who they are, before or behind the handshake, others find their place and keep it."""
    async with (
        open_house(max_connections=3, handshake_seconds=60) as house,
        house.client() as client,
        AsyncExitStack() as stack,
    ):
        for number in range(150):
            opened = house.upgraded(Authorization=None) if number % 2 else house.raw()
            await stack.enter_async_context(opened)
            assert house.service.statistics()["open"] <= 3 + 64
        async with house.upgraded() as raw:
            assert (await raw.call("health.get"))["id"] == 1
        async with house.upgraded(Authorization=None) as raw:
            assert "result" in await raw.call("observatory.authenticate", token=house.token)
            assert (await raw.call("health.get"))["id"] == 1
        assert (await client.call("health.get"))["healthy"]


async def test_flood(open_house: Any) -> None:
    """Of a flood of connections that say nothing those are cut off that came first, so that it takes no room."""
    async with open_house(max_connections=2, handshake_seconds=60) as house, house.client() as client:
        async with AsyncExitStack() as stack:
            flood = [await stack.enter_async_context(house.raw()) for _ in range(150)]
            await house.until(lambda: house.service.statistics()["refused"] == {"503": 150 - 65})
            assert [await raw.everything() for raw in flood[:85]] == [b""] * 85
            assert (await client.call("health.get"))["healthy"]
        await house.until(lambda: house.service.statistics()["open"] == 1)
        async with house.upgraded() as raw:
            assert (await raw.call("health.get"))["id"] == 1


async def test_flood_of_requests(house: Any) -> None:
    """Who asks without end keeps nobody else from being answered."""
    async with house.client("agent-1") as client, house.upgraded() as raw, trio.open_nursery() as nursery:
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "statistics.get"})
        nursery.start_soon(_say_all_the_time, raw, raw.frame(1, request.encode()) * 50)
        nursery.start_soon(_read_all_the_time, raw)
        for _ in range(20):
            with trio.fail_after(5):
                assert (await client.call("health.get"))["healthy"]
        nursery.cancel_scope.cancel()


async def _say_all_the_time(raw: Any, data: bytes) -> None:
    while True:
        await raw.stream.send_all(data)


async def _read_all_the_time(raw: Any) -> None:
    while True:
        await raw.receive()


async def test_no_pong(open_house: Any, log: Any) -> None:
    """Who does not answer a ping is ended; who does stays."""
    log.expect("a connection of 'agent-1' is ended: it does not answer")
    async with open_house(ping_seconds=0.3) as house, house.client() as client:
        token = house.obs.security.token_for("agent-1")
        async with house.upgraded(Authorization=f"Bearer {token}") as raw:
            assert await raw.receive() == (9, b"")
            await raw.everything()
        await trio.sleep(0.7)
        assert (await client.call("health.get"))["healthy"]
        assert house.service.statistics()["connections"] == 1


async def test_other_signs_of_life(open_house: Any) -> None:
    """Whatever comes in shows that there is somebody."""
    async with open_house(ping_seconds=0.3) as house, house.upgraded() as raw:
        for _ in range(10):
            await raw.send(10, b"unasked")
            await trio.sleep(0.1)
        request = {"jsonrpc": "2.0", "id": 1, "method": "health.get"}
        await raw.send(1, json.dumps(request))
        while (frame := await raw.receive())[0] == 9:
            pass
        assert frame[0] == 1


_PROGRAM = f"""
import resource, sys, tempfile
resource.setrlimit(resource.RLIMIT_NOFILE, (4_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from importlib.metadata import entry_points
import trio
from trio_websocket import open_websocket_url
from observatory import Settings, open_observatory

async def follow(url, token, ready, got):
    async with open_websocket_url(url, extra_headers=[(b"Authorization", b"Bearer " + token.encode())]) as socket:
        await socket.send_message('{{"jsonrpc":"2.0","id":1,"method":"topics.subscribe","params":{{"topic":"build"}}}}')
        await socket.get_message()
        ready.append(1)
        got.append(await socket.get_message())
        await trio.sleep_forever()

async def main(root):
    others = tuple({{point.name for point in entry_points(group="observatory")}} - {{"websocket"}})
    async with open_observatory(Settings(root=root, disabled_plugins=others)) as obs:
        service, ready, got = obs.service("websocket"), [], []
        async with trio.open_nursery() as nursery:
            for _ in range({_CONNECTIONS}):
                nursery.start_soon(follow, service.url, obs.security.token, ready, got)
            while len(ready) < {_CONNECTIONS}:
                await trio.sleep(0.01)
            assert service.statistics()["connections"] == {_CONNECTIONS}
            obs.pubsub.publish("build", "hello")
            while len(got) < {_CONNECTIONS}:
                await trio.sleep(0.01)
            assert set(map(len, got)) == {{len(got[0])}}
            print(len(got), "connections")
            nursery.cancel_scope.cancel()

with tempfile.TemporaryDirectory() as root:
    trio.run(main, root)
"""


@pytest.mark.slow
async def test_a_thousand() -> None:
    """A thousand connections at once follow a topic."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 4_000:
        pytest.skip(f"a process may open {hard} files here, and this needs 2,000 sockets")
    result = await trio.run_process(
        [sys.executable, "-c", _PROGRAM], capture_stdout=True, stderr=subprocess.STDOUT, check=False
    )
    assert (result.returncode, result.stdout.decode()) == (0, f"{_CONNECTIONS} connections\n")
