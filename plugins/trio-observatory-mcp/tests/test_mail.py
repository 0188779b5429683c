"""Tools for mail, in one process."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import trio
import trio.testing
from observatory_mcp.desk import Desk

from observatory import Observatory

Use: TypeAlias = Callable[..., Awaitable[Any]]


def texts(inbox: Any) -> list[str]:
    """Return what stands in the envelopes of an inbox."""
    return [one["content"].split("\n", 1)[1].rsplit("\n", 1)[0] for one in inbox["messages"]]


async def test_newest_first_and_once(observatory: Observatory, use: Use) -> None:
    """Unread messages come newest first, each once; again when that is asked for, until they are acknowledged."""
    sent = [await observatory.mailbox.send_message("abc", "bob", f"number {n}") for n in range(3)]
    inbox = await use("check_inbox")
    assert texts(inbox) == ["number 2", "number 1", "number 0"]
    assert (inbox["session_id"], inbox["unread"], inbox["digest"]) == ("abc", 3, [])
    assert (await use("check_inbox"))["messages"] == []
    assert len(texts(await use("check_inbox", again=True))) == 3
    assert await use("acknowledge_message", message_ids=[sent[1].message.id]) == {"ids": [sent[1].message.id]}
    assert texts(await use("check_inbox", again=True)) == ["number 2", "number 0"]


async def test_budget_and_digest(observatory: Observatory, use: Use) -> None:
    """There are as many texts as there is room for, then a digest; the texts of that come with the next calls."""
    for number in range(60):
        await observatory.mailbox.send_message("abc", "bob", f"{number}".ljust(400, "x"))
    inbox = await use("check_inbox", max_chars=1_300)
    assert [text[:2] for text in texts(inbox)] == ["59", "58"]
    assert [one["chars"] for one in inbox["digest"]] == [400] * 50
    assert sum(len(one["content"]) for one in inbox["messages"]) <= 1_300
    assert [text[:2] for text in texts(await use("check_inbox", max_chars=1_300))] == ["57", "56"]


async def test_text_that_is_too_long(observatory: Observatory, use: Use) -> None:
    """The first text is cut to the room that there is, and says so."""
    await observatory.mailbox.send_message("abc", "bob", "y" * 5_000)
    [mail] = (await use("check_inbox", max_chars=300))["messages"]
    assert mail["truncated"]
    assert mail["content"].count("y") == 300


async def test_surfaced(observatory: Observatory, use: Use) -> None:
    """The trace of a message says that its text was returned; to stand in a digest is not enough."""
    for content in ("x" * 400, "y", "z"):
        await observatory.mailbox.send_message("abc", "bob", content)
    await use("check_inbox", max_chars=300)
    await observatory.mailbox.send_message("abc", "bob", "later")
    await use("wait_for_message", max_seconds=5)
    by = [[hop.detail for hop in one.hops if hop.name == "surfaced"] for one in observatory.traces.get_traces("abc")]
    assert by == [[], ["mcp"], ["mcp"], ["mcp"]]


async def test_metadata(observatory: Observatory, use: Use) -> None:
    """Metadata come as JSON in an envelope of their own."""
    await observatory.mailbox.send_message("abc", "bob", "hi", metadata={"a": [1]})
    [mail] = (await use("check_inbox"))["messages"]
    assert re.fullmatch(r'<agent-metadata-(\w+) [^>]*>\n\{"a": \[1\]\}\n</agent-metadata-\1>', mail["metadata"])


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("check_inbox", {"session_id": "bob"}, "ForbiddenError: this connection is 'abc''s"),
        ("check_inbox", {"max_chars": 10}, "arguments.max_chars: expected 200 to 1,048,576, got 10"),
        ("check_inbox", {"max_chars": 1_048_577}, "arguments.max_chars: expected 200 to 1,048,576"),
        ("check_inbox", {"max_chars": "many"}, "arguments.max_chars: expected an integer, got a string"),
        ("check_inbox", {"maxchars": 1}, "arguments.maxchars: unknown parameter; did you mean 'max_chars'?"),
        ("acknowledge_message", {}, "arguments.message_ids: required, but missing"),
        ("acknowledge_message", {"message_ids": ["0" * 16, 7]}, "arguments.message_ids[1]: expected a string"),
        ("acknowledge_message", {"message_ids": ["0" * 16]}, "UnknownMessageError: "),
        ("send_message", {"to": "../x", "content": "hi"}, "arguments.to: "),
        ("send_message", {"to": "bob", "content": "hi", "from": "eve"}, "arguments.from: unknown parameter"),
        ("broadcast_message", {"to": ["bob", "bob"], "content": "hi"}, "arguments.to: 'bob' stands there twice"),
        ("broadcast_message", {"to": ["bob"], "content": "hi", "type": ""}, "arguments.type: "),
        ("reply_message", {"message_id": "0" * 16, "content": "hi"}, "UnknownMessageError: "),
        ("wait_for_message", {"max_seconds": -1}, "arguments.max_seconds: expected 0 to 3600"),
    ],
)
async def test_wrong_arguments(use: Use, tool: str, arguments: dict[str, Any], words: str) -> None:
    """What is wrong is said with the path of the argument, and nothing is done."""
    assert words in await use(tool, **arguments)


async def test_send_and_reply(observatory: Observatory, use: Use) -> None:
    """The sender is the agent of the connection; an answer names what it answers."""
    sent = await use("send_message", to="bob", content="go", idempotency_key="k")
    assert (await use("send_message", to="bob", content="go", idempotency_key="k"))["id"] == sent["id"]
    [message] = observatory.mailbox.get_messages("bob")
    assert (message.from_, message.content, sent["deliveries"]) == ("abc", "go", {"inbox": "written"})
    question = (await observatory.mailbox.send_message("abc", "bob", "well?")).message
    answer = await use("reply_message", message_id=question.id, content="yes")
    [reply, _] = observatory.mailbox.get_messages("bob")
    assert (reply.id, reply.from_, reply.metadata["in_reply_to"]) == (answer["id"], "abc", question.id)


async def test_broadcast(observatory: Observatory, use: Use) -> None:
    """Each recipient gets a copy, and one whose name is wrong does not keep it from the others."""
    result = await use("broadcast_message", to=["ann", "no/name", "bob"], content="all")
    assert [one["to"] for one in result["sent"]] == ["ann", "bob"]
    assert [one["to"] for one in result["failed"]] == ["no/name"]
    assert observatory.mailbox.get_messages("ann")[0].from_ == "abc"


async def test_waiting(observatory: Observatory, use: Use, desk: Desk) -> None:
    """Waiting returns the oldest message that was not shown, at once or when it comes, and nothing after its time."""
    await observatory.mailbox.send_message("abc", "bob", "first")
    await use("check_inbox")
    assert (await use("wait_for_message", max_seconds=0))["message"] is None
    arrivals: list[Any] = []

    async def wait() -> None:
        arrivals.append(await use("wait_for_message", max_seconds=4))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await observatory.mailbox.send_message("abc", "bob", "second")
    assert "second" in arrivals[0]["message"]["content"]
    assert (await use("check_inbox"))["messages"] == []


async def test_waiting_twice(observatory: Observatory, use: Use) -> None:
    """Of two calls that wait at once each gets a message of its own."""
    arrivals: list[str] = []

    async def wait() -> None:
        arrivals.append((await use("wait_for_message", max_seconds=4))["message"]["content"])

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(2):
            await observatory.mailbox.send_message("abc", "bob", f"number {number}")
    assert sorted(text.split("\n")[1] for text in arrivals) == ["number 0", "number 1"]


async def test_calls_at_once(observatory: Observatory, use: Use) -> None:
    """Of calls at once, each text is returned by one."""
    for number in range(150):
        await observatory.mailbox.send_message("abc", "bob", f"number {number}")
    inboxes: list[Any] = []

    async def check() -> None:
        inboxes.append(await use("check_inbox", max_chars=100_000))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(check)
    shown = [mail["id"] for inbox in inboxes for mail in inbox["messages"]]
    assert len(shown) == len(set(shown)) == 150


async def test_call_that_is_cancelled(
    observatory: Observatory, use: Use, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is cancelled before it returns has shown nothing that was not shown before."""
    await observatory.mailbox.send_message("abc", "bob", "first")
    assert texts(await use("check_inbox")) == ["first"]
    await observatory.mailbox.send_message("abc", "bob", "second")

    async def hang(ids: list[str], by: str) -> None:
        assert ids[0] in desk.shown
        await trio.sleep_forever()

    with monkeypatch.context() as patch, trio.move_on_after(0.1) as scope:
        patch.setattr(desk.client.traces, "note_surfaced", hang)
        await use("check_inbox", again=True)
    assert scope.cancelled_caught
    assert texts(await use("check_inbox")) == ["second"]
