"""Opening a client: where, as whom, what stops it, and what comes out of the block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_websocket import open_client

from observatory import (
    ForbiddenError,
    InvalidInputError,
    ObservatoryError,
    ServiceFile,
    Settings,
    UnauthorizedError,
    UnreachableError,
    find_client,
    open_observatory,
    token_for,
)

MakeSettings = Callable[..., Settings]
Until = Callable[[Callable[[], object]], Awaitable[None]]


async def opened(*args: Any, **options: Any) -> None:
    """Open a client and close it."""
    async with open_client(*args, **options) as client:
        await client.health()


async def test_root(settings: MakeSettings) -> None:
    """With a root, place and token of the service are found; it may be text."""
    async with open_observatory(settings()) as observatory:
        await opened(root=observatory.settings.root)
        await opened(root=str(observatory.settings.root))


async def test_default_root(settings: MakeSettings, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anything, it is the service of the root that `Settings` has by default."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(root))
    async with open_observatory(settings()):
        await opened()


async def test_url(settings: MakeSettings) -> None:
    """With a URL goes a token, or the variable."""
    async with open_observatory(settings()) as observatory:
        await opened(observatory.service("websocket").url, token=observatory.security.token)


async def test_variable(settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`OBSERVATORY_TOKEN` is taken where no token is given, and names the agent that it is of."""
    async with open_observatory(settings()) as observatory:
        monkeypatch.setenv("OBSERVATORY_TOKEN", observatory.security.token_for("agent-42"))
        await opened(observatory.service("websocket").url)
        async with open_client(root=observatory.settings.root) as client:
            assert (await client.mailbox.send_message("a", "agent-42", "hello")).verified
        running = await find_client(observatory.settings)
        assert running is not None
        async with running as found:
            with pytest.raises(ForbiddenError):
                await found.mailbox.send_message("a", "b", "hello")


async def test_identity(settings: MakeSettings) -> None:
    """Who connects as an agent is verified, and can act as nobody else."""
    async with open_observatory(settings()) as observatory:
        async with open_client(root=observatory.settings.root, identity="agent-42") as client:
            async with await client.subscribe("agent:a") as events:
                receipt = await client.mailbox.send_message("a", "agent-42", "hello")
                event = await anext(events)
            assert (receipt.verified, event.verified, event.payload) == (True, True, receipt.message)
            with pytest.raises(ForbiddenError, match="names 'agent-42', which cannot act as 'agent-43'"):
                await client.mailbox.send_message("a", "agent-43", "hello")
            with pytest.raises(ForbiddenError):
                await client.mailbox.receive("agent-43")
        running = await find_client(observatory.settings, identity="agent-42")
        assert running is not None
        async with running as found:
            assert (await found.mailbox.send_message("a", "agent-42", "hello")).verified
        async with open_client(root=observatory.settings.root) as owner:
            assert not (await owner.mailbox.send_message("a", "agent-42", "hello")).verified


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"url": "ws://127.0.0.1:1/", "root": "."}, "url"),
        ({"url": "ws://127.0.0.1:1/", "identity": "a"}, "url"),
        ({"root": ".", "identity": "a", "token": "t"}, "identity"),
        ({"url": "http://127.0.0.1:1/", "token": "t"}, "url"),
        ({"url": "ws://", "token": "t"}, "url"),
        ({"url": "ws://user:secret@127.0.0.1:1/", "token": "t"}, "url"),
        ({"url": "ws://127.0.0.1:1/?token=secret", "token": "t"}, "url"),
        ({"url": "ws://127.0.0.1:1/#secret", "token": "t"}, "url"),
        ({"url": "ws://127.0.0.1:99999/", "token": "t"}, "url"),
        ({"url": "ws://[::1/", "token": "t"}, "url"),
        ({"url": 5, "token": "t"}, "url"),
        ({"url": "wss://a..b:1/", "token": "t"}, "url"),
        ({"url": f"wss://{'a' * 64}.example:1/", "token": "t"}, "url"),
        ({"url": "ws://127.0.0.1:1/", "token": "t\n"}, "token"),
        ({"url": "ws://127.0.0.1:1/", "token": "tökén"}, "token"),
        ({"url": "ws://127.0.0.1:1/", "token": 5}, "token"),
    ],
)
async def test_arguments(arguments: dict[str, Any], field: str) -> None:
    """Arguments that are not allowed, or do not go together, are refused; a token is never shown."""
    with pytest.raises(InvalidInputError) as refusal:
        await opened(**arguments)
    assert refusal.value.field == field
    assert "\n" not in str(refusal.value)
    assert field != "token" or str(arguments["token"]) not in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]", "swarm.example.org", "localhost.example.org"])
async def test_in_the_clear(host: str) -> None:
    """A token does not go to another machine in the clear: that is refused before anything is sent, with what to do."""
    with pytest.raises(InvalidInputError, match=r"url: ws:// would send the token to '.*' in the clear; use wss://"):
        await opened(f"ws://{host}:1/", token="token")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost", "LOCALHOST"])
async def test_on_this_machine(host: str) -> None:
    """On this machine it may."""
    with pytest.raises(UnreachableError):
        await opened(f"ws://{host}:1/", token="token")


async def test_wrong_identity(settings: MakeSettings) -> None:
    """An identity that can be no agent's name is refused."""
    async with open_observatory(settings()) as observatory:
        with pytest.raises(InvalidInputError, match=r"name: '\.\./a' is no name"):
            await opened(root=observatory.settings.root, identity="../a")


async def test_root_that_is_none() -> None:
    """A root that can be none is refused."""
    with pytest.raises(ObservatoryError):
        await opened(root=5)


async def test_no_token() -> None:
    """A URL without a token is refused at once."""
    with pytest.raises(UnauthorizedError):
        await opened("ws://127.0.0.1:1/")


async def test_no_service(root: Path) -> None:
    """Where no service runs, that is said at once, whether there is a root or none."""
    for where in (root, root.parent):
        with pytest.raises(UnreachableError, match="no service runs on this root; start one with") as refusal:
            await opened(root=where)
        assert refusal.value.where == str(where)


async def test_stale_file(settings: MakeSettings, root: Path) -> None:
    """What a service has left that is gone is no service."""
    async with open_observatory(settings()):
        left = (root / "observatory" / "service.json").read_bytes()
    path = root / "observatory" / "service.json"
    path.write_bytes(left)
    path.chmod(0o600)
    with pytest.raises(UnreachableError, match="no service runs on this root"):
        await opened(root=root)


async def test_no_door(settings: MakeSettings, root: Path) -> None:
    """A service without this door cannot be reached through it."""
    async with open_observatory(settings(plugins={"websocket": {"enabled": False}})) as observatory:
        file = ServiceFile(root, observatory.security, observatory.clock)
        file.announce("bell", "bell://127.0.0.1:1/")
        with pytest.raises(UnreachableError, match=r"the service on this root, process \d+, has no websocket"):
            await opened(root=root)
        file.withdraw("bell")


async def test_nobody_listens() -> None:
    """Where nobody listens, that is said at once, with the reason."""
    with pytest.raises(UnreachableError, match="refused") as refusal:
        await opened("ws://127.0.0.1:1/", token="token")
    assert refusal.value.where == "ws://127.0.0.1:1/"
    assert refusal.value.__cause__ is not None


@asynccontextmanager
async def listening(handle: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[int]:
    """Let something listen; give the port."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"]
)
async def test_somebody_else_listens(answer: bytes) -> None:
    """Where something else listens, that is said at once."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(answer)

    with trio.fail_after(5):
        async with listening(handle) as port:
            with pytest.raises(UnreachableError):
                await opened(f"ws://127.0.0.1:{port}/", token="token")


async def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who accepts a connection and says nothing is waited for only so long."""
    monkeypatch.setattr("observatory_websocket.client.link._PATIENCE", 0.05)

    async def say_nothing(_: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with listening(say_nothing) as port:
        with pytest.raises(UnreachableError):
            await opened(f"ws://127.0.0.1:{port}/", token="token")
        with pytest.raises(UnreachableError, match="does not answer within"):
            await opened(f"wss://127.0.0.1:{port}/", token="token")


async def test_no_tls() -> None:
    """Where TLS is expected and something else is spoken, that is said, with the reason."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(b"hello, hello, hello")
            await stream.receive_some()

    async with listening(handle) as port:
        with pytest.raises(UnreachableError, match="SSL"):
            await opened(f"wss://127.0.0.1:{port}/", token="token")


async def test_wrong_token(settings: MakeSettings) -> None:
    """A wrong token is refused, and so is one of an earlier run of the service."""
    async with open_observatory(settings()) as observatory:
        url = observatory.service("websocket").url
        for token in ("wrong", token_for("wrong", "agent-42"), "agent-42.", "x" * 1_000):
            with pytest.raises(UnauthorizedError):
                await opened(url, token=token)
            with pytest.raises(UnauthorizedError):
                await opened(root=observatory.settings.root, token=token)


async def test_wrong_host(settings: MakeSettings) -> None:
    """A name that the service does not go by is refused, with what it allows."""
    async with open_observatory(settings()) as observatory:
        url = observatory.service("websocket").url.replace("127.0.0.1", "127.0.0.2")
        with pytest.raises((ForbiddenError, UnreachableError)):
            await opened(url, token=observatory.security.token)
        port = url.rstrip("/").rpartition(":")[2]
        await opened(f"ws://localhost:{port}/", token=observatory.security.token)
