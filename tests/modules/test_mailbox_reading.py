"""Reading is plain functions on the table: pages, counts, figures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    MESSAGE_OVERHEAD,
    Clock,
    InvalidInputError,
    MailboxStats,
    MailboxTotals,
    MemoryStorage,
    Message,
    Observatory,
    UnknownMessageError,
)

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
Fill = Callable[..., Awaitable[list[Message]]]


def contents(messages: Sequence[Message]) -> str:
    """Return the contents of messages in a row."""
    return "".join(message.content for message in messages)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "543210"),
        ({"limit": 2}, "54"),
        ({"limit": 0}, ""),
        ({"limit": 1_000}, "543210"),
        ({"unread_only": True}, "530"),
        ({"unread_only": True, "limit": 2}, "53"),
    ],
)
async def test_newest_first(open_here: Open, fill: Fill, arguments: dict[str, Any], expected: str) -> None:
    """As many as are asked for, those that were acknowledged left out where nobody wants them."""
    async with open_here() as obs:
        await fill(obs, "012345", 1, 2, 4)
        assert contents(obs.mailbox.get_messages("a", **arguments)) == expected


@pytest.mark.parametrize(
    ("position", "unread_only", "expected"),
    [
        (3, False, "210"),
        (3, True, "0"),
        (4, True, "30"),
        (2, True, "0"),
        (0, False, ""),
        (0, True, ""),
    ],
)
async def test_before(open_here: Open, fill: Fill, position: int, unread_only: bool, expected: str) -> None:
    """Only what is older than a message, whether that was acknowledged or not."""
    async with open_here() as obs:
        messages = await fill(obs, "012345", 1, 2, 4)
        page = obs.mailbox.get_messages("a", before=messages[position].id, unread_only=unread_only)
        assert contents(page) == expected


async def test_pages_join_without_a_seam(open_here: Open, fill: Fill) -> None:
    """Going on before the last message of each page gives everything once."""
    async with open_here() as obs:
        await fill(obs, "0123456789", 3)
        found = page = obs.mailbox.get_messages("a", limit=4)
        while page := obs.mailbox.get_messages("a", limit=4, before=page[-1].id):
            found += page
        assert contents(found) == "9876543210"


async def test_the_default_is_a_hundred(open_here: Open, fill: Fill) -> None:
    """A deep mailbox is not returned whole unless that is asked for."""
    async with open_here() as obs:
        await fill(obs, "x" * 101)
        assert len(obs.mailbox.get_messages("a")) == 100


async def test_one_mailbox_knows_nothing_of_another(open_here: Open, fill: Fill) -> None:
    """The id of a message in another mailbox is unknown here."""
    async with open_here() as obs:
        (other,) = await fill(obs, "0", to="b")
        assert obs.mailbox.get_messages("a") == []
        with pytest.raises(UnknownMessageError, match=f"'a' holds no message '{other.id}'") as caught:
            obs.mailbox.get_messages("a", before=other.id)
        assert (caught.value.agent, caught.value.id) == ("a", other.id)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"limit": -1}, "limit: expected an integer of at least 0, got -1"),
        ({"limit": "5"}, "limit: expected an integer of at least 0, got str"),
        ({"before": 5}, "before: expected the id of a message, got int"),
        ({"before": []}, "before: expected the id of a message, got list"),
    ],
)
async def test_bad_arguments(open_here: Open, arguments: dict[str, Any], reason: str) -> None:
    """The error names the argument, what was given and what is allowed."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError, match=f"^{reason}$"):
            obs.mailbox.get_messages("a", **arguments)


@pytest.mark.parametrize("name", ["../a", "", None, []])
async def test_bad_names(open_here: Open, name: Any) -> None:
    """No read takes what can be nobody's name."""
    async with open_here() as obs:
        for read in (obs.mailbox.get_messages, obs.mailbox.unread_count, obs.mailbox.agent_stats):
            with pytest.raises(InvalidInputError, match=r"^agent: "):
                read(name)


async def test_unread_count(open_here: Open, fill: Fill) -> None:
    """It goes down by what is acknowledged."""
    async with open_here() as obs:
        assert obs.mailbox.unread_count("a") == 0
        messages = await fill(obs, "012345", 1, 2)
        assert obs.mailbox.unread_count("a") == 4
        await obs.mailbox.mark_read("a", *(message.id for message in messages))
        assert obs.mailbox.unread_count("a") == 0


async def test_stats(open_here: Open, fill: Fill, autojump_clock: MockClock) -> None:
    """Each mailbox that is not empty tells what it holds and how long the oldest unread one has waited."""
    async with open_here() as obs:
        (message,) = await fill(obs, "0", to="b")
        await trio.sleep(30)
        await fill(obs, "0", 0, to="c")
        await fill(obs, "01", 1)
        await trio.sleep(12)
        stats = obs.mailbox.get_stats()
        assert list(stats) == ["b", "c", "a"]
        assert [(each.total, each.unread) for each in stats.values()] == [(1, 1), (1, 0), (2, 1)]
        ages = [each.oldest_unread_age_sec for each in stats.values()]
        assert ages == [pytest.approx(42), None, pytest.approx(12)]
        assert obs.mailbox.agent_stats("b").oldest_unread_age_sec == pytest.approx(42)
        assert obs.mailbox.agent_stats("nobody") == MailboxStats(0, 0, None)
        await obs.mailbox.mark_read("b", message.id)
        assert obs.mailbox.agent_stats("b").oldest_unread_age_sec is None


async def test_the_oldest_unread_follows_what_is_acknowledged(
    open_here: Open, fill: Fill, autojump_clock: MockClock
) -> None:
    """In whatever order messages are read, the age is that of the oldest one left."""
    async with open_here() as obs:
        messages = []
        for _ in range(4):
            messages += await fill(obs, "0")
            await trio.sleep(10)
        for position, age in ((1, 40), (0, 20), (3, 20), (2, None)):
            await obs.mailbox.mark_read("a", messages[position].id)
            assert obs.mailbox.agent_stats("a").oldest_unread_age_sec == (age and pytest.approx(age))


async def test_an_age_is_never_negative(open_here: Open, fill: Fill) -> None:
    """A message that was recovered may come from a process whose clock was ahead of ours."""

    class Behind(Clock):
        def now(self) -> Any:
            return super().now() - timedelta(hours=1)

    storage = MemoryStorage()
    async with open_here(storage=storage, clock=Clock()) as obs:
        await fill(obs, "0")
    async with open_here(storage=storage, clock=Behind()) as obs:
        assert obs.mailbox.agent_stats("a").oldest_unread_age_sec == 0.0


async def test_totals(open_here: Open, fill: Fill) -> None:
    """The figures of all mailboxes together."""
    async with open_here() as obs:
        assert obs.mailbox.statistics() == MailboxTotals(0, 0, 0, 0, 0, 0)
        await fill(obs, "012345", 1, 2)
        await obs.mailbox.send_message("b", "x", "grüße", metadata={"key": 1})
        totals = obs.mailbox.statistics()
        assert totals == MailboxTotals(2, 7, 5, 7 * MESSAGE_OVERHEAD + 6 + 7 + 3 + 8 + 8, 0, 7)
        assert obs.statistics().mailbox == totals


async def test_what_is_being_committed_is_not_there_yet(open_here: Open, gated_storage: Any) -> None:
    """While the first message to somebody is under way, there is no such mailbox."""
    async with open_here(storage=gated_storage) as obs, trio.open_nursery() as nursery:
        nursery.start_soon(obs.mailbox.send_message, "a", "x", "")
        await wait_all_tasks_blocked()
        assert obs.mailbox.get_stats() == {}
        assert obs.mailbox.agent_stats("a") == MailboxStats(0, 0, None)
        assert obs.mailbox.get_messages("a") == []
        assert obs.mailbox.statistics().mailboxes == 0
        gated_storage.gate.set()
