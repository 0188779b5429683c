"""What tests of the MCP server share: a desk in this process, and agents that talk to `observatory mcp` as they do."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from mcp import Client, StdioServerParameters
from mcp_types import TextContent
from observatory_mcp.desk import Call, Desk
from observatory_mcp.settings import McpSettings
from observatory_mcp.tools import TOOLS

from observatory import EmbeddedClient, Observatory, Settings, SwarmSettings, open_observatory

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


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    """Return what starts `observatory mcp` and connects the official client to it."""

    @asynccontextmanager
    async def connect(
        agent: str = "abc", *, mode: str = "legacy", environ: Mapping[str, str] | None = None, **more: Any
    ) -> AsyncIterator[Client]:
        command = ["-m", "observatory", "mcp", "--agent", agent, "--root", str(tmp_path / "root")]
        variables = {"HOME": str(tmp_path / "home"), **(environ or {})}
        server = StdioServerParameters(command=sys.executable, args=command, cwd=tmp_path / "project", env=variables)
        async with Client(server, mode=mode, cache=None, **more) as client:
            yield client

    return connect
