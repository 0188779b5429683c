"""What a new Mailbox finds at its start: in storage, in the inbox, and where the two disagree."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import attrs
import pytest
import trio

from observatory import (
    MESSAGE_OVERHEAD,
    MemoryStorage,
    Message,
    Observatory,
    Stored,
)
from observatory.testing import DurableStorage
from observatory.testing.samples import messages

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


def files(root: Path, agent: str = "a") -> list[str]:
    """Return the ids of the messages whose files are there."""
    return sorted(path.stem for path in (root / "inbox" / agent).glob("*"))


def ids(found: Sequence[Message]) -> list[str]:
    """Return the ids of messages."""
    return [message.id for message in found]


async def fill(obs: Observatory, count: int = 4, to: str = "a") -> list[Message]:
    """Send messages and return them, oldest first."""
    return [(await obs.mailbox.send_message(to, "x", str(number))).message for number in range(count)]


class TestInbox:
    """Memory only, and the real inbox."""

    async def test_messages_come_back_once_and_in_order(self, open_here: Open) -> None:
        """What was unread is there again, equal in every field, and numbered anew."""
        async with open_here(installed=["inbox"]) as obs:
            sent = await fill(obs)
            await fill(obs, to="b", count=1)
        async with open_here(installed=["inbox"]) as obs:
            assert obs.mailbox.get_messages("a") == sent[::-1]
            assert obs.mailbox.unread_count("a") == 4
            assert list(obs.mailbox.get_stats()) == ["a", "b"]
            assert (await obs.mailbox.send_message("a", "x", "next")).sequence == 5
        async with open_here(installed=["inbox"]) as obs:
            assert obs.statistics().mailbox.messages == 6

    async def test_what_was_acknowledged_stays_away(self, open_here: Open) -> None:
        """Also what was cleared."""
        async with open_here(installed=["inbox"]) as obs:
            sent = await fill(obs)
            await fill(obs, to="b")
            await obs.mailbox.mark_read("a", sent[1].id, sent[3].id)
            await obs.mailbox.clear_messages("b")
        async with open_here(installed=["inbox"]) as obs:
            assert obs.mailbox.get_messages("a") == [sent[2], sent[0]]
            assert list(obs.mailbox.get_stats()) == ["a"]

    async def test_recovered_messages_can_be_acknowledged(self, open_here: Open, root: Path) -> None:
        """Their files go then."""
        async with open_here(installed=["inbox"]) as obs:
            sent = await fill(obs)
        async with open_here(installed=["inbox"]) as obs:
            await obs.mailbox.mark_read("a", sent[0].id)
            assert files(root) == sorted(ids(sent[1:]))

    @pytest.mark.parametrize(("recover", "agents"), [(None, ["a", "b"]), ([], []), (["b"], ["b"]), (["c"], [])])
    async def test_only_whose_are_asked_for(
        self, open_here: Open, root: Path, recover: Collection[str] | None, agents: list[str]
    ) -> None:
        """The others' files stay where they are, and are not counted as left behind."""
        async with open_here(installed=["inbox"]) as obs:
            await fill(obs, 2)
            await fill(obs, 2, to="b")
        async with open_here(installed=["inbox"], recover=recover) as obs:
            assert list(obs.mailbox.get_stats()) == agents
            assert obs.statistics().mailbox.left_behind == 0
        assert [len(files(root, agent)) for agent in "ab"] == [2, 2]

    @pytest.mark.parametrize("limits", [{"max_messages": 3}, {"max_bytes": 3 * (MESSAGE_OVERHEAD + 1)}])
    async def test_beyond_a_cap(
        self, open_here: Open, root: Path, limits: dict[str, int], caplog: pytest.LogCaptureFixture
    ) -> None:
        """The rest is left on disk, counted and named; with room again it comes at the next start."""
        async with open_here(installed=["inbox"]) as obs:
            sent = await fill(obs, 5)
        with caplog.at_level(logging.WARNING, "observatory.mailbox"):
            async with open_here(installed=["inbox"], mailbox=limits) as obs:
                assert obs.mailbox.get_messages("a") == sent[2::-1]
                assert obs.statistics().mailbox.left_behind == 2
                assert files(root) == sorted(ids(sent))
                await obs.mailbox.clear_messages("a")
        assert "2 messages found at recovery were left where they are" in caplog.text
        async with open_here(installed=["inbox"], mailbox=limits) as obs:
            assert obs.mailbox.get_messages("a") == sent[:2:-1]
            assert obs.statistics().mailbox.left_behind == 0

    async def test_beyond_the_cap_of_mailboxes(self, open_here: Open, root: Path) -> None:
        """Recipients that find no place are left on disk."""
        async with open_here(installed=["inbox"]) as obs:
            await fill(obs, 2)
            await fill(obs, 3, to="b")
        async with open_here(installed=["inbox"], mailbox={"max_mailboxes": 1}) as obs:
            assert list(obs.mailbox.get_stats()) == ["a"]
            assert obs.statistics().mailbox.left_behind == 3
        assert len(files(root, "b")) == 3

    async def test_a_message_whose_file_was_never_written_does_not_survive(
        self, open_here: Open, failing_folders: set[str]
    ) -> None:
        """With storage in memory the receipt says `memory`, and so it is."""
        failing_folders.add("a")
        with trio.CancelScope() as scope:
            async with open_here(installed=["inbox"]) as obs:
                receipt = await obs.mailbox.send_message("a", "x", "hello")
                assert (receipt.durability, receipt.deliveries["inbox"].state) == ("memory", "retrying")
                scope.cancel()
        failing_folders.clear()
        async with open_here(installed=["inbox"]) as obs:
            assert obs.mailbox.get_stats() == {}


class TestStorage:
    """A durable storage, and the real inbox: storage wins."""

    async def test_everything_comes_back(self, open_here: Open) -> None:
        """Read messages too, under the same numbers, without a file's help."""
        storage = DurableStorage()
        async with open_here(storage=storage) as obs:
            receipt = await obs.mailbox.send_message("a", "x", "hello", metadata={"n": 1})
            assert receipt.durability == "fsynced"
            await fill(obs)
            await obs.mailbox.mark_read("a", receipt.message.id)
            before = obs.mailbox.get_messages("a")
        async with open_here(storage=storage) as obs:
            assert obs.mailbox.get_messages("a") == before
            assert (await obs.mailbox.send_message("a", "x", "next")).sequence == 6
            assert obs.mailbox.unread_count("a") == 5

    async def test_nothing_twice(self, open_here: Open, root: Path) -> None:
        """What storage and the inbox both hold is one message."""
        storage = DurableStorage()
        async with open_here(storage=storage, installed=["inbox"]) as obs:
            sent = await fill(obs)
        async with open_here(storage=storage, installed=["inbox"]) as obs:
            assert obs.mailbox.get_messages("a") == sent[::-1]
        assert files(root) == sorted(ids(sent))

    async def test_a_file_of_a_read_message_is_removed(self, open_here: Open, root: Path) -> None:
        """The process died between the commit and the retraction."""
        storage = DurableStorage()
        async with open_here(storage=storage, installed=["inbox"]) as obs:
            sent = await fill(obs)
            path = root / "inbox" / "a" / f"{sent[1].id}.json"
            saved = path.read_bytes()
            await obs.mailbox.mark_read("a", sent[1].id)
        path.write_bytes(saved)
        async with open_here(storage=storage, installed=["inbox"]) as obs:
            assert [message.read for message in obs.mailbox.get_messages("a")] == [False, False, True, False]
        assert not path.exists()

    async def test_a_missing_file_of_an_unread_message_is_written_again(self, open_here: Open, root: Path) -> None:
        """The process died between the commit and the write."""
        storage = DurableStorage()
        async with open_here(storage=storage, installed=["inbox"]) as obs:
            sent = await fill(obs)
            await fill(obs, to="b", count=1)
        lost = root / "inbox" / "a" / f"{sent[2].id}.json"
        saved = lost.read_bytes()
        lost.unlink()
        (root / "inbox" / "b").joinpath(files(root, "b")[0] + ".json").unlink()
        async with open_here(storage=storage, installed=["inbox"], recover=["a"]) as obs:
            assert obs.mailbox.get_messages("a") == sent[::-1]
        assert lost.read_bytes() == saved
        assert files(root, "b") == []  # nobody has asked for b's

    async def test_a_file_that_storage_does_not_know(self, open_here: Open) -> None:
        """It is committed, and stays when the file is gone."""
        async with open_here(installed=["inbox"]) as obs:
            sent = await fill(obs)
        storage = DurableStorage()
        async with open_here(storage=storage, installed=["inbox"]) as obs:
            assert obs.mailbox.get_messages("a") == sent[::-1]
        async with open_here(storage=storage) as obs:
            assert obs.mailbox.get_messages("a") == sent[::-1]

    async def test_caps_are_smaller_now(self, open_here: Open, root: Path) -> None:
        """Read messages make room, unread ones beyond the cap are left, each counted once."""
        storage = DurableStorage()
        async with open_here(storage=storage, installed=["inbox"]) as obs:
            sent = await fill(obs, 6)
            await obs.mailbox.mark_read("a", sent[0].id, sent[2].id)
        async with open_here(storage=storage, installed=["inbox"], mailbox={"max_messages": 3}) as obs:
            assert obs.mailbox.get_messages("a") == [sent[4], sent[3], sent[1]]
            assert obs.statistics().mailbox.left_behind == 1
        assert files(root) == sorted(ids([sent[1], *sent[3:]]))

    async def test_a_stored_message_that_is_not_allowed(
        self, open_here: Open, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is left where it is, counted and named, and the others are there."""
        storage = DurableStorage()
        good, bad = messages("a", "a")
        await storage.append([attrs.evolve(bad, content="\ud800"), good])
        async with open_here(storage=storage) as obs:
            assert obs.mailbox.get_messages("a") == [good]
            assert obs.statistics().mailbox.left_behind == 1
        assert f"recovered message '{bad.id}' of 'a' is left where it is: content: has a lone" in caplog.text


@pytest.mark.parametrize("enabled", [True, False])
async def test_the_search_for_garbage_is_as_it_was_afterwards(open_here: Open, enabled: bool) -> None:
    """It is off while the table is filled, and only then, unless the program has turned it off itself."""
    during: list[bool] = []

    class Watched(MemoryStorage):
        async def replay(self, apply: Callable[[Sequence[Stored]], None]) -> None:
            during.append(gc.isenabled())
            await super().replay(apply)

    if not enabled:
        gc.disable()
    try:
        async with open_here(storage=Watched()):
            assert gc.isenabled() == enabled
    finally:
        gc.enable()
    assert during == [False]
