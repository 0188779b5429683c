"""Acknowledging and clearing: what is read, what is told, what is taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    MESSAGE_OVERHEAD,
    ClosedError,
    InvalidInputError,
    MailboxCleared,
    Message,
    MessagesRead,
    Observatory,
    Retraction,
    StorageError,
    UnknownMessageError,
)
from observatory.testing import FailingChannel, FailingStorage, RecordingChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
Fill = Callable[..., Awaitable[list[Message]]]


class TestMarkRead:
    """`mark_read` acknowledges."""

    async def test_the_messages_are_returned_in_the_order_given(self, open_here: Open, fill: Fill) -> None:
        """They are as before, but read."""
        async with open_here() as obs:
            messages = await fill(obs)
            answer = await obs.mailbox.mark_read("a", messages[2].id, messages[0].id)
            assert answer == (attrs.evolve(messages[2], read=True), attrs.evolve(messages[0], read=True))
            assert [message.read for message in obs.mailbox.get_messages("a")] == [False, True, False, True]

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1)])
    async def test_in_any_order(self, open_here: Open, fill: Fill, order: Sequence[int]) -> None:
        """What is left unread is right after each step."""
        async with open_here() as obs:
            messages = await fill(obs)
            left = dict(enumerate(messages))
            for position in order:
                await obs.mailbox.mark_read("a", left.pop(position).id)
                unread = obs.mailbox.get_messages("a", unread_only=True)
                assert unread == sorted(left.values(), key=lambda message: message.timestamp, reverse=True)
                assert obs.mailbox.unread_count("a") == len(left)

    async def test_twice(self, open_here: Open, fill: Fill) -> None:
        """Acknowledging again is no error, and nobody is told again."""
        channel = RecordingChannel()
        async with open_here(channels={"files": channel}, delivery={"required": ["files"]}) as obs:
            (message,) = await fill(obs, "0")
            async with obs.pubsub.subscribe("agent:a") as subscription:
                first = await obs.mailbox.mark_read("a", message.id)
                assert await obs.mailbox.mark_read("a", message.id) == first
                payloads = [event.payload for event in await subscription.receive_batch()]
                assert payloads == [MessagesRead("a", (message.id,))]
            assert channel.jobs[1:] == [Retraction("a", message.id)]

    async def test_twice_in_one_call(self, open_here: Open, fill: Fill) -> None:
        """An id that stands there twice counts once, and comes back twice."""
        async with open_here() as obs, obs.pubsub.subscribe("agent:a") as subscription:
            first, second = await fill(obs, "01")
            answer = await obs.mailbox.mark_read("a", first.id, second.id, first.id)
            assert [message.id for message in answer] == [first.id, second.id, first.id]
            assert obs.mailbox.unread_count("a") == 0
            events = await subscription.receive_batch()
            assert events[-1].payload == MessagesRead("a", (first.id, second.id))

    async def test_twice_at_the_same_time(self, open_here: Open, fill: Fill) -> None:
        """Two tasks that acknowledge the same message both succeed."""
        async with open_here() as obs:
            (message,) = await fill(obs, "0")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(obs.mailbox.mark_read, "a", message.id)
                nursery.start_soon(obs.mailbox.mark_read, "a", message.id)
            assert obs.mailbox.unread_count("a") == 0
            assert obs.health().healthy

    async def test_nothing(self, open_here: Open) -> None:
        """Acknowledging no message at all does nothing."""
        async with open_here() as obs:
            assert await obs.mailbox.mark_read("a") == ()

    async def test_an_unknown_id(self, open_here: Open, fill: Fill) -> None:
        """Then none of the messages is acknowledged."""
        async with open_here() as obs:
            (message,) = await fill(obs, "0")
            (other,) = await fill(obs, "0", to="b")
            with pytest.raises(UnknownMessageError, match=f"'a' holds no message '{other.id}'"):
                await obs.mailbox.mark_read("a", message.id, other.id)
            with pytest.raises(UnknownMessageError, match="'nobody' holds no message"):
                await obs.mailbox.mark_read("nobody", other.id)
            assert (obs.mailbox.unread_count("a"), obs.mailbox.unread_count("b")) == (1, 1)

    @pytest.mark.parametrize(
        ("agent", "id", "reason"),
        [
            ("../a", "0" * 16, "agent: '../a' is no name"),
            ("a", ["0" * 16], "ids: expected the id of a message, got list"),
            ("a", None, "ids: expected the id of a message, got NoneType"),
        ],
    )
    async def test_bad_arguments(self, open_here: Open, fill: Fill, agent: Any, id: Any, reason: str) -> None:
        """They are the caller's errors, and the Mailbox goes on."""
        async with open_here() as obs:
            with pytest.raises(InvalidInputError, match=reason):
                await obs.mailbox.mark_read(agent, id)
            await fill(obs)
            assert all(child.restarts == 0 for child in obs.health().children)

    async def test_a_failed_commit(self, open_here: Open, fill: Fill) -> None:
        """Nothing has happened, and it can be acknowledged later."""
        storage, channel = FailingStorage(), RecordingChannel()
        async with open_here(storage=storage, channels={"files": channel}) as obs:
            (message,) = await fill(obs, "0")
            storage.failing = True
            with pytest.raises(StorageError, match="planned by the test"):
                await obs.mailbox.mark_read("a", message.id)
            assert obs.mailbox.get_messages("a", unread_only=True) == [message]
            storage.failing = False
            await obs.mailbox.mark_read("a", message.id)
            assert obs.mailbox.unread_count("a") == 0
        assert channel.delivered == []

    async def test_the_file_is_gone_when_it_returns(self, open_here: Open, fill: Fill, root: Path) -> None:
        """The inbox has taken the message back."""
        async with open_here(installed=["inbox"]) as obs:
            first, second = await fill(obs, "01")
            await obs.mailbox.mark_read("a", first.id)
            assert [path.stem for path in (root / "inbox" / "a").iterdir()] == [second.id]

    async def test_a_write_that_is_pending_is_cancelled(
        self, open_here: Open, fill: Fill, autojump_clock: MockClock
    ) -> None:
        """What is read before it could be delivered is not delivered any more."""
        channel = FailingChannel(times=2)
        async with open_here(channels={"files": channel}, delivery={"required": ["files"]}) as obs:
            (message,) = await fill(obs, "0")
            await obs.mailbox.mark_read("a", message.id)
            await trio.sleep(60)
            assert channel.delivered == []
            assert obs.statistics().lanes["files"].dropped == 1

    async def test_after_closing(self, open_here: Open, fill: Fill) -> None:
        """Nothing is acknowledged any more."""
        async with open_here() as obs:
            (message,) = await fill(obs, "0")
        with pytest.raises(ClosedError):
            await obs.mailbox.mark_read("a", message.id)

    async def test_waiting_with_sends(self, open_here: Open, fill: Fill, gated_storage: Any) -> None:
        """What waits together with sends goes first, so that it makes room for them."""
        gated_storage.gate.set()
        async with open_here(storage=gated_storage, mailbox={"max_messages": 1}) as obs, trio.open_nursery() as nursery:
            (message,) = await fill(obs, "0")
            gated_storage.gate = trio.Event()
            nursery.start_soon(obs.mailbox.send_message, "b", "x", "the batch in hand")
            await wait_all_tasks_blocked()
            nursery.start_soon(obs.mailbox.send_message, "a", "x", "new")
            await wait_all_tasks_blocked()
            nursery.start_soon(obs.mailbox.mark_read, "a", message.id)
            await wait_all_tasks_blocked()
            gated_storage.gate.set()
            await wait_all_tasks_blocked()
            assert [message.content for message in obs.mailbox.get_messages("a")] == ["new"]


class TestClear:
    """`clear_messages` is the owner's explicit act."""

    async def test_everything_goes(self, open_here: Open, fill: Fill, root: Path) -> None:
        """Unread messages too, with their files; the answer is how many there were."""
        async with open_here(installed=["inbox"]) as obs:
            messages = await fill(obs)
            await fill(obs, "0", to="b")
            await obs.mailbox.mark_read("a", messages[1].id)
            async with obs.pubsub.subscribe("agent:a") as subscription:
                assert await obs.mailbox.clear_messages("a") == 4
                assert [event.payload for event in await subscription.receive_batch()] == [MailboxCleared("a", 4)]
            assert list((root / "inbox" / "a").iterdir()) == []
            assert list(obs.mailbox.get_stats()) == ["b"]
            assert obs.statistics().mailbox.bytes == MESSAGE_OVERHEAD + 1

    async def test_nothing_there(self, open_here: Open) -> None:
        """An empty mailbox is cleared at once, and nobody is told."""
        async with open_here() as obs, obs.pubsub.subscribe("agent:*") as subscription:
            assert await obs.mailbox.clear_messages("a") == 0
            assert subscription.statistics().pending == 0

    async def test_only_read_ones(self, open_here: Open, fill: Fill) -> None:
        """Their files are gone already, so nothing is taken back."""
        channel = RecordingChannel()
        async with open_here(channels={"files": channel}, delivery={"required": ["files"]}) as obs:
            (message,) = await fill(obs, "0")
            await obs.mailbox.mark_read("a", message.id)
            assert await obs.mailbox.clear_messages("a") == 1
            assert len(channel.jobs) == 2

    async def test_twice_at_the_same_time(self, open_here: Open, fill: Fill, gated_storage: Any) -> None:
        """Of two that wait together, one removes the messages, and only that is told."""
        gated_storage.gate.set()
        counts: list[int] = []

        async def clear() -> None:
            counts.append(await obs.mailbox.clear_messages("a"))

        async with open_here(storage=gated_storage) as obs, obs.pubsub.subscribe("agent:a") as subscription:
            await fill(obs)
            await subscription.receive_batch()
            gated_storage.gate = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(obs.mailbox.send_message, "b", "x", "the batch in hand")
                await wait_all_tasks_blocked()
                nursery.start_soon(clear)
                nursery.start_soon(clear)
                await wait_all_tasks_blocked()
                gated_storage.gate.set()
            assert sorted(counts) == [0, 4]
            assert [event.payload for event in await subscription.receive_batch()] == [MailboxCleared("a", 4)]

    async def test_a_failed_commit(self, open_here: Open, fill: Fill) -> None:
        """Everything is still there."""
        storage = FailingStorage()
        async with open_here(storage=storage) as obs:
            messages = await fill(obs)
            storage.failing = True
            with pytest.raises(StorageError):
                await obs.mailbox.clear_messages("a")
            assert obs.mailbox.get_messages("a", unread_only=True) == messages[::-1]

    async def test_a_bad_name(self, open_here: Open) -> None:
        """Nothing can be cleared that can be nobody's."""
        async with open_here() as obs:
            with pytest.raises(InvalidInputError, match="agent: "):
                await obs.mailbox.clear_messages("..")

    async def test_writes_that_are_pending_are_cancelled(
        self, open_here: Open, fill: Fill, autojump_clock: MockClock
    ) -> None:
        """What was cleared is not delivered later, nor does it stay a dead letter."""
        channel = FailingChannel(times=100)
        async with open_here(channels={"files": channel}, delivery={"required": ["files"]}) as obs:
            await fill(obs)
            await trio.sleep(60)
            assert len(obs.dead_letters()) == 4
            channel.left["a"] = 2
            await fill(obs)
            await obs.mailbox.clear_messages("a")
            await trio.sleep(60)
            assert obs.dead_letters() == ()
            assert channel.delivered == []
