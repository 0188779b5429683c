"""The service as a whole: where it is found, how it ends, what it tells of itself."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_http.server.service import HttpService
from observatory_http.settings import HttpSettings

from observatory import Asgi, AsgiApp, Clock, Context, PubSub, UnknownNameError, read_service
from observatory.testing import cancel_at_every_checkpoint, observatory_plugin


def _make(root: Path, **settings: Any) -> HttpService:
    """Make a service without an Observatory around it."""
    return HttpService(Context(root, Clock(), PubSub(), HttpSettings(**settings), {}, {}))


class Waiting:
    """A route that begins to answer, and ends when it is told to.

    Attributes:
        begun: set when a request is there.
        go: lets it end.
    """

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.go = trio.Event()

    def make(self, context: Context) -> AsgiApp:
        """Make the application."""
        return self._answer

    async def _answer(self, scope: Asgi, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hel", "more_body": True})
        self.begun.set()
        await self.go.wait()
        await send({"type": "http.response.body", "body": b"lo"})


@pytest.fixture
def waiting() -> Waiting:
    """Return a route that waits."""
    return Waiting()


async def test_found(house: Any) -> None:
    """`service.json` says where it is."""
    info = await trio.to_thread.run_sync(read_service, house.obs.settings.root)
    assert info is not None
    assert (info.doors, info.token) == ({"http": house.url}, house.token)


async def test_two_doors(open_house: Any) -> None:
    """Beside the websocket, both doors stand there."""
    async with open_house(also=("websocket",)) as house:
        info = await trio.to_thread.run_sync(read_service, house.obs.settings.root)
        assert info is not None
        assert set(info.doors) == {"http", "websocket"}


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
    with pytest.raises(UnknownNameError, match="there is no service 'HttpService'"):
        async with open_house(enabled=False):
            pass


async def test_stop_ends_idle_clients(open_house: Any) -> None:
    """When it ends, a connection without a request is closed at once, without half an answer."""
    async with open_house() as house:
        raw_context = house.raw()
        raw = await raw_context.__aenter__()
        await raw.ask(raw.request())
        before = trio.current_time()
        await house.obs.stop()
        assert trio.current_time() - before < 0.5
        assert await raw.everything() == b""
        await raw_context.__aexit__(None, None, None)


async def test_stop_lets_requests_end(open_house: Any, waiting: Waiting, nursery: trio.Nursery) -> None:
    """When it ends, a request that is carried out has a moment."""
    plugin = observatory_plugin("waits", routes={"wait": waiting.make})
    async with open_house(plugins=(plugin,)) as house, house.raw() as raw:
        await raw.stream.send_all(raw.request("GET /wait HTTP/1.1"))
        await waiting.begun.wait()
        nursery.start_soon(house.obs.stop)
        await trio.testing.wait_all_tasks_blocked(0.01)
        waiting.go.set()
        assert (await raw.answer())[2] == "hello"


async def test_stop_does_not_wait_for_ever(open_house: Any, waiting: Waiting) -> None:
    """A request that goes on and on is ended."""
    plugin = observatory_plugin("waits", routes={"wait": waiting.make})
    async with open_house(plugins=(plugin,)) as house, house.raw() as raw:
        await raw.stream.send_all(raw.request("GET /wait HTTP/1.1"))
        await waiting.begun.wait()
        before = trio.current_time()
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
            inner.cancel_scope.cancel()
        with trio.fail_after(10):
            await trio.lowlevel.checkpoint()
            while second.url is None:  # noqa: ASYNC110 -- nobody tells
                await trio.sleep(0.05)
        outer.cancel_scope.cancel()


async def test_port(tmp_path: Path) -> None:
    """A port that is taken fails the service, for its supervisor to see."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        service = _make(tmp_path, port=listener.socket.getsockname()[1])
        with pytest.raises(OSError, match=r"cannot listen at port .* set another host or port under plugins.http"):
            await service.run()
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
        assert service.url.startswith("http://[::1]:")
        nursery.cancel_scope.cancel()


async def test_statistics(house: Any) -> None:
    """It tells of its connections and requests, in figures that JSON can hold and that hold no secret."""
    async with house.client() as client:
        await client.get("readyz")
        await client.get("metrics")
        await client.get("nothing")
        figures = house.figures
        assert (figures["url"], figures["connections"], figures["accepted"]) == (house.url, 1, 1)
        assert (figures["requests"], figures["refused"]) == (3, {"404": 1})
        assert house.token not in json.dumps(figures)


async def test_no_secret_in_the_log(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No token stands in the log, whatever is logged."""
    caplog.set_level(logging.DEBUG, "observatory")
    async with house.client("agent-1") as client:
        await client.get("metrics")
        await client.get("nothing", headers={"Host": "evil.example"})
    async with house.raw() as raw:
        await raw.ask(raw.request("GET / HTTP/9.9"))
    async with house.raw() as raw:
        await raw.ask(raw.request().replace(b"Authorization:", b"Authorization :"))
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert house.token not in text
    assert house.obs.security.token_for("agent-1") not in text


async def test_a_client_that_goes_at_any_moment(house: Any) -> None:
    """Wherever a client gives up, its message is there once or not at all, its connection is gone, and others go on."""

    async def send() -> None:
        async with house.raw() as raw:
            body = b'{"content": "x", "from": "ann"}'
            await raw.ask(raw.request("POST /api/mailboxes/bob/messages HTTP/1.1", body))

    async def check() -> None:
        await house.until(lambda: house.figures["connections"] == 0)

    runs = await cancel_at_every_checkpoint(send, check)
    assert 0 < house.obs.mailbox.unread_count("bob") <= runs + 1
    async with house.client() as client:
        assert (await client.get("readyz")).status_code == 200
