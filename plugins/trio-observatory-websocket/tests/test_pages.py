"""Answers that are more than a value of the library: as much of a mailbox as an answer holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from observatory_websocket.server import answers


@pytest.fixture
async def client(house: Any) -> AsyncIterator[Any]:
    """Return a client."""
    async with house.client() as client:
        yield client


async def _send(house: Any, *contents: str, **fields: Any) -> list[str]:
    return [(await house.obs.mailbox.send_message("a", "b", text, **fields)).message.id for text in contents]


async def test_page(house: Any, client: Any) -> None:
    """A page has the newest messages, and says whether there are older ones, which come with the next."""
    ids = await _send(house, *"12345")
    page = await client.call("mailbox.messages", agent="a", limit=3)
    assert ([message["id"] for message in page["messages"]], page["more"]) == (ids[:1:-1], True)
    page = await client.call("mailbox.messages", agent="a", limit=2, before=ids[2])
    assert ([message["id"] for message in page["messages"]], page["more"]) == (ids[1::-1], False)
    assert await client.call("mailbox.messages", agent="a", limit=0) == {"messages": [], "more": True}
    assert await client.call("mailbox.messages", agent="nobody") == {"messages": [], "more": False}


@pytest.mark.parametrize("where", ["content", "metadata"])
async def test_large_messages(house: Any, client: Any, where: str) -> None:
    """A page has at most 1 MiB of content and metadata, but one message in any case."""
    text = "x" * 200_000
    if where == "content":
        await _send(house, *[text] * 8)
    else:
        await _send(house, *[""] * 8, metadata={"text": text})
    page = await client.call("mailbox.messages", agent="a")
    assert (len(page["messages"]), page["more"]) == (5, True)
    await _send(house, "x" * 1024 * 1024)
    page = await client.call("mailbox.messages", agent="a")
    assert (len(page["messages"]), page["more"]) == (1, True)


async def test_many_messages(house: Any, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has so many messages at most, however many are asked for."""
    monkeypatch.setattr(answers, "_MAX_ITEMS", 3)
    await _send(house, *"12345")
    for limit, count in ((10**9, 3), (3, 3), (2, 2)):
        page = await client.call("mailbox.messages", agent="a", limit=limit)
        assert (len(page["messages"]), page["more"]) == (count, True)


async def test_check(house: Any, client: Any) -> None:
    """A check has whole messages up to so many characters; of older ones who wrote, and how much."""
    ids = await _send(house, "x" * 50, "y" * 30, "z" * 20)
    check = await client.call("mailbox.check", agent="a", max_chars=60)
    assert (check["unread"], check["omitted"]) == (3, 0)
    assert [message["content"] for message in check["messages"]] == ["z" * 20, "y" * 30]
    [line] = check["digest"]
    assert (line["id"], line["from"], line["type"], line["chars"]) == (ids[0], "b", "text", 50)
    check = await client.call("mailbox.check", agent="a", max_chars=0)
    assert (check["messages"], [line["id"] for line in check["digest"]]) == ([], ids[::-1])


async def test_check_of_much(house: Any, client: Any) -> None:
    """Of very many unread messages the oldest are only counted; what is read does not count."""
    [read] = await _send(house, "read")
    await house.obs.mailbox.mark_read("a", read)
    await house.obs.mailbox.broadcast_to_many(["a"], "b", "first")
    await _send(house, *["x"] * 1_004)
    check = await client.call("mailbox.check", agent="a", max_chars=10)
    assert (check["unread"], len(check["messages"]), len(check["digest"]), check["omitted"]) == (1_005, 10, 990, 5)
