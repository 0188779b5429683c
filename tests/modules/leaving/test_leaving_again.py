"""What is being taken back when another process opens the same storage, when it is written again, and beyond bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    MESSAGE_OVERHEAD,
    Entry,
    Observatory,
    OutcomeUnknownError,
    Retracting,
    StorageBackend,
)
from observatory.testing import DurableStorage
from observatory.testing.samples import messages

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
Leaving = Callable[[StorageBackend], Awaitable[list[Any]]]
LIMITS = {"max_messages": 1, "cleanup_age": 0.5, "cleanup_interval": 1}


async def send(obs: Observatory, obs_to: str = "a", content: str = "hello") -> Any:
    """Send a message, and wait until it is delivered."""
    message = (await obs.mailbox.send_message(obs_to, "x", content)).message
    await wait_all_tasks_blocked()
    return message


async def clear_what_is_written_again(obs: Observatory, folder: Any) -> Any:
    """Clear a mailbox, and let another process write its message once more; return that."""
    message = await send(obs)
    await obs.mailbox.clear_messages("a")
    await wait_all_tasks_blocked()
    folder.delivered.append(message)
    await folder.adopt([message])
    return message


async def evict(obs: Observatory) -> None:
    """Let a read message go for another one."""
    await send(obs, content="second")


async def clean_up(obs: Observatory) -> None:
    """Let the cleanup remove it."""
    await trio.sleep(2.5)


async def clear(obs: Observatory) -> None:
    """Remove everything."""
    await obs.mailbox.clear_messages("a")


@pytest.mark.parametrize("act", [evict, clean_up, clear])
async def test_a_process_that_did_not_look(
    open_here: Open, retracting: Leaving, folder: Any, act: Any, autojump_clock: MockClock
) -> None:
    """A read message that leaves while nobody knows of its file takes it along."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}, mailbox=LIMITS) as obs:
        message = await send(obs)
        folder.stubborn = True
        await obs.mailbox.mark_read("a", message.id)
        await obs.mailbox.record()
    folder.stubborn = False
    async with open_here(storage=storage, channels={"c": folder}, mailbox=LIMITS, recover=()) as obs:
        assert message in folder.delivered
        await act(obs)
        await trio.sleep(2)
        assert message not in folder.delivered
        assert await retracting(storage) == []


async def test_a_read_message_without_room(open_here: Open, folder: Any) -> None:
    """It neither comes back through its file at a start with a lower cap, nor later."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        first = await send(obs)
        second = await send(obs)
        folder.stubborn = True
        await obs.mailbox.mark_read("a", second.id)
    folder.stubborn = False
    for _ in range(2):
        async with open_here(storage=storage, channels={"c": folder}, mailbox=LIMITS) as obs:
            assert obs.mailbox.get_messages("a") == [first]
            assert obs.statistics().mailbox.left_behind == 0
            await wait_all_tasks_blocked()
            assert folder.delivered == [first]


async def test_what_storage_holds_is_adopted_by_no_start(open_here: Open, folder: Any) -> None:
    """A stored message for which there was no room is not stored twice, though there is room when its file is found."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        big = await send(obs, "b", "B" * 4_000)
        message = await send(obs, "a", "X" * 1_000)
        await obs.mailbox.mark_read("b", big.id)
        await wait_all_tasks_blocked()
    folder.delivered = [*messages("b"), message]  # the first makes room
    limits = {"max_total_bytes": 4_500 + MESSAGE_OVERHEAD, "max_messages": 1}
    async with open_here(storage=storage, channels={"c": folder}, mailbox=limits) as obs:
        assert obs.mailbox.get_messages("a") == []
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        assert obs.mailbox.get_messages("a") == [message]


class Listening(DurableStorage):
    """Keeps every entry."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Entry] = []

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Keep the batch and commit it."""
        self.log.extend(batch)
        return await super().append(batch)


class BreaksOnce(DurableStorage):
    """Breaks at a commit, once it is told to."""

    breaks = False

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit, or break."""
        if self.breaks:
            self.breaks = False
            raise RuntimeError("planned by the test")
        return await super().append(batch)


async def test_written_again_by_its_sender(open_here: Open, folder: Any, autojump_clock: MockClock) -> None:
    """What was cleared, taken back, and written again is an unread message: no restart takes its file."""
    storage = BreaksOnce()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        message = await clear_what_is_written_again(obs, folder)
        storage.breaks = True
        with suppress(OutcomeUnknownError):
            await send(obs, "b")
        await trio.sleep(7)
        assert obs.mailbox.get_messages("a") == [message]
        assert message in folder.delivered


async def test_cleared_again(open_here: Open, folder: Any, autojump_clock: MockClock) -> None:
    """A message that leaves twice within a second is remembered as long as its second file is there."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        await clear_what_is_written_again(obs, folder)
        folder.stubborn = True
        await obs.mailbox.clear_messages("a")
        await trio.sleep(2)
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        assert obs.mailbox.get_messages("a") == []


async def test_restarts_ask_for_nothing_twice(open_here: Open, folder: Any, autojump_clock: MockClock) -> None:
    """What is owed already is not owed once more after each restart of the Mailbox."""
    storage = BreaksOnce()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        for _ in range(10):
            await send(obs)
        folder.stubborn = True
        await obs.mailbox.clear_messages("a")
        await wait_all_tasks_blocked()
        for _ in range(2):
            storage.breaks = True
            with suppress(OutcomeUnknownError):
                await send(obs, "b")
            await trio.sleep(7)
        assert obs.statistics().lanes["c"].owed == 10
        folder.stubborn = False


async def test_thousands(open_here: Open, retracting: Leaving, folder: Any, autojump_clock: MockClock) -> None:
    """However many are taken back at once, storage has heard of all of them a second later."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        async with trio.open_nursery() as nursery:
            for number in range(2_500):
                nursery.start_soon(obs.mailbox.send_message, "a", "x", str(number))
        await trio.sleep(5)
        await obs.mailbox.clear_messages("a")
        assert len(await retracting(storage)) == 2_500
        await trio.sleep(1.1)
        assert await retracting(storage) == []


async def test_beyond_what_may_be_owed(
    open_here: Open, retracting: Leaving, folder: Any, autojump_clock: MockClock
) -> None:
    """What a lane gives up to take back in this life is taken back by the next one."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}, delivery={"dead_letters": 5}) as obs:
        for _ in range(20):
            await send(obs)
        folder.stubborn = True
        await obs.mailbox.clear_messages("a")
        await wait_all_tasks_blocked()
        assert obs.statistics().lanes["c"].forgotten == 15
    assert len(await retracting(storage)) == 20
    folder.stubborn = False
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        assert obs.mailbox.get_messages("a") == []
        await trio.sleep(2)
        assert folder.delivered == []
        assert await retracting(storage) == []


async def test_what_was_given_up_and_leaves_later(
    open_here: Open, retracting: Leaving, folder: Any, autojump_clock: MockClock
) -> None:
    """An acknowledged message that its lane has given up to take back does not come back after it was cleaned up."""
    storage = DurableStorage()
    options: Any = {"delivery": {"dead_letters": 1}, "mailbox": {"cleanup_age": 0.5, "cleanup_interval": 10}}
    async with open_here(storage=storage, channels={"c": folder}, **options) as obs:
        sent = [await send(obs) for _ in range(3)]
        folder.stubborn = True
        await obs.mailbox.mark_read("a", *(message.id for message in sent))
        await trio.sleep(11)
        assert obs.statistics().lanes["c"].forgotten == 2
        assert obs.mailbox.get_messages("a") == []
        await folder.adopt(sent)
        assert obs.mailbox.get_messages("a") == []
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        assert obs.mailbox.get_messages("a") == []
        folder.stubborn = False


async def test_no_post_goes_for_what_is_taken_back(open_here: Open, folder: Any, autojump_clock: MockClock) -> None:
    """A lane that is not required, and full, drops no new post for files of what an earlier process has left."""
    storage = DurableStorage()
    old: Any = {"cleanup_age": 5, "cleanup_interval": 10}
    async with open_here(storage=storage, channels={"c": folder}, mailbox=old) as obs:
        for _ in range(60):
            message = await send(obs)
            await obs.mailbox.mark_read("a", message.id)
    options: Any = {"delivery": {"lane_capacity": 40}, "mailbox": old, "recover": ()}
    async with open_here(storage=storage, channels={"c": folder}, **options) as obs:
        folder.stuck = True
        for _ in range(10):
            await send(obs, "b")
        await trio.sleep(10.5)
        assert obs.mailbox.get_messages("a") == []
        lane = obs.statistics().lanes["c"]
        assert (lane.dropped, lane.queued, lane.owed) == (0, 10, 60)


async def test_after_a_whole_look_nothing_is_doubted(open_here: Open, folder: Any, autojump_clock: MockClock) -> None:
    """Read messages of an earlier process whose files were looked for leave without a word to anybody."""
    storage = Listening()
    async with open_here(storage=storage, channels={"c": folder}, mailbox=LIMITS) as obs:
        message = await send(obs)
        await obs.mailbox.mark_read("a", message.id)
        await obs.mailbox.record()
    async with open_here(storage=storage, channels={"c": folder}, mailbox=LIMITS) as obs:
        await clean_up(obs)
        assert obs.mailbox.get_messages("a") == []
    assert not [entry for entry in storage.log if isinstance(entry, Retracting)]


async def test_a_stale_word_of_storage(open_here: Open, folder: Any) -> None:
    """An unread message that storage believes, from before, to be taken back stays, and is not posted again."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        message = await send(obs)
    await storage.append([Retracting("a", message.id)])
    folder.batches.clear()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        await wait_all_tasks_blocked()
        assert obs.mailbox.get_messages("a") == [message]
        assert folder.delivered == [message]
    assert folder.jobs == []
