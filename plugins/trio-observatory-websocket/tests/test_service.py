"""The service as a whole: where it is found, how it ends, what it tells of itself."""

from __future__ import annotations

import json
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_websocket.server.service import WebSocketService
from observatory_websocket.settings import WebSocketSettings

from observatory import Clock, Context, PubSub, UnknownNameError, read_service


def _make(root: Path, **settings: Any) -> WebSocketService:
    """Make a service without an Observatory around it."""
    return WebSocketService(Context(root, Clock(), PubSub(), WebSocketSettings(**settings), {}, {}))


async def test_found(house: Any) -> None:
    """`service.json` says where it is, and holds the token; when it has ended, there is none."""
    root = house.obs.settings.root
    info = await trio.to_thread.run_sync(read_service, root)
    assert info is not None
    assert (info.doors, info.token) == ({"websocket": house.url}, house.token)
    async with house.client() as client:
        assert (await client.call("health.get"))["healthy"]


async def test_gone(open_house: Any) -> None:
    """When it has ended there is no `service.json`, and nobody listens."""
    async with open_house() as house:
        pass
    assert house.service.url is None
    assert read_service(house.obs.settings.root) is None
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", house.port)


async def test_turned_off(open_house: Any) -> None:
    """Turned off, there is no such service."""
    with pytest.raises(UnknownNameError, match="there is no service 'WebSocketService'"):
        async with open_house(enabled=False):
            pass


async def test_stop(open_house: Any) -> None:
    """When it ends, clients hear it and how far they were served, in the middle of events as well."""
    async with AsyncExitStack() as stack:
        async with open_house() as house:
            idle = await stack.enter_async_context(house.upgraded())
            unknown = await stack.enter_async_context(house.upgraded(Authorization=None))
            waiting = await stack.enter_async_context(house.upgraded())
            request = {"jsonrpc": "2.0", "id": 1, "method": "mailbox.receive", "params": {"agent": "a"}}
            await waiting.send(1, json.dumps(request))
            busy = await stack.enter_async_context(house.upgraded())
            await busy.call("topics.subscribe", topic="build")
            for number in range(300):
                house.obs.pubsub.publish("build", number)
            assert (await busy.message())["params"]["payload"] == 0
        for raw in (idle, unknown, waiting):
            assert await raw.close_code() == (1001, "the service is ending")
            assert await raw.everything() == b""
        last = 0
        while (frame := await busy.receive())[0] == 1:
            last = json.loads(frame[1])["params"]["sequence"]
        assert frame == (8, b"\x03\xe9" + f"the service is ending; last {last}@build".encode())


async def test_stop_with_a_stuck_client(open_house: Any) -> None:
    """A client that does not read holds nobody up when the service ends."""
    async with open_house() as house, house.upgraded() as raw:
        await raw.call("topics.subscribe", topic="build")
        for _ in range(9_000):
            house.obs.pubsub.publish("build", "x" * 1_000)
        await trio.testing.wait_all_tasks_blocked(0.05)
        before = trio.current_time()
        house.obs.pubsub.publish("build", "last")
        await house.obs.stop()
        assert trio.current_time() - before < 3


async def test_two_on_one_root(tmp_path: Path, log: Any) -> None:
    """A second service on a root waits until the first one has ended, and takes over."""
    log.expect("runs a service on the root .* already; .*; this one waits until that has ended")
    first, second = _make(tmp_path), _make(tmp_path)
    async with trio.open_nursery() as outer:
        async with trio.open_nursery() as inner:
            await inner.start(first.run)
            await outer.start(second.run)
            assert second.url is None
            assert _doors(tmp_path) == {"websocket": first.url}
            inner.cancel_scope.cancel()
        with trio.fail_after(10):
            await trio.lowlevel.checkpoint()
            while second.url is None:  # noqa: ASYNC110 -- nobody tells
                await trio.sleep(0.05)
        assert _doors(tmp_path) == {"websocket": second.url}
        outer.cancel_scope.cancel()


def _doors(root: Path) -> Any:
    info = read_service(root)
    return info and info.doors


async def test_port(tmp_path: Path) -> None:
    """A port that is taken fails the service, for its supervisor to see."""
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            service = _make(tmp_path, port=listener.socket.getsockname()[1])
            with pytest.raises(OSError, match="in use") as info:
                await service.run()
            assert "cannot listen at port" in str(info.value)
            assert "set another host or port under plugins.websocket" in str(info.value)
        nursery.cancel_scope.cancel()
    assert read_service(tmp_path) is None


async def test_ipv6(tmp_path: Path) -> None:
    """It listens on loopback of IPv6 as well."""
    service = _make(tmp_path, host="::1")
    async with trio.open_nursery() as nursery:
        try:
            await nursery.start(service.run)
        except OSError:
            pytest.skip("there is no IPv6 here")
        assert service.url is not None
        assert service.url.startswith("ws://[::1]:")
        nursery.cancel_scope.cancel()


async def test_statistics(house: Any) -> None:
    """It tells of every connection, in figures that JSON can hold and that hold no secret."""
    async with house.client("agent-1") as client, house.upgraded(Authorization=None):
        await client.call("topics.subscribe", topic="build")
        figures = (await client.call("statistics.get"))["services"]["websocket"]
        assert (figures["url"], figures["open"], figures["connections"], figures["accepted"]) == (house.url, 2, 2, 2)
        [agent] = [one for one in figures["clients"] if one["identity"] == "agent-1"]
        assert (agent["requests"], agent["subscriptions"], agent["full"]) == (2, 1, False)
        assert agent["written_bytes"] > 0
        assert house.token not in json.dumps(figures)


async def test_no_secret_in_the_log(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No token stands in the log, whatever is logged, and however it came."""
    caplog.set_level(logging.DEBUG)
    agent = house.obs.security.token_for("agent-1")
    async with house.client("agent-1"), house.upgraded(Authorization=None) as raw:
        await raw.call("observatory.authenticate", token=agent)
        await raw.call("nonsense")
        async with house.raw() as other:
            await other.ask(other.request(Host="evil.example"))
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert house.token not in text
    assert agent not in text
