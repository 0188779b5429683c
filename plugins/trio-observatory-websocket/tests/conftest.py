"""An Observatory with nothing but the websocket, and clients of two kinds: bytes on a socket, and JSON-RPC."""

from __future__ import annotations

import itertools
import json
import logging
import re
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import pytest
import trio
from observatory_websocket.server.service import WebSocketService
from trio_websocket import WebSocketConnection, open_websocket_url

from observatory import Observatory, Settings, open_observatory

_PATIENCE = 60.0
_TEXT, _CLOSE = 1, 8


class Raw:
    """A client that speaks bytes."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, house: House) -> None:
        self.stream = stream
        self._rest = b""
        self._house = house

    def request(self, line: str = "GET / HTTP/1.1", **headers: str | list[str] | None) -> bytes:
        """Return a good request for a websocket, with some headers changed, several times there, or left out (None)."""
        fields: dict[str, str | list[str] | None] = {
            "Host": f"127.0.0.1:{self._house.port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Authorization": f"Bearer {self._house.token}",
        }
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [line]
        for name, values in fields.items():
            lines += [f"{name}: {value}" for value in ([values] if isinstance(values, str) else values or [])]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], str]:
        """Send a request; return the status, the headers and, unless it was upgraded, all that came behind them."""
        await self.stream.send_all(request)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], str]:
        """Return the answer to a request, as above."""
        head = await self._until(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")[:-2]
        status = int(first.split(" ")[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return status, headers, "" if status == 101 else (await self.everything()).decode()

    async def upgrade(self, **headers: Any) -> None:
        """Become a websocket."""
        status, _, text = await self.ask(self.request(**headers))
        assert status == 101, text

    @staticmethod
    def frame(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
        """Return a frame as a client sends it: masked, here with zeros."""
        size = len(payload)
        if size < 126:
            length = bytes([0x80 | size])
        elif size < 65536:
            length = b"\xfe" + struct.pack("!H", size)
        else:
            length = b"\xff" + struct.pack("!Q", size)
        return bytes([(0x80 if final else 0) | opcode]) + length + bytes(4) + payload

    async def send(self, opcode: int, payload: bytes | str = b"", *, final: bool = True) -> None:
        """Send a frame."""
        data = payload.encode() if isinstance(payload, str) else payload
        await self.stream.send_all(self.frame(opcode, data, final=final))

    async def call(self, method: str, **params: Any) -> Any:
        """Ask for something, with nothing else under way; return the answer."""
        await self.send(_TEXT, json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        return await self.message()

    async def message(self) -> Any:
        """Return the next text message."""
        opcode, payload = await self.receive()
        assert opcode == _TEXT, (opcode, payload)
        return json.loads(payload)

    async def close_code(self) -> tuple[int, str]:
        """Read on until a close frame; return its code and reason."""
        while True:
            opcode, payload = await self.receive()
            if opcode == _CLOSE:
                return (int.from_bytes(payload[:2], "big") or 1005), payload[2:].decode()

    async def receive(self) -> tuple[int, bytes]:
        """Return the next frame: opcode and payload."""
        first, size = await self._exactly(2)
        assert first & 0xF0 == 0x80, "a server sends whole frames, without extensions"
        if size == 126:
            [size] = struct.unpack("!H", await self._exactly(2))
        elif size == 127:
            [size] = struct.unpack("!Q", await self._exactly(8))
        return first & 0x0F, await self._exactly(size)

    async def everything(self) -> bytes:
        """Return what comes until the other side closes."""
        while await self._more():
            pass
        data, self._rest = self._rest, b""
        return data

    async def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            assert await self._more(), f"closed within a frame, after {self._rest[:100]!r}"
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            assert await self._more(), f"closed after {self._rest[:100]!r}"
        data, found, self._rest = self._rest.partition(mark)
        return data + found

    async def _more(self) -> bool:
        data = await self.stream.receive_some(1024 * 1024)
        self._rest += data
        return bool(data)


class Client:
    """A client that speaks JSON-RPC, with nothing in the background."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.events: deque[Any] = deque()
        self._ids = itertools.count(1)

    async def call(self, method: str, /, **params: Any) -> Any:
        """Ask for something; return the result."""
        answer = await self.answer(method, params)
        assert "error" not in answer, answer
        return answer["result"]

    async def refusal(self, method: str, /, **params: Any) -> Any:
        """Ask for something that is refused; return the error."""
        answer = await self.answer(method, params)
        assert "result" not in answer, answer
        return answer["error"]

    async def answer(self, method: str, params: Any) -> Any:
        """Ask for something; return the answer, and keep the events that come before it."""
        id = await self.begin(method, params)
        while True:
            message = await self.message()
            if message.get("method") == "topics.event":
                self.events.append(message["params"])
            else:
                assert message["id"] == id
                return message

    async def begin(self, method: str, params: Any = None) -> int:
        """Ask for something, and do not wait; return the id."""
        id = next(self._ids)
        await self.say({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        return id

    async def say(self, message: Any) -> None:
        """Send a message: text and bytes as they are, anything else as JSON."""
        await self.socket.send_message(message if isinstance(message, str | bytes) else json.dumps(message))

    async def message(self) -> Any:
        """Return the next message."""
        return json.loads(await self.socket.get_message())

    async def event(self) -> Any:
        """Return the next event."""
        if self.events:
            return self.events.popleft()
        message = await self.message()
        assert message["method"] == "topics.event", message
        return message["params"]


class House:
    """An Observatory whose door is open."""

    def __init__(self, obs: Observatory) -> None:
        self.obs = obs
        self.service = obs.service(WebSocketService)
        assert self.service.url is not None
        self.url = self.service.url
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))
        self.token = obs.security.token

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[Raw]:
        """Open a connection for bytes."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            yield Raw(stream, self)

    @asynccontextmanager
    async def upgraded(self, **headers: Any) -> AsyncIterator[Raw]:
        """Open a websocket for bytes."""
        async with self.raw() as raw:
            await raw.upgrade(**headers)
            yield raw

    @asynccontextmanager
    async def client(self, agent: str | None = None, **options: Any) -> AsyncIterator[Client]:
        """Open a websocket as the owner, or as an agent."""
        token = self.token if agent is None else self.obs.security.token_for(agent)
        headers = [(b"Authorization", f"Bearer {token}".encode())]
        defaults: dict[str, Any] = {"disconnect_timeout": 5, "max_message_size": 64 * 1024 * 1024}
        async with open_websocket_url(self.url, extra_headers=headers, **defaults | options) as socket:
            yield Client(socket)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is seen to have happened."""
        await trio.lowlevel.checkpoint()
        while not happened():  # noqa: ASYNC110 -- what happens in the service is told by nobody
            await trio.sleep(0.005)


OpenHouse: TypeAlias = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def open_house(tmp_path: Path) -> OpenHouse:
    """Return what opens an Observatory with nothing but the websocket, on a root of the test's own."""
    installed = {point.name for point in entry_points(group="observatory")}

    @asynccontextmanager
    async def open_house(
        *,
        plugins: tuple[object, ...] = (),
        also: tuple[str, ...] = (),
        tables: Mapping[str, Any] = MappingProxyType({}),
        **settings: Any,
    ) -> AsyncIterator[House]:
        """Open it: with plugin objects, other plugins by name, tables of settings, and settings of the websocket."""
        disabled = tuple(sorted(installed - {"websocket", *also}))
        whole = Settings(
            root=tmp_path / "root", disabled_plugins=disabled, plugins={"websocket": settings}, **dict(tables)
        )
        with trio.fail_after(_PATIENCE):
            async with open_observatory(whole, plugins=plugins) as obs:
                yield House(obs)

    return open_house


@pytest.fixture
async def house(open_house: OpenHouse) -> AsyncIterator[House]:
    """Return an Observatory whose door is open."""
    async with open_house() as house:
        yield house


class Log:
    """What may be logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.expected: list[str] = []
        self._caplog = caplog

    @property
    def lines(self) -> list[str]:
        """Return the warnings and errors that were logged so far."""
        return [record.getMessage() for record in self._caplog.records if record.levelno >= logging.WARNING]

    def expect(self, pattern: str, times: int = 1) -> None:
        """Let lines be logged that match; they must be."""
        self.expected += [pattern] * times


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    """See that no warning or error is logged but what a test expects."""
    log = Log(caplog)
    yield log
    lines = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    for pattern in log.expected:
        found = next((line for line in lines if re.search(pattern, line)), None)
        assert found is not None, f"nothing was logged that matches {pattern!r}: {lines}"
        lines.remove(found)
    assert lines == []
