"""Round trips with the official client, over both transports and on both revisions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio
from mcp import Client

Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[Client]]

pytestmark = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])  # the first is 2025-11-25


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root on which agents are."""
    return tmp_path / "root"


async def send(root: Path, to: str, content: str) -> str:
    """Send a message as the dashboard, from another process; return its id."""
    command = [sys.executable, "-m", "observatory", "send", to, content, "--from", "dashboard", "--root", str(root)]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True)
    return done.stdout.decode().strip()


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool; the official client checks the result against its schema."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]
    return result.structured_content


async def test_check_inbox_finds_the_file(connect: Connect, mode: str, root: Path) -> None:
    """UC-0052 S2: an agent that asks for its inbox is given the message that another process has sent."""
    id = await send(root, "abc", "go")
    assert (root / "inbox/abc" / f"{id}.json").exists()
    with trio.fail_after(30):
        async with connect("abc", mode=mode) as client:
            inbox = await call(client, "check_inbox", session_id="abc")
            [message] = inbox["messages"]
            assert (message["id"], message["from"]) == (id, "dashboard")
            assert "\ngo\n" in message["content"]
            await call(client, "acknowledge_message", message_ids=[id])
            assert not (root / "inbox/abc" / f"{id}.json").exists()


async def test_tools_and_errors(connect: Connect, mode: str) -> None:
    """All tools are told of; an unknown one is an error of the protocol, a wrong argument one of the tool."""
    with trio.fail_after(30):
        async with connect(mode=mode) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert len(tools) == 15
            assert tools["check_inbox"].annotations is not None
            assert tools["check_inbox"].annotations.read_only_hint
            wrong = await client.call_tool("send_message", {"to": "bob", "content": 7})
            assert wrong.is_error
            assert "arguments.content: expected a string" in str(wrong.content)
            with pytest.raises(Exception, match="there is no tool 'send_mail'; there are check_inbox"):
                await client.call_tool("send_mail", {})


async def test_between_two_agents(connect: Connect, mode: str) -> None:
    """Two agents on one root, each with a process of its own, write to each other."""
    with trio.fail_after(30):
        async with connect("abc", mode=mode) as abc, connect("bob", mode=mode) as bob:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send_to_bob, abc)
                arrival = await call(bob, "wait_for_message", max_seconds=20)
            assert arrival["message"]["from"] == "abc"
            answer = await call(bob, "reply_message", message_id=arrival["message"]["id"], content="yes")
            assert answer["to"] == "abc"
            answered = await call(abc, "wait_for_message", max_seconds=20)
            assert arrival["message"]["id"] in answered["message"]["metadata"]


async def _send_to_bob(client: Client) -> None:
    await call(client, "send_message", to="bob", content="well?")


@pytest.fixture
async def service(root: Path) -> AsyncIterator[None]:
    """Run a service on the root, with a door."""
    command = [sys.executable, "-m", "observatory", "serve", "--root", str(root)]
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            process = await nursery.start(partial(trio.run_process, stdout=subprocess.PIPE, check=False), command)
            assert b"ready" in await process.stdout.receive_some()
            yield
            process.terminate()


async def test_with_a_service(start: Connect, mode: str, service: None) -> None:
    """Where a service runs on the root, that is asked: what it knows is known here, such as notes."""
    with trio.fail_after(30):
        async with start("abc", mode=mode) as abc:
            await call(abc, "add_note", key="plan", text="first")
        async with start("bob", mode=mode) as bob:
            [note] = (await call(bob, "list_notes"))["notes"]
            assert note["key"] == "plan"


async def test_there_for_others(start: Connect, mode: str, service: None) -> None:
    """The service knows who is connected, also of one that only reads."""
    with trio.fail_after(30):
        async with start("abc", mode=mode) as abc, start("bob", mode=mode) as bob:
            await call(abc, "check_inbox")
            agents = (await call(bob, "list_agents"))["agents"]
            assert [(agent["name"], agent["status"]) for agent in agents] == [("abc", "active"), ("bob", "active")]


async def test_tasks_here(start: Connect, mode: str, service: None, tmp_path: Path) -> None:
    """The service looks after the tasks in the folder where an agent's program was started."""
    (tmp_path / "project/tasks.jsonl").write_text('{"id": "1", "status": "pending"}\n')
    with trio.fail_after(30):
        async with start("abc", mode=mode) as abc:
            assert (await call(abc, "claim_task", task_id="1"))["owner"] == "abc"


async def test_with_a_token(start: Connect, mode: str, root: Path, service: None) -> None:
    """With an agent's token it is that agent, which the service sees to."""
    command = [sys.executable, "-m", "observatory", "token", "ann", "--root", str(root)]
    token = (await trio.run_process(command, capture_stdout=True)).stdout.decode().strip()
    with trio.fail_after(30):
        async with start("ann", mode=mode, environ={"OBSERVATORY_TOKEN": token}) as ann:
            await call(ann, "send_message", to="ann", content="to myself")
            [message] = (await call(ann, "check_inbox"))["messages"]
            assert message["from"] == "ann"


async def test_progress_and_cancelling(connect: Connect, mode: str, root: Path) -> None:
    """Whoever waits hears of it; a wait that is cancelled has lost nothing."""
    heard = trio.Event()

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.set()
        await trio.lowlevel.checkpoint()

    with trio.fail_after(30):
        async with connect(mode=mode) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_wait, client, listen)
                await heard.wait()
                nursery.cancel_scope.cancel()
            await send(root, "abc", "later")
            assert "later" in (await call(client, "wait_for_message", max_seconds=20))["message"]["content"]


async def _wait(client: Client, listen: Any) -> None:
    await client.call_tool("wait_for_message", {"max_seconds": 600}, progress_callback=listen)
