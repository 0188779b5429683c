"""No answer is larger than 16 MiB, whatever was asked for: more names than fit are refused, longer lists have pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
import trio
from observatory_websocket.server import answers

from observatory import DeadLetter, Message, Module, Observatory
from observatory.testing import observatory_plugin

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_REFUSED = "this was carried out, but its answer has more than 16,777,216 bytes; ask for less at a time"


class _Library(Module):
    """A module that has much to say."""

    exposes: ClassVar = ("read",)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait."""
        task_status.started()
        await trio.sleep_forever()

    def read(self, size: int) -> str:
        """Say so much."""
        return "x" * size


@pytest.fixture
async def client(house: Any) -> AsyncIterator[Any]:
    """Return a client."""
    async with house.client() as client:
        yield client


@pytest.fixture
def two_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page have two items."""
    monkeypatch.setattr(answers, "_MAX_ITEMS", 2)


async def _send(house: Any, *contents: str) -> list[str]:
    return [(await house.obs.mailbox.send_message("a", "b", text)).message.id for text in contents]


async def test_too_large(open_house: Any) -> None:
    """An answer that is too large is an error that says that all the same it was carried out; alone as in a batch."""
    plugin = observatory_plugin("library", modules={"Library": lambda context: _Library()})
    async with open_house(plugins=(plugin,)) as house, house.client() as client:
        params: dict[str, Any] = {"module": "Library", "method": "read", "params": [17 * 1024 * 1024]}
        assert (await client.refusal("modules.call", **params))["message"] == _REFUSED
        request = {"jsonrpc": "2.0", "id": 1, "method": "modules.call", "params": params}
        await client.say([request, request | {"id": 2, "params": params | {"params": [3]}}])
        first, second = await client.message()
        assert (first["error"]["message"], second["result"]) == (_REFUSED, "xxx")


async def test_large_snapshot(house: Any, client: Any) -> None:
    """A snapshot that is too large, alone or with the rest of its batch, leaves no subscription behind."""
    for number in range(257):
        await house.obs.notes.add_note(f"{number:03}", "x" * 64 * 1024)
    params = {"topic": "notes:update", "snapshot": True}
    assert (await client.refusal("topics.subscribe", **params))["message"] == _REFUSED
    assert await client.call("topics.unsubscribe", topic="notes:update") is False
    await house.obs.notes.delete_note("256")
    await house.obs.notes.delete_note("255")
    request = {"jsonrpc": "2.0", "method": "topics.subscribe", "params": params}
    other = request | {"params": {"topic": "agent:*"}}
    await client.say(
        [request | {"id": 1, "method": "notes.list", "params": {}}, other | {"id": 2}, request | {"id": 3}]
    )
    answers = await client.message()
    assert ["result" in answer for answer in answers] == [True, True, False]
    assert "the answers to its batch have more than" in answers[2]["error"]["message"]
    assert await client.call("topics.unsubscribe", topic="notes:update") is False
    assert await client.call("topics.unsubscribe", topic="agent:*") is True


async def test_many_ids(house: Any, client: Any) -> None:
    """More than 1,000 ids are refused, and nothing is acknowledged."""
    ids = await _send(house, "1")
    error = await client.refusal("mailbox.acknowledge", agent="a", ids=ids * 1_001)
    assert error["message"] == "params.ids: has 1,001; at most 1,000 are allowed in one request"
    assert house.obs.mailbox.unread_count("a") == 1
    assert len((await client.call("mailbox.acknowledge", agent="a", ids=ids * 1_000))["messages"]) == 1_000


async def test_large_acknowledged(house: Any, client: Any) -> None:
    """All are acknowledged, an answer has as many as it holds, and the others come when that is said again."""
    ids = await _send(house, *["x" * 200_000] * 8)
    page = await client.call("mailbox.acknowledge", agent="a", ids=ids)
    assert ([message["id"] for message in page["messages"]], page["more"]) == (ids[:5], True)
    assert house.obs.mailbox.unread_count("a") == 0
    page = await client.call("mailbox.acknowledge", agent="a", ids=ids[5:])
    assert ([message["id"] for message in page["messages"]], page["more"]) == (ids[5:], False)


@pytest.mark.parametrize(
    ("content", "metadata", "most"),
    [("x", None, 1_000), ("x" * 116_000, None, 143), ("\0" * 100_000, None, 27), ("x", {"text": "x" * 199_000}, 83)],
)
async def test_many_names(house: Any, client: Any, content: str, metadata: Any, most: int) -> None:
    """A broadcast has as many recipients as its answer holds receipts; beyond, nothing is sent."""
    names = [f"agent-{number}" for number in range(most + 1)]
    params = {"content": content, "from": "b", "metadata": metadata}
    error = await client.refusal("mailbox.broadcast", names=names, **params)
    words = f"params.names: has {most + 1:,}; at most {most:,} are allowed in one request that sends this much"
    assert error["message"] == words
    assert house.obs.mailbox.get_stats() == {}
    assert len(await client.call("mailbox.broadcast", names=names[:-1], **params)) == most


@pytest.mark.usefixtures("two_a_page")
async def test_notes(house: Any, client: Any) -> None:
    """Notes come by key, and one that is written anew between two pages is not left out."""
    for key in "edcba":
        await house.obs.notes.add_note(key, "")
    keys: list[str] = []
    more = True
    while more:
        page = await client.call("notes.list", after=keys[-1] if keys else "")
        keys += [note["key"] for note in page["notes"]]
        more = page["more"]
        await house.obs.notes.add_note("d", "anew")
    assert keys == [*"abcde"]


async def test_large_notes(house: Any, client: Any) -> None:
    """A page of notes has at most 1 MiB of text."""
    for number in range(20):
        await house.obs.notes.add_note(f"{number:02}", "x" * 64 * 1024)
    page = await client.call("notes.list")
    assert (len(page["notes"]), page["more"]) == (16, True)


@pytest.mark.usefixtures("two_a_page")
async def test_stats(house: Any, client: Any) -> None:
    """Figures come by name, with those of all together on every page."""
    await house.obs.mailbox.broadcast_to_many([*"cab"], "x", "")
    page = await client.call("mailbox.stats")
    assert ([*page["mailboxes"]], page["totals"]["messages"], page["more"]) == (["a", "b"], 3, True)
    page = await client.call("mailbox.stats", after="b")
    assert ([*page["mailboxes"]], page["totals"]["messages"], page["more"]) == (["c"], 3, False)
    assert [*(await client.call("mailbox.stats", agent="c"))["mailboxes"]] == ["c"]


@pytest.mark.usefixtures("two_a_page")
async def test_dead_letters(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead letters come oldest first, after one that is still there."""
    message = Message("0123456789abcdef", "a", "b", "", _MOMENT)
    letters = [DeadLetter(message, 1, channel, 1, "", _MOMENT) for channel in ("x", "y", "z")]
    monkeypatch.setattr(Observatory, "dead_letters", lambda _: letters)
    page = await client.call("dead_letters.list")
    assert ([letter["channel"] for letter in page["letters"]], page["more"]) == (["x", "y"], True)
    page = await client.call("dead_letters.list", after=f"y:{message.id}")
    assert ([letter["channel"] for letter in page["letters"]], page["more"]) == (["z"], False)
    error = await client.refusal("dead_letters.list", after="w:1")
    assert error["message"] == "params.after: 'w:1' is no dead letter any more; begin without it"


async def test_check(house: Any, client: Any) -> None:
    """A check has at most 1 MiB of whole messages, however much was asked for."""
    await _send(house, *["x" * 200_000] * 8)
    check = await client.call("mailbox.check", agent="a", max_chars=10**12)
    assert (len(check["messages"]), len(check["digest"])) == (5, 3)
