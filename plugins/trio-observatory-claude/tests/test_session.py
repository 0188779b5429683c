"""A whole session of Claude Code, as it is there then: what was written is run, against a service as people run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio
from observatory_claude.trying import expanded

from observatory import Client, Event, Settings, find_client

Hear: TypeAlias = Callable[..., Awaitable[str]]

EVENTS = [json.loads(line) for line in Path(__file__).with_name("session.jsonl").read_text("utf-8").splitlines()]
"""What Claude Code hands to hooks, in the shapes that it documents, in the order of a session."""

SESSION = EVENTS[0]["session_id"]
PROMPT = next(event for event in EVENTS if event["hook_event_name"] == "UserPromptSubmit")


@pytest.fixture(autouse=True)
def _connected(root: Path, project: Path, settings: Path) -> Iterator[None]:
    """Connect the project, and run a service beside it."""
    for name in ("http", "mcp", "websocket"):
        pytest.importorskip(f"observatory_{name}", reason=f"trio-observatory-{name} is not installed")
    observatory = [sys.executable, "-m", "observatory"]
    subprocess.run([*observatory, "connect", "claude", "--yes"], check=True, capture_output=True, cwd=project)
    command = [*observatory, "serve", "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("ready: ")
        yield
        process.terminate()


@pytest.fixture
def hear(settings: Path, load: Callable[[Path], Any]) -> Hear:
    """Return what does with an event what Claude Code does: runs every hook that stands there, by a shell."""

    async def hear(event: dict[str, Any], **environ: str) -> str:
        groups = load(settings)["hooks"].get(event["hook_event_name"], [])
        [hook] = [hook for group in groups for hook in group["hooks"]]
        done = await trio.run_process(
            ["sh", "-c", hook["command"]],
            stdin=json.dumps(event).encode(),
            capture_stdout=True,
            capture_stderr=True,
            env={**os.environ, **environ},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    return hear


@asynccontextmanager
async def client_of(root: Path) -> AsyncIterator[Client]:
    """Reach the service."""
    running = await find_client(Settings(root=root))
    assert running is not None
    with trio.fail_after(120):
        async with running as client:
            yield client


async def check_inbox(project: Path, agent: str = "", **environ: str) -> list[str]:
    """Start the MCP server as its entry says, and check the inbox twice; return the texts of the first time."""
    from mcp import Client as McpClient, StdioServerParameters

    entry = json.loads((project / ".mcp.json").read_text())["mcpServers"]["observatory"]
    server = StdioServerParameters(
        command=entry["command"],
        args=[expanded(word) for word in entry["args"]],
        cwd=project,
        env={"HOME": os.environ["HOME"], "CLAUDE_CONFIG_DIR": os.environ["CLAUDE_CONFIG_DIR"], **environ},
    )
    async with McpClient(server, mode="legacy", cache=None) as client:
        first = await client.call_tool("check_inbox", {})
        again = await client.call_tool("check_inbox", {})
    assert first.structured_content is not None
    assert again.structured_content is not None
    assert again.structured_content["messages"] == []
    return [message["content"] for message in first.structured_content["messages"]]


async def test_one_agent(hear: Hear, root: Path, project: Path) -> None:
    """What is sent to the agent comes once, in the answer of a hook, and once more when its context begins anew."""
    async with client_of(root) as client:
        await client.mailbox.send_message("project", "bob", "look at the Ω")
        offered = json.loads(await hear(PROMPT))["hookSpecificOutput"]
        assert offered["hookEventName"] == "UserPromptSubmit"
        assert "look at the Ω" in offered["additionalContext"]
        assert await hear(PROMPT) == ""
        assert await check_inbox(project) == []
        await client.mailbox.send_message("project", "bob", "and at the Δ")
        [text] = await check_inbox(project)
        assert "and at the Δ" in text
        assert await hear(PROMPT) == ""
        begun = json.loads(await hear({**PROMPT, "hook_event_name": "SessionStart", "source": "clear"}))
        assert re.findall("[ΔΩ]", begun["hookSpecificOutput"]["additionalContext"]) == ["Δ", "Ω"]


async def test_mail_that_was_fetched(hear: Hear, root: Path, project: Path) -> None:
    """What the agent has got from the MCP server does not come by a hook any more."""
    async with client_of(root) as client:
        await client.mailbox.send_message("project", "bob", "look at the Ω")
        assert len(await check_inbox(project)) == 1
        assert await hear(PROMPT) == ""


async def test_two_agents_of_a_project(hear: Hear, root: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session whose environment names another agent has that one's mail, by hook and by MCP, and nobody else's."""
    async with client_of(root) as client:
        await client.mailbox.send_message("project", "bob", "for the one")
        await client.mailbox.send_message("reviewer", "bob", "for the other")
        monkeypatch.setenv("OBSERVATORY_AGENT", "reviewer")
        offered = await hear(PROMPT)
        assert ("for the other" in offered, "for the one" in offered) == (True, False)
        await client.mailbox.send_message("reviewer", "bob", "and once more")
        [text] = await check_inbox(project)
        assert "and once more" in text
        monkeypatch.delenv("OBSERVATORY_AGENT")
        assert "for the one" in await hear(PROMPT)


async def test_whole(hear: Hear, root: Path) -> None:
    """Every event of a session arrives whole and in order, and shows who is there; mail that it brings was surfaced."""
    async with client_of(root) as client:
        topics = [await client.subscribe(topic) for topic in (f"session:{SESSION}", "events:stream")]
        receipt = await client.mailbox.send_message("project", "bob", "have a look")
        answers = [await hear(event) for event in EVENTS[:-1]]
        brought = [event for event, answer in zip(EVENTS, answers, strict=False) if answer]
        assert [event.get("source") for event in brought] == ["startup", "compact"], "when its context begins"
        [agent] = [one for one in await client.presence.list_agents() if one.name == "project"]
        assert (agent.status, agent.sources) == ("active", ("event",))
        trace = await client.traces.get_trace(receipt.message.id)
        assert trace is not None
        assert [hop.detail for hop in trace.hops if hop.name == "surfaced"] == ["hook"] * 2
        assert await hear(EVENTS[-1]) == ""
        for events in topics:
            arrived = [await anext(events) for _ in EVENTS]
            assert [event.payload.data for event in arrived if isinstance(event, Event)] == EVENTS
        [agent] = [one for one in await client.presence.list_agents() if one.name == "project"]
        assert agent.status != "active"
