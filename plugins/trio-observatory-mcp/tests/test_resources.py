"""Resources, what is told of their changes, and prompts: over both transports and on both revisions."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio
from mcp import Client, MCPError
from mcp.client.subscriptions import ResourceUpdated
from mcp_types import (
    BlobResourceContents,
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
    TextResourceContents,
)
from observatory_mcp.desk import Desk

from observatory import ClientSubscription, RateLimitError

Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[Client]]

INBOX = "observatory://inbox/abc"
both = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


async def read(client: Client, uri: str) -> Any:
    """Return what a resource says: a value of JSON, text, or base64."""
    [contents] = (await client.read_resource(uri)).contents
    if isinstance(contents, BlobResourceContents):
        return contents.blob
    assert isinstance(contents, TextResourceContents)
    return json.loads(contents.text) if contents.mime_type == "application/json" else contents.text


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    """Have a skill with two files, and return its folder."""
    folder = tmp_path / "home/.claude/skills/pdf"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text("---\nname: pdf\ndescription: Fills in forms.\n---\nLook at forms.md.\n")
    (folder / "forms.md").write_text("# Forms\n")
    (folder / "logo.bin").write_bytes(b"\xff\0")
    return folder


@both
async def test_reading(connect: Connect, mode: str) -> None:
    """An agent reads its inbox, notes and the swarm; reading an inbox so leaves texts for `check_inbox`."""
    with trio.fail_after(30):
        async with connect(mode=mode) as client:
            assert [one.uri for one in (await client.list_resources()).resources] == [
                INBOX,
                "observatory://notes",
                "observatory://swarm",
                "observatory://skills",
            ]
            assert len((await client.list_resource_templates()).resource_templates) == 3
            await client.call_tool("send_message", {"to": "abc", "content": "go"})
            await client.call_tool("add_note", {"key": "a/b", "text": "first"})
            assert "go" in (await read(client, INBOX))["messages"][0]["content"]
            assert "go" in str((await client.call_tool("check_inbox", {})).structured_content)
            assert (await read(client, "observatory://notes"))["notes"][0]["key"] == "a/b"
            assert "first" in (await read(client, "observatory://notes/a%2Fb"))["text"]
            assert (await read(client, "observatory://swarm"))["agents"]["you"] == "abc"


@both
async def test_skills(connect: Connect, mode: str, skill: Path) -> None:
    """Skills are resources and prompts."""
    with trio.fail_after(30):
        async with connect(mode=mode) as client:
            assert "observatory://skills/pdf" in [one.uri for one in (await client.list_resources()).resources]
            assert (await read(client, "observatory://skills"))["skills"][0]["name"] == "pdf"
            assert await read(client, "observatory://skills/pdf") == "Look at forms.md.\n"
            assert await read(client, "observatory://skills/pdf/forms.md") == "# Forms\n"
            assert await read(client, "observatory://skills/pdf/logo.bin") == "/wA="
            [prompt] = (await client.list_prompts()).prompts
            assert (prompt.name, prompt.description) == ("pdf", "Fills in forms.")
            [message] = (await client.get_prompt("pdf")).messages
            assert "Look at forms.md." in str(message.content)
            with pytest.raises(MCPError, match="skill 'pfd'"):
                await client.get_prompt("pfd")


@both
async def test_nothing_there(connect: Connect, mode: str) -> None:
    """What there is not, and what is somebody else's, is an error that says why."""
    wrong = {
        "observatory://inbox/bob": "this connection is 'abc''s",
        "observatory://inbox": "observatory://inbox/abc",
        "observatory://notes/x": "note 'x'",
        "observatory://skills/x": "skill 'x'",
        "observatory://skills/x/../../y": "skill 'x'",
        "file:///etc/passwd": "resource",
    }
    with trio.fail_after(30):
        async with connect(mode=mode) as client:
            for uri, words in wrong.items():
                with pytest.raises(MCPError, match=words):
                    await client.read_resource(uri)


@pytest.mark.filterwarnings("ignore:resources:UserWarning")
async def test_changes_by_the_handshake(connect: Connect) -> None:
    """By 2025-11-25 one subscribes to a resource, hears of its changes, and of none after unsubscribing."""
    send, heard = trio.open_memory_channel[str](10)

    async def listen(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            await send.send(message.params.uri)

    with trio.fail_after(30):
        async with connect(message_handler=listen) as client:
            await client.session.subscribe_resource(INBOX)
            await client.session.subscribe_resource("observatory://notes")
            await client.call_tool("send_message", {"to": "abc", "content": "go"})
            assert await heard.receive() == INBOX
            await client.session.unsubscribe_resource(INBOX)
            await client.call_tool("send_message", {"to": "abc", "content": "go"})
            await client.call_tool("add_note", {"key": "plan", "text": "first"})
            assert await heard.receive() == "observatory://notes"


async def test_lists_that_change(connect: Connect, skill: Path) -> None:
    """By 2025-11-25 one is told without asking when there are other prompts and resources, as was announced."""
    send, heard = trio.open_memory_channel[str](10)

    async def listen(message: Any) -> None:
        if isinstance(message, PromptListChangedNotification | ResourceListChangedNotification):
            await send.send(type(message).__name__)

    with trio.fail_after(30):
        async with connect(message_handler=listen) as client:
            told = client.server_capabilities
            assert told is not None
            assert told.prompts is not None
            assert told.prompts.list_changed
            assert told.resources is not None
            assert told.resources.list_changed
            assert len((await client.list_prompts()).prompts) == 1
            (skill / "SKILL.md").write_text("---\nname: pdf\ndescription: Reads forms.\n---\nLook.\n")
            assert {await heard.receive(), await heard.receive()} == {
                "PromptListChangedNotification",
                "ResourceListChangedNotification",
            }


async def test_changes_by_listening(connect: Connect, skill: Path) -> None:
    """By 2026-07-28 one listens to resources, and to the lists of them and of prompts."""
    uris = [INBOX, "observatory://notes/plan", "observatory://inbox/bob"]
    with trio.fail_after(30):
        async with (
            connect(mode="2026-07-28") as client,
            client.listen(resource_subscriptions=uris, prompts_list_changed=True) as events,
        ):
            await client.call_tool("send_message", {"to": "bob", "content": "go"})
            await client.call_tool("send_message", {"to": "abc", "content": "go"})
            assert await anext(events) == ResourceUpdated(INBOX)
            await client.call_tool("add_note", {"key": "plan", "text": "first"})
            assert await anext(events) == ResourceUpdated("observatory://notes/plan")
            (skill / "SKILL.md").write_text("---\nname: pdf\ndescription: Reads forms.\n---\nLook.\n")
            assert type(await anext(events)).__name__ == "PromptsListChanged"


async def test_following_in_haste(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the service wants to be asked less, changes are followed when it lets one; nothing ends for that."""
    subscribe, refusals = desk.client.subscribe, [RateLimitError("abc", 0.01)]

    async def refuse_first(topic: str) -> ClientSubscription:
        if refusals:
            raise refusals.pop()
        return await subscribe(topic)

    monkeypatch.setattr(desk.client, "subscribe", refuse_first)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.news.run)
            await desk.news.begin(["observatory://notes"])
            nursery.cancel_scope.cancel()
