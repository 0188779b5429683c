"""What tests of the MCP server share: a desk in this process, and agents that talk to `observatory mcp` as they do."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
import trio
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent
from observatory_mcp.desk import Call, Desk
from observatory_mcp.settings import McpSettings
from observatory_mcp.tools import TOOLS

from observatory import (
    EmbeddedClient,
    Identity,
    Observatory,
    SecuritySettings,
    Settings,
    SwarmSettings,
    open_observatory,
)

Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[Client]]
Use: TypeAlias = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody's own skills, tasks, or names."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    for name in ("OBSERVATORY_AGENT", "OBSERVATORY_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def observatory(tmp_path: Path) -> AsyncIterator[Observatory]:
    """Open an Observatory on a root of its own, with skills, and without doors."""
    settings = Settings(root=tmp_path / "root", swarm=SwarmSettings(follow=False))
    async with open_observatory(settings, services=("skills",)) as observatory:
        yield observatory


@pytest.fixture
def desk(observatory: Observatory) -> Desk:
    """Return the desk of the agent `abc`."""
    return Desk(client=EmbeddedClient(observatory), agent="abc", settings=McpSettings())


@pytest.fixture
def use(desk: Desk) -> Use:
    """Return what calls a tool there: the value, or the text of what is wrong."""

    async def report(progress: float, words: str) -> None:
        """Tell nobody."""

    async def use(tool: str, **arguments: Any) -> Any:
        result = await TOOLS[tool].call(arguments, Call(desk, report))
        [said] = result.content
        assert isinstance(said, TextContent)
        return said.text if result.is_error else result.structured_content

    return use


OLD, NEW = "2025-11-25", "2026-07-28"
HELLO = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
META = {"io.modelcontextprotocol/protocolVersion": NEW, "io.modelcontextprotocol/clientCapabilities": {}}


class Wire:
    """What is sent to `/mcp`, and what comes back.

    Args:
        http: the client.
        url: of `/mcp`.
        session: the session, by 2025-11-25; None for requests by 2026-07-28.
    """

    def __init__(self, http: httpx2.AsyncClient, url: str, session: str | None) -> None:
        self.http = http
        self.url = url
        self.session = session

    def headers(self, method: str, name: str | None = None) -> dict[str, str]:
        """Return the headers of a request."""
        if self.session is not None:
            return {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": OLD}
        return {"MCP-Protocol-Version": NEW, "Mcp-Method": method} | ({"Mcp-Name": name} if name else {})

    def body(self, method: str, id: int = 1, **params: Any) -> dict[str, Any]:
        """Return the body of a request."""
        meta = params.pop("_meta", {}) | (META if self.session is None else {})
        return {"jsonrpc": "2.0", "id": id, "method": method, "params": params | ({"_meta": meta} if meta else {})}

    async def post(self, method: str, **params: Any) -> httpx2.Response:
        """Ask for something, and return the answer as HTTP has it."""
        name = params.get("name") or params.get("uri")
        headers = self.headers(method, name if isinstance(name, str) else None)
        return await self.http.post(self.url, json=self.body(method, **params), headers=headers)

    async def ask(self, method: str, **params: Any) -> Any:
        """Ask for something, and return the answer as JSON-RPC has it."""
        return said(await self.post(method, **params))

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool, and return its result."""
        return (await self.ask("tools/call", name=tool, arguments=arguments))["result"]

    @asynccontextmanager
    async def stream(self, method: str, **params: Any) -> AsyncIterator[AsyncIterator[str]]:
        """Ask for something, and give the lines of the answer as they come."""
        async with self.http.stream(
            "POST", self.url, json=self.body(method, **params), headers=self.headers(method, params.get("name"))
        ) as answer:
            yield answer.aiter_lines()


def said(answer: httpx2.Response) -> Any:
    """Return what an answer says as JSON-RPC: the last message, where it is a stream."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return json.loads(lines[-1] if lines else answer.text)


class House:
    """An Observatory with a door for HTTP, in this process."""

    def __init__(self, obs: Observatory) -> None:
        self.obs = obs
        self.url = f"{obs.service('http').url}mcp"

    @property
    def figures(self) -> Mapping[str, Any]:
        """What the service tells of itself."""
        return self.obs.statistics().services["mcp"]

    @asynccontextmanager
    async def http(self, agent: str | None = "abc", **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        """Open a client for HTTP, as an agent or as the owner."""
        token = self.obs.security.token if agent is None else self.obs.security.token_for(agent)
        fields = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream", **headers}
        async with httpx2.AsyncClient(headers=fields, timeout=None) as client:
            yield client

    @asynccontextmanager
    async def connect(
        self, agent: str = "abc", *, mode: str = "legacy", environ: Mapping[str, str] | None = None, **more: Any
    ) -> AsyncIterator[Client]:
        """Connect the official client."""
        async with (
            self.http(agent) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode, cache=None, **more) as client,
        ):
            yield client

    async def hello(self, http: httpx2.AsyncClient, revision: str = OLD) -> Wire:
        """Begin a session, where the revision has any."""
        if revision == NEW:
            return Wire(http, self.url, None)
        first = await http.post(self.url, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO})
        assert first.status_code == 200, first.text
        session = first.headers["mcp-session-id"]
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await http.post(self.url, json=ready, headers={"Mcp-Session-Id": session})).status_code == 202
        return Wire(http, self.url, session)

    @asynccontextmanager
    async def wire(self, agent: str = "abc", revision: str = OLD) -> AsyncIterator[Wire]:
        """Do so as an agent, with a client of its own."""
        async with self.http(agent) as http:
            yield await self.hello(http, revision)

    async def answer(self, agent: str, message: Any, headers: Mapping[str, str]) -> None:
        """Ask for something as a door does that has let an agent in, and wait for the answer."""
        fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        said = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "root_path": "/mcp",
            "state": {"identity": Identity(agent)},
        }
        body = iter([{"type": "http.request", "body": json.dumps(message).encode()}])

        async def receive() -> Any:
            if (part := next(body, None)) is None:
                await trio.sleep_forever()
            return part

        await self.obs.service("mcp").answer({**said, "headers": fields}, receive, _take)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is seen to have happened."""
        await trio.lowlevel.checkpoint()
        while not happened():  # noqa: ASYNC110 -- what happens in the service is told by nobody
            await trio.sleep(0.005)


async def _take(part: Any) -> None:
    await trio.lowlevel.checkpoint()


OpenHouse: TypeAlias = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def open_house(tmp_path: Path) -> OpenHouse:
    """Return what opens an Observatory whose door for HTTP is open."""
    installed = {point.name for point in entry_points(group="observatory")}

    @asynccontextmanager
    async def open_house(plugins: tuple[object, ...] = (), **settings: Any) -> AsyncIterator[House]:
        """Open it, with settings of MCP."""
        whole = Settings(
            root=tmp_path / "root",
            disabled_plugins=tuple(sorted(installed - {"http", "inbox", "mcp", "skills", "websocket"})),
            plugins={"mcp": settings},
            swarm=SwarmSettings(follow=False),
            security=SecuritySettings(requests_per_second=100_000, burst=100_000),
        )
        with trio.fail_after(60):
            async with open_observatory(whole, plugins=plugins) as obs:
                yield House(obs)

    return open_house


@pytest.fixture
async def house(open_house: OpenHouse) -> AsyncIterator[House]:
    """Return an Observatory whose door for HTTP is open."""
    async with open_house() as house:
        yield house


@pytest.fixture
def start(tmp_path: Path) -> Connect:
    """Return what starts `observatory mcp` and connects the official client to it."""

    @asynccontextmanager
    async def start(
        agent: str = "abc", *, mode: str = "legacy", environ: Mapping[str, str] | None = None, **more: Any
    ) -> AsyncIterator[Client]:
        command = ["-m", "observatory", "mcp", "--agent", agent, "--root", str(tmp_path / "root")]
        variables = {"HOME": str(tmp_path / "home"), **(environ or {})}
        server = StdioServerParameters(command=sys.executable, args=command, cwd=tmp_path / "project", env=variables)
        async with Client(server, mode=mode, cache=None, **more) as client:
            yield client

    return start


@pytest.fixture(params=["stdio", "http"])
async def connect(request: pytest.FixtureRequest, start: Connect, open_house: OpenHouse) -> AsyncIterator[Connect]:
    """Return what connects the official client to the server, over either transport."""
    if request.param == "stdio":
        yield start
    else:
        async with open_house() as house:
            yield house.connect
