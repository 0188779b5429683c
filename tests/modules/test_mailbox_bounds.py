"""Caps, what is evicted at them, and the cleanup after 24 hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import pytest
import trio

from observatory import (
    MESSAGE_OVERHEAD,
    Entry,
    Expired,
    MailboxFullError,
    MemoryStorage,
    Message,
    Observatory,
    StorageError,
)
from observatory.testing import FailingStorage

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


ONE = MESSAGE_OVERHEAD + 1
"""Bytes of a message with one character."""

AS_THREE = "z" * (3 * ONE - MESSAGE_OVERHEAD)
"""A text that counts for as much as three of those."""


async def fill(obs: Observatory, contents: str, *read: int, to: str = "a") -> list[Message]:
    """Send a message for each character and acknowledge some by position; return them, oldest first."""
    messages = [(await obs.mailbox.send_message(to, "x", content)).message for content in contents]
    if read:
        await obs.mailbox.mark_read(to, *(messages[position].id for position in read))
    return messages


def contents(obs: Observatory, agent: str = "a") -> str:
    """Return what is in a mailbox, oldest first."""
    return "".join(message.content for message in reversed(obs.mailbox.get_messages(agent)))


class TestCaps:
    """At a cap the oldest read messages go, and never an unread one."""

    @pytest.mark.parametrize(
        ("read", "left"),
        [([1], "acde"), ([3], "abce"), ([3, 1, 0], "bcde"), ([2, 3, 1], "acde")],
    )
    async def test_the_oldest_read_message_goes(self, open_here: Open, read: list[int], left: str) -> None:
        """Whatever the order of reading was."""
        async with open_here(mailbox={"max_messages": 4}) as obs:
            messages = await fill(obs, "abcd")
            for position in read:
                await obs.mailbox.mark_read("a", messages[position].id)
            await fill(obs, "e")
            assert contents(obs) == left

    async def test_one_after_the_other(self, open_here: Open) -> None:
        """Each further message evicts one, until only unread ones are left."""
        async with open_here(mailbox={"max_messages": 4}) as obs:
            await fill(obs, "abcd", 3, 0, 2)
            for content, left in (("e", "bcde"), ("f", "bdef"), ("g", "befg")):
                await fill(obs, content)
                assert contents(obs) == left
            with pytest.raises(MailboxFullError):
                await fill(obs, "h")
            assert contents(obs) == "befg"

    @pytest.mark.parametrize(
        ("limits", "to", "limit"),
        [
            ({"max_messages": 3}, "a", "max_messages"),
            ({"max_bytes": 3 * ONE}, "a", "max_bytes"),
            ({"max_total_bytes": 3 * ONE}, "a", "max_total_bytes"),
            ({"max_total_bytes": 3 * ONE}, "b", "max_total_bytes"),
            ({"max_mailboxes": 1}, "b", "max_mailboxes"),
        ],
    )
    async def test_full_of_unread_ones(self, open_here: Open, limits: dict[str, int], to: str, limit: str) -> None:
        """The sender is refused, nothing has happened, and the error names the setting."""
        async with open_here(mailbox=limits) as obs, obs.pubsub.subscribe("agent:*") as subscription:
            await fill(obs, "abc")
            await subscription.receive_batch()
            with pytest.raises(MailboxFullError, match=rf"'{to}'.*: mailbox\.{limit} is ") as caught:
                await fill(obs, "d", to=to)
            assert (caught.value.to, caught.value.limit) == (to, f"mailbox.{limit}")
            assert contents(obs) == "abc"
            assert list(obs.mailbox.get_stats()) == ["a"]
            assert obs.statistics().mailbox.bytes == 3 * ONE
            assert subscription.statistics().pending == 0

    @pytest.mark.parametrize("limit", ["max_bytes", "max_total_bytes"])
    async def test_as_many_go_as_are_needed(self, open_here: Open, limit: str) -> None:
        """A large message evicts several small ones, and no more than that."""
        async with open_here(mailbox={limit: 10 * ONE}) as obs:
            await fill(obs, "abcdefghij", 0, 1, 2, 3, 4)
            await obs.mailbox.send_message("a", "x", AS_THREE)
            assert contents(obs) == "defghij" + AS_THREE
            assert obs.statistics().mailbox.bytes == 10 * ONE

    async def test_too_large_for_what_may_go(self, open_here: Open) -> None:
        """When evicting every read message is not enough, none is evicted."""
        async with open_here(mailbox={"max_bytes": 10 * ONE}) as obs:
            await fill(obs, "abcdefghij", 0, 1, 2)
            with pytest.raises(MailboxFullError):
                await obs.mailbox.send_message("a", "x", AS_THREE + "z")
            assert contents(obs) == "abcdefghij"
            await obs.mailbox.send_message("a", "x", AS_THREE)
            assert contents(obs) == "defghij" + AS_THREE

    async def test_metadata_counts(self, open_here: Open) -> None:
        """Content is counted in bytes of UTF-8, and metadata with it."""
        async with open_here(mailbox={"max_bytes": MESSAGE_OVERHEAD + 42}) as obs:
            await obs.mailbox.send_message("a", "x", "ü", metadata={"key": ["value", 1]})
            assert obs.statistics().mailbox.bytes == MESSAGE_OVERHEAD + 2 + 8 + 3 + 8 + 8 + 5 + 8
            with pytest.raises(MailboxFullError):
                await obs.mailbox.send_message("a", "x", "", metadata={"key": 1})

    async def test_one_that_is_larger_than_any_mailbox(self, open_here: Open) -> None:
        """It is refused even by an empty mailbox, which does not come into being by that."""
        async with open_here(mailbox={"max_bytes": 3 * ONE}) as obs:
            with pytest.raises(MailboxFullError):
                await obs.mailbox.send_message("a", "x", AS_THREE + "z")
            assert obs.mailbox.get_stats() == {}
            assert obs.statistics().mailbox.mailboxes == 0

    async def test_a_cleared_mailbox_has_room(self, open_here: Open) -> None:
        """It counts neither as a mailbox nor in bytes."""
        async with open_here(mailbox={"max_mailboxes": 1, "max_total_bytes": 3 * ONE}) as obs:
            await fill(obs, "abc")
            await obs.mailbox.clear_messages("a")
            await fill(obs, "abc", to="b")
            assert contents(obs, "b") == "abc"

    async def test_a_whole_batch_at_the_cap(self, open_here: Open) -> None:
        """Concurrent senders share what room there is: as many as fit are served, the others refused."""
        async with open_here(mailbox={"max_messages": 4}) as obs:
            await fill(obs, "abcd", 0, 1)
            refused: list[MailboxFullError] = []

            async def send() -> None:
                try:
                    await obs.mailbox.send_message("a", "x", "n")
                except MailboxFullError as error:
                    refused.append(error)

            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(send)
            assert contents(obs) == "cdnn"
            assert len(refused) == 3

    async def test_storage_is_told_what_goes(self, open_here: Open) -> None:
        """The eviction is committed with the message that caused it."""
        log: list[Entry] = []

        class Watched(MemoryStorage):
            async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
                log.extend(batch)
                return await super().append(batch)

        async with open_here(storage=Watched(), mailbox={"max_messages": 2}) as obs:
            await fill(obs, "ab", 0, 1)
            new = await fill(obs, "c")
            assert log[-2:] == [Expired("a", (1,)), new[0]]

    async def test_what_should_have_gone_stays_when_the_commit_fails(self, open_here: Open) -> None:
        """A send that evicts and then cannot be committed changes nothing."""
        storage = FailingStorage()
        async with open_here(storage=storage, mailbox={"max_messages": 3}) as obs:
            await fill(obs, "abc", 2, 0)
            storage.failing = True
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(expect_refusal, obs)
            assert contents(obs) == "abc"
            assert obs.statistics().mailbox.bytes == 3 * ONE
            storage.failing = False
            await fill(obs, "de")
            assert contents(obs) == "bde"


async def expect_refusal(obs: Observatory) -> None:
    """Send a message that must be refused, for want of room or of storage."""
    with pytest.raises((StorageError, MailboxFullError)):
        await obs.mailbox.send_message("a", "x", "n")
