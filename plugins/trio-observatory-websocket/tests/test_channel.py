"""The delivery channel: what it brings to those who listen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
import trio
from observatory_websocket import WebSocketChannel, WebSocketService
from observatory_websocket.server.incoming import Incoming
from observatory_websocket.server.listening import Listener
from observatory_websocket.server.stream import SharedStream
from trio.testing import memory_stream_pair, wait_all_tasks_blocked
from trio_websocket import WebSocketConnection, open_websocket_url

from observatory import (
    ChannelFactory,
    Context,
    DeliveryChannel,
    Observatory,
    Settings,
    open_observatory,
    read_service,
    token_for,
)
from observatory.testing import DeliveryChannelConformance


def _stream() -> SharedStream:
    return SharedStream(memory_stream_pair()[0], b"", b"", Incoming(1_000))


class _Recorder(Listener):
    """A connection that listens, and notes what it is given; it can be full."""

    def __init__(self) -> None:
        super().__init__(_stream(), 1, 1)
        self.full = False
        self.ids: list[str] = []

    def put(self, frame: bytes) -> bool:
        """Note the id of a message that is delivered."""
        if not self.full:
            notification = orjson.loads(frame[frame.index(b"{") :])
            if notification["method"] == "mailbox.delivered":
                self.ids.append(notification["params"]["message"]["id"])
        return not self.full


class TestWebSocketChannel(DeliveryChannelConformance):
    """The laws, with somebody who listens for each recipient."""

    @pytest.fixture
    def channel_factory(self) -> ChannelFactory:
        """Return a factory whose delivery channels find a service with listeners."""
        self.recorders: dict[str, _Recorder] = {}

        def factory(context: Context) -> DeliveryChannel:
            self.recorders = self.recorders or {name: _Recorder() for name in "abcd"}
            service = WebSocketService(context)
            for name, recorder in self.recorders.items():
                service.listeners.add(name, recorder)
            return WebSocketChannel(attrs.evolve(context, services={"websocket": service}))

        return factory

    async def delivered(self, channel: DeliveryChannel, to: str) -> list[str]:
        """Return what the listener was given."""
        await trio.lowlevel.checkpoint()
        return self.recorders[to].ids

    def break_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Let the listener be full."""
        self.recorders[to].full = True

    def mend_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Let it have room again."""
        self.recorders[to].full = False


class Agent:
    """A connection of an agent's, which asks and hears."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket

    async def ask(self, method: str, **params: Any) -> Any:
        """Ask for something, and return the answer."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        await self._socket.send_message(orjson.dumps(request).decode())
        return await self.hear()

    async def hear(self) -> Any:
        """Return the next message."""
        return orjson.loads(await self._socket.get_message())


@asynccontextmanager
async def connected(obs: Observatory, name: str) -> AsyncIterator[Agent]:
    """Connect as an agent."""
    info = read_service(obs.settings.root)
    assert info is not None
    headers = [(b"Authorization", f"Bearer {token_for(info.token, name)}".encode())]
    async with open_websocket_url(info.doors["websocket"], extra_headers=headers) as socket:
        yield Agent(socket)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with the delivery channel, and without files."""
    plugins = {"websocket": {"channel": True}}
    return Settings(root=tmp_path / "root", disabled_plugins=("inbox", "sqlite", "example"), plugins=plugins)


async def test_an_agent_that_listens_has_its_mail_brought(settings: Settings) -> None:
    """The receipt says `sent`, and the acknowledgement is told, too."""
    async with open_observatory(settings) as obs, connected(obs, "bob") as bob:
        assert (await bob.ask("mailbox.listen"))["result"] is True
        receipt = await obs.mailbox.send_message("bob", "ann", "hello", require=["websocket"])
        assert receipt.deliveries["websocket"].state == "sent"
        delivered = await bob.hear()
        assert delivered["method"] == "mailbox.delivered"
        assert delivered["params"]["message"]["content"] == "hello"
        assert delivered["params"]["sequence"] == receipt.sequence
        await obs.mailbox.mark_read("bob", receipt.message.id)
        retracted = await bob.hear()
        assert retracted["method"] == "mailbox.retracted"
        assert retracted["params"] == {"to": "bob", "id": receipt.message.id}


async def test_nobody_listens(settings: Settings) -> None:
    """The ledger does not claim that it was sent, and there is no dead letter."""
    async with open_observatory(settings) as obs, connected(obs, "bob") as bob:
        await bob.ask("mailbox.listen")
        assert (await bob.ask("mailbox.unlisten"))["result"] is True
        assert (await bob.ask("mailbox.unlisten"))["result"] is False
        receipt = await obs.mailbox.send_message("bob", "ann", "hello")
        await wait_all_tasks_blocked()
        [record] = obs.deliveries(receipt.message.id)
        assert record.delivery.state == "dropped"
        assert record.delivery.error == "no connection listens for the mail of 'bob'"
        assert obs.dead_letters() == ()


async def test_a_connection_that_is_gone_listens_no_more(settings: Settings) -> None:
    """The next message is not brought to anybody."""
    async with open_observatory(settings) as obs:
        async with connected(obs, "bob") as bob:
            await bob.ask("mailbox.listen")
        await wait_all_tasks_blocked(0.01)
        assert not obs.service(WebSocketService).listeners.of("bob")


async def test_an_agent_listens_for_its_own_mail_only(settings: Settings) -> None:
    """Its token names it."""
    async with open_observatory(settings) as obs, connected(obs, "bob") as bob:
        answer = await bob.ask("mailbox.listen", agent="ann")
        assert answer["error"]["data"]["error"] == "ForbiddenError"


async def test_without_the_channel_listening_says_so(settings: Settings) -> None:
    """Nobody would bring anything."""
    async with open_observatory(attrs.evolve(settings, plugins={})) as obs, connected(obs, "bob") as bob:
        assert (await bob.ask("mailbox.listen"))["result"] is False


async def test_a_full_listener_is_told_what_it_has_missed() -> None:
    """With the next frame for which there is room."""
    await trio.lowlevel.checkpoint()
    listener = Listener(_stream(), 1, 1_000)
    assert listener.put(b"first")
    assert not listener.put(b"second")
    assert not listener.put(b"third")
    listener.take()
    assert listener.put(b"fourth")
    told, fourth = listener.take()
    assert b'"mailbox.dropped","params":{"count":2}' in told
    assert fourth == b"fourth"
