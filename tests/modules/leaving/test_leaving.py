"""Messages that leave the mailbox before the delivery channels have taken them back: they do not come back later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    Entry,
    Forgotten,
    MemoryStorage,
    Observatory,
    Retracting,
    StorageBackend,
)
from observatory.testing import DurableStorage, RecordingChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
Leaving = Callable[[StorageBackend], Awaitable[list[Any]]]
Act = Callable[[Observatory, str], Awaitable[object]]
LIMITS = {"max_messages": 1, "cleanup_age": 0.5, "cleanup_interval": 1}


async def clear(obs: Observatory, id: str) -> None:
    """Remove everything."""
    await obs.mailbox.clear_messages("a")


async def acknowledge_and_clear(obs: Observatory, id: str) -> None:
    """Remove it when it is read."""
    await obs.mailbox.mark_read("a", id)
    await obs.mailbox.clear_messages("a")


async def evict(obs: Observatory, id: str) -> None:
    """Send another one to a mailbox that is full."""
    await obs.mailbox.mark_read("a", id)
    second = await obs.mailbox.send_message("a", "x", "second")
    await obs.mailbox.mark_read("a", second.message.id)


async def clean_up(obs: Observatory, id: str) -> None:
    """Let the cleanup remove it."""
    await obs.mailbox.mark_read("a", id)
    await trio.sleep(2.5)


async def expire(obs: Observatory, id: str) -> None:
    """Let its time be over, and forget the dead letter that tells of it."""
    await trio.sleep(11)
    assert await obs.redeliver() == 1
    await obs.mailbox.mark_read("a", obs.mailbox.get_messages("a")[0].id)


WAYS = [clear, acknowledge_and_clear, evict, clean_up, expire]


@pytest.mark.parametrize("act", WAYS)
async def test_a_channel_that_takes_nothing_back(
    open_here: Open, retracting: Leaving, folder: Any, act: Act, autojump_clock: MockClock
) -> None:
    """The next start does not take it for a new message, and takes it back as soon as it can be."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}, mailbox=LIMITS) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello", expires_in=10)).message
        await wait_all_tasks_blocked()
        folder.stubborn = True
        await act(obs, message.id)
    for stubborn in (True, False):
        folder.stubborn = stubborn
        assert message in folder.delivered
        assert Retracting("a", message.id) in await retracting(storage)
        async with open_here(storage=storage, channels={"c": folder}, mailbox=LIMITS) as obs:
            assert obs.mailbox.unread_count("a") == 0
            await trio.sleep(60)
            assert obs.mailbox.unread_count("a") == 0
    assert folder.delivered == []
    assert await retracting(storage) == []


@pytest.mark.parametrize("act", WAYS)
async def test_a_channel_that_takes_it_back(
    open_here: Open, retracting: Leaving, folder: Any, act: Act, autojump_clock: MockClock
) -> None:
    """Within two seconds storage knows of nothing that has still to be taken back."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}, mailbox=LIMITS) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello", expires_in=10)).message
        await wait_all_tasks_blocked()
        await act(obs, message.id)
        await trio.sleep(2)
        assert await retracting(storage) == []


@pytest.mark.parametrize("act", WAYS)
async def test_memory_is_not_told(open_here: Open, folder: Any, act: Act, autojump_clock: MockClock) -> None:
    """Storage that does not outlive the process needs to remember nothing of it."""
    log: list[Entry] = []

    class Listening(MemoryStorage):
        async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
            log.extend(batch)
            return await super().append(batch)

    async with open_here(storage=Listening(), channels={"c": folder}, mailbox=LIMITS) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello", expires_in=10)).message
        await wait_all_tasks_blocked()
        folder.stubborn = True
        await act(obs, message.id)
        await trio.sleep(60)
    assert not [entry for entry in log if isinstance(entry, Retracting | Forgotten)]


async def test_without_a_channel_that_keeps_messages(open_here: Open, retracting: Leaving) -> None:
    """Nothing can come back then, and storage is told nothing."""
    storage = DurableStorage()
    with trio.CancelScope() as scope:
        async with open_here(storage=storage, channels={"c": RecordingChannel()}) as obs:
            await obs.mailbox.send_message("a", "x", "hello")
            await obs.mailbox.clear_messages("a")
            assert await retracting(storage) == []
            scope.cancel()


async def test_the_process_ends_before_it_is_taken_back(open_here: Open, folder: Any) -> None:
    """What was cleared is gone with the commit."""
    storage = DurableStorage()
    with trio.CancelScope() as scope:
        async with open_here(storage=storage, channels={"c": folder}) as obs:
            await obs.mailbox.send_message("a", "x", "hello")
            await wait_all_tasks_blocked()
            folder.stuck = True
            await obs.mailbox.clear_messages("a")
            scope.cancel()
    folder.stuck = False
    assert len(folder.delivered) == 1
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        assert obs.mailbox.get_messages("a") == []
        await wait_all_tasks_blocked()
        assert folder.delivered == []


async def test_others_stay_as_they_are(open_here: Open, retracting: Leaving, folder: Any) -> None:
    """Who opens the mailbox of one recipient takes back what is that recipient's."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        for to in "ab":
            await obs.mailbox.send_message(to, "x", "hello")
        await wait_all_tasks_blocked()
        folder.stubborn = True
        for to in "ab":
            await obs.mailbox.clear_messages(to)
    folder.stubborn = False
    async with open_here(storage=storage, channels={"c": folder}, recover=["a"]):
        await wait_all_tasks_blocked()
        assert {message.to for message in folder.delivered} == {"b"}
    assert [each.to for each in await retracting(storage)] == ["b"]
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        assert obs.mailbox.unread_count("b") == 0
        await wait_all_tasks_blocked()
    assert folder.delivered == []


async def test_found_again_meanwhile(open_here: Open, folder: Any) -> None:
    """A delivery channel that watches, and finds what it could not take back, is asked to take it back again."""
    async with open_here(channels={"c": folder}) as obs:
        message = (await obs.mailbox.send_message("a", "x", "hello")).message
        await wait_all_tasks_blocked()
        folder.stubborn = True
        await obs.mailbox.clear_messages("a")
        await wait_all_tasks_blocked()
        await folder.adopt([message])
        assert obs.mailbox.unread_count("a") == 0
        folder.stubborn = False
        await folder.adopt([message])
        await wait_all_tasks_blocked()
        assert folder.delivered == []


async def test_a_cap_that_is_lower_now(open_here: Open, folder: Any) -> None:
    """A read message that has no room at the next start does not come back through its file."""
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        sent = [(await obs.mailbox.send_message("a", "x", text)).message for text in "12"]
        await wait_all_tasks_blocked()
        folder.stubborn = True
        await obs.mailbox.mark_read("a", sent[0].id)
    folder.stubborn = False
    async with open_here(storage=storage, channels={"c": folder}, mailbox=LIMITS) as obs:
        assert obs.mailbox.get_messages("a") == [sent[1]]
        await wait_all_tasks_blocked()
        assert folder.delivered == [sent[1]]


async def test_more_than_is_remembered(open_here: Open, folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is being taken back so many are remembered; what storage was told of stays away beyond that, too."""
    monkeypatch.setattr("observatory.modules.leaving._MAX_HELD", 3)
    storage = DurableStorage()
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        sent = [(await obs.mailbox.send_message("a", "x", "hello")).message for _ in range(5)]
        await wait_all_tasks_blocked()
        folder.stubborn = True
        await obs.mailbox.clear_messages("a")
        await wait_all_tasks_blocked()
        await folder.adopt(sent)
        assert obs.mailbox.get_messages("a") == []
    async with open_here(storage=storage, channels={"c": folder}) as obs:
        assert obs.mailbox.get_messages("a") == []
        folder.stubborn = False
