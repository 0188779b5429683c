"""What one request or one answer cannot carry: to whoever asks it is one thing all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
from observatory_websocket import WebSocketClient, open_client
from observatory_websocket.server import answers

from observatory import (
    DeadLetter,
    InvalidInputError,
    Mailbox,
    Message,
    Observatory,
    Receipt,
    Settings,
    StorageError,
    open_observatory,
)

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)

Both: TypeAlias = tuple[Observatory, WebSocketClient]


@pytest.fixture
async def both(settings: Callable[..., Settings]) -> AsyncIterator[Both]:
    """Return an Observatory and a client of it."""
    async with open_observatory(settings()) as observatory, open_client(root=observatory.settings.root) as client:
        yield observatory, client


@pytest.fixture
def two_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page have two items."""
    monkeypatch.setattr(answers, "_MAX_ITEMS", 2)


def _requests(observatory: Observatory) -> int:
    requests: int = observatory.statistics().services["websocket"]["clients"][0]["requests"]
    return requests


@pytest.mark.parametrize(("count", "content", "requests"), [(2_500, "x", 3), (60, "x" * 600_000, 3), (1_000, "x", 1)])
async def test_broadcast(both: Both, count: int, content: str, requests: int) -> None:
    """A broadcast to many has its outcomes in the order given, errors in their places."""
    observatory, client = both
    names = [f"agent-{number}" for number in range(count)]
    names[-2] = "../x"
    outcomes = await client.mailbox.broadcast_to_many(iter(names), "b", content, metadata={"n": 1})
    recipients = [outcome.message.to if isinstance(outcome, Receipt) else "../x" for outcome in outcomes]
    assert recipients == names
    assert isinstance(outcomes[-2], InvalidInputError)
    assert _requests(observatory) == requests


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([f"agent-{number}" for number in range(10_001)], "names: has more than the 10,000 names that are allowed"),
        ([*map(str, range(1_500)), "7"], "names: '7' stands there twice"),
        ([*map(str, range(1_500)), 7], r"names\[1500\]: expected a string, got an integer"),
    ],
)
async def test_broadcast_refused(both: Both, names: Any, reason: str) -> None:
    """What is wrong with the names of a later request is found before the first one is sent."""
    observatory, client = both
    with pytest.raises(InvalidInputError, match=f"^{reason}$"):
        await client.mailbox.broadcast_to_many(names, "b", "x")
    with pytest.raises(InvalidInputError, match=r"^content: is a object, which JSON cannot hold"):
        await client.mailbox.broadcast_to_many(names, "b", object())  # type: ignore[arg-type]
    assert observatory.mailbox.get_stats() == {}


async def test_broadcast_that_fails(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a later request fails, its recipients have the error; when the first one does, nothing was sent."""
    observatory, client = both
    send, fails = Mailbox.broadcast_to_many, iter([False, True, False, True])

    async def broadcast_to_many(self: Mailbox, *args: Any, **options: Any) -> Any:
        if next(fails):
            raise StorageError("full")
        return await send(self, *args, **options)

    monkeypatch.setattr(Mailbox, "broadcast_to_many", broadcast_to_many)
    names = [*map(str, range(2_500))]
    outcomes = await client.mailbox.broadcast_to_many(names, "b", "x")
    assert [type(outcome) for outcome in outcomes] == [Receipt] * 1_000 + [StorageError] * 1_000 + [Receipt] * 500
    with pytest.raises(StorageError):
        await client.mailbox.broadcast_to_many(names, "b", "x")
    assert len(observatory.mailbox.get_stats()) == 1_500


async def test_acknowledge_many(both: Both) -> None:
    """Messages are acknowledged, and come back in the order given, however many and how large they are."""
    observatory, client = both
    large = [(await observatory.mailbox.send_message("a", "b", "x" * 400_000)).message.id for _ in range(5)]
    ids = [(await observatory.mailbox.send_message("a", "b", "x")).message.id for _ in range(1_200)] + large
    read = await client.mailbox.mark_read("a", *ids, *ids[:3])
    assert [message.id for message in read] == ids + ids[:3]
    assert all(message.read for message in read)
    assert observatory.mailbox.unread_count("a") == 0
    assert _requests(observatory) == 4


async def test_acknowledge_refused(both: Both) -> None:
    """What cannot be an id is found before anything is acknowledged."""
    observatory, client = both
    id = (await observatory.mailbox.send_message("a", "b", "x")).message.id
    wrong: Any = [*[id] * 1_500, 7]
    with pytest.raises(InvalidInputError, match=r"^ids: expected the id of a message, got int$"):
        await client.mailbox.mark_read("a", *wrong)
    assert observatory.mailbox.unread_count("a") == 1


@pytest.mark.usefixtures("two_a_page")
async def test_lists(both: Both) -> None:
    """Notes and figures come whole, notes newest first."""
    observatory, client = both
    for key in "bdace":
        await observatory.notes.add_note(key, "")
    assert await client.notes.list_notes() == observatory.notes.list_notes()
    await observatory.mailbox.broadcast_to_many([*"bdace"], "x", "")
    figures = await client.mailbox.get_stats()
    assert {name: box.unread for name, box in figures.items()} == dict.fromkeys("abcde", 1)


@pytest.mark.usefixtures("two_a_page")
async def test_dead_letters(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead letters come whole, oldest first, also when one goes between two pages."""
    _, client = both
    ids = [f"{number:016}" for number in range(5)]
    letters = [DeadLetter(Message(id, "a", "b", "", _MOMENT), 1, "x", 1, "", _MOMENT) for id in ids]
    lists = iter([letters, letters[:1] + letters[2:]])
    monkeypatch.setattr(Observatory, "dead_letters", lambda _: next(lists, letters))
    assert await client.dead_letters() == tuple(letters)
