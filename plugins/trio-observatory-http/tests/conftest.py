"""An Observatory with nothing but the door for HTTP, and clients of two kinds: bytes on a socket, and requests."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import httpx2
import pytest
import trio
from observatory_http.server.service import HttpService

from observatory import Observatory, Settings, SwarmSettings, open_observatory

_PATIENCE = 60.0


class Raw:
    """A client that speaks bytes."""

    def __init__(self, stream: trio.SocketStream, house: House) -> None:
        self.stream = stream
        self._rest = b""
        self._house = house

    def request(
        self, line: str = "GET /readyz HTTP/1.1", body: bytes = b"", **headers: str | list[str] | None
    ) -> bytes:
        """Return a good request, with some headers changed, several times there, or left out (None)."""
        fields: dict[str, str | list[str] | None] = {
            "Host": f"127.0.0.1:{self._house.port}",
            "Authorization": f"Bearer {self._house.token}",
        }
        if body:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [line]
        for name, values in fields.items():
            lines += [f"{name}: {value}" for value in ([values] if isinstance(values, str) else values or [])]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], str]:
        """Send a request; return the status, the headers and the body of the answer."""
        await self.stream.send_all(request)
        return await self.answer(with_body=not request.startswith(b"HEAD"))

    async def answer(self, *, with_body: bool = True) -> tuple[int, dict[str, str], str]:
        """Return the answer to a request, as above."""
        while b"\r\n\r\n" not in self._rest:
            assert await self._more(), f"closed after {self._rest[:100]!r}"
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", 0)) if with_body else 0
        while len(self._rest) < size:
            assert await self._more(), "closed within an answer"
        body, self._rest = self._rest[:size], self._rest[size:]
        return int(first.split(" ")[1]), headers, body.decode()

    async def everything(self) -> bytes:
        """Return what comes until the other side closes."""
        while await self._more():
            pass
        return self._rest

    async def _more(self) -> bool:
        data = await self.stream.receive_some(1024 * 1024)
        self._rest += data
        return bool(data)


class House:
    """An Observatory whose door is open."""

    def __init__(self, obs: Observatory) -> None:
        self.obs = obs
        self.service = obs.service(HttpService)
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
    async def client(self, agent: str | None = None, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
        """Open a client as the owner, or as an agent."""
        token = self.token if agent is None else self.obs.security.token_for(agent)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=None, **options) as client:
            yield client

    @property
    def figures(self) -> Mapping[str, Any]:
        """What the service tells of itself."""
        return self.service.statistics()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is seen to have happened."""
        await trio.lowlevel.checkpoint()
        while not happened():  # noqa: ASYNC110 -- what happens in the service is told by nobody
            await trio.sleep(0.005)


OpenHouse: TypeAlias = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def open_house(tmp_path: Path) -> OpenHouse:
    """Return what opens an Observatory with nothing but the door for HTTP, on a root of the test's own."""
    installed = {point.name for point in entry_points(group="observatory")}

    @asynccontextmanager
    async def open_house(
        *,
        plugins: tuple[object, ...] = (),
        also: tuple[str, ...] = (),
        tables: Mapping[str, Any] = MappingProxyType({}),
        **settings: Any,
    ) -> AsyncIterator[House]:
        """Open it: with plugin objects, other plugins by name, tables of settings, and settings of its own."""
        whole = Settings(
            root=tmp_path / "root",
            disabled_plugins=tuple(sorted(installed - {"http", *also})),
            plugins={"http": settings},
            swarm=SwarmSettings(follow=False),
            **dict(tables),
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

    def __init__(self) -> None:
        self.expected: list[str] = []

    def expect(self, pattern: str, times: int = 1) -> None:
        """Let lines be logged that match; they must be."""
        self.expected += [pattern] * times


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    """See that no warning or error is logged but what a test expects."""
    log = Log()
    yield log
    lines = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    for pattern in log.expected:
        found = next((line for line in lines if re.search(pattern, line)), None)
        assert found is not None, f"nothing was logged that matches {pattern!r}: {lines}"
        lines.remove(found)
    assert lines == []


@pytest.fixture
def refused() -> Callable[[Any, int], str]:
    """Return what sees that an answer is an error of that status, and returns its text."""

    def refused(response: httpx2.Response, status: int) -> str:
        data = json.loads(response.content)
        assert (response.status_code, set(data)) == (status, {"error", "message", "fields"}), response.text
        text: str = data["message"]
        return text

    return refused
