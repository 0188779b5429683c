"""Closing: accepted things are served and delivered, storage is flushed, what is left is counted."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import ClosedError, Entry, MemoryStorage, Observatory, StorageError
from observatory.testing import RecordingChannel, StuckChannel

Open = Callable[..., Any]


class WatchedStorage(MemoryStorage):
    """Keeps what it was called for; fails or takes its time where a test says so."""

    def __init__(self, **steps: BaseException | float) -> None:
        super().__init__()
        self.calls: list[str] = []
        self._steps = steps

    async def start(self) -> None:
        """Open."""
        await self._step("start")

    async def flush(self) -> None:
        """Flush."""
        await self._step("flush")

    async def aclose(self) -> None:
        """Close."""
        await self._step("aclose")

    async def _step(self, name: str) -> None:
        self.calls.append(name)
        step = self._steps.get(name, 0.0)
        if isinstance(step, BaseException):
            raise step
        await trio.sleep(step)
        self.calls.append(f"{name} done")


class HangingChannel(RecordingChannel):
    """Takes far longer to close than anybody waits; it ends all the same, so that a test of it fails and ends too."""

    async def aclose(self) -> None:
        """Hang."""
        await trio.sleep(3_600)


class SlowStorage(MemoryStorage):
    """Takes its time for a commit."""

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Wait, and commit."""
        await trio.sleep(2)
        return await super().append(batch)


async def test_drained(open_with: Open) -> None:
    """Left normally, everything that was accepted is delivered first."""
    channel = RecordingChannel()
    async with open_with(channel=channel) as observatory:
        for number in range(1_000):
            await observatory.mailbox.send_message("a", "b", str(number))
    assert len(channel.delivered) == 1_000
    assert observatory.undelivered == 0


async def test_drained_after_an_exception(open_with: Open) -> None:
    """The same when the block is left by an exception."""
    channel = RecordingChannel()

    async def fail() -> None:
        async with open_with(channel=channel) as observatory:
            await observatory.mailbox.send_message("a", "b", "hello")
            raise ValueError("body")

    with pytest.raises(ValueError, match="body"):
        await fail()
    assert len(channel.delivered) == 1


async def test_accepted_requests_are_served(open_with: Open, autojump_clock: MockClock) -> None:
    """What was asked before the block was left is answered, and is there."""

    async def open_and_leave(nursery: trio.Nursery) -> Observatory:
        observatory: Observatory
        async with open_with(SlowStorage()) as observatory:
            for text in "123":
                nursery.start_soon(observatory.mailbox.send_message, "a", "b", text)
                await wait_all_tasks_blocked()
        return observatory

    async with trio.open_nursery() as nursery:
        observatory = await open_and_leave(nursery)
    assert observatory.mailbox.unread_count("a") == 3


async def test_ten_seconds_to_drain(open_with: Open, autojump_clock: MockClock) -> None:
    """What the lanes have not delivered after 10 s is counted."""
    async with open_with(channel=StuckChannel()) as observatory:
        for _ in range(3):
            await observatory.mailbox.send_message("a", "b", "hello")
        before = trio.current_time()
    assert trio.current_time() - before == 10
    assert observatory.undelivered == 3


async def test_refused_while_closing(open_with: Open, autojump_clock: MockClock) -> None:
    """While the lanes drain, and after that, nothing is accepted."""

    async def send_late(observatory: Observatory) -> None:
        await trio.sleep(5)
        with pytest.raises(ClosedError, match="closing; nothing is accepted any more"):
            await observatory.mailbox.send_message("a", "b", "late")

    async def open_and_leave(nursery: trio.Nursery) -> Observatory:
        observatory: Observatory
        async with open_with(channel=StuckChannel()) as observatory:
            await observatory.mailbox.send_message("a", "b", "in time")
            nursery.start_soon(send_late, observatory)
        return observatory

    async with trio.open_nursery() as nursery:
        observatory = await open_and_leave(nursery)
    with pytest.raises(ClosedError):
        await observatory.mailbox.send_message("a", "b", "too late")
    assert observatory.mailbox.agent_stats("a").total == 1


async def test_cancelled_only_flushes(open_with: Open, autojump_clock: MockClock) -> None:
    """When the block is cancelled, lanes are left as they are, and storage is flushed and closed."""
    storage = WatchedStorage(flush=0.5)
    with trio.CancelScope() as scope:
        async with open_with(storage, StuckChannel()) as observatory:
            await observatory.mailbox.send_message("a", "b", "hello")
            before = trio.current_time()
            scope.cancel()
            await trio.sleep_forever()
    assert trio.current_time() - before == 0.5
    assert observatory.undelivered == 1
    assert storage.calls[2:] == ["flush", "flush done", "aclose", "aclose done"]


async def test_one_second_to_flush_when_cancelled(open_with: Open, autojump_clock: MockClock) -> None:
    """A flush that takes longer is given up when the block is cancelled."""
    storage = WatchedStorage(flush=60.0)
    with trio.CancelScope() as scope:
        async with open_with(storage):
            before = trio.current_time()
            scope.cancel()
            await trio.sleep_forever()
    assert trio.current_time() - before == 1
    assert storage.calls[2:] == ["flush", "aclose", "aclose done"]


@pytest.mark.parametrize("cancelled_after", [math.inf, 0, 0.5, 1.2])
async def test_a_channel_that_hangs(
    open_with: Open, autojump_clock: MockClock, cancelled_after: float, caplog: pytest.LogCaptureFixture
) -> None:
    """A delivery channel that does not close keeps nobody from closing storage, whenever the closing is cancelled."""
    storage = WatchedStorage(aclose=0.5)
    with trio.CancelScope() as scope:
        async with open_with(storage, HangingChannel()) as observatory:
            await observatory.mailbox.send_message("a", "b", "opens the channel")
            await wait_all_tasks_blocked()
            before = trio.current_time()
            scope.deadline = before + cancelled_after
    assert trio.current_time() - before == 1.5
    assert storage.calls[-2:] == ["aclose", "aclose done"]
    assert "the delivery channels were not closed within 1 s" in caplog.text


async def test_no_haste_at_a_clean_end(open_with: Open, autojump_clock: MockClock) -> None:
    """Left normally, storage is flushed for as long as that takes."""
    storage = WatchedStorage(flush=60.0)
    async with open_with(storage):
        pass
    assert "flush done" in storage.calls


async def test_cancelled_at_the_very_end(open_with: Open, autojump_clock: MockClock) -> None:
    """A cancellation that comes while a finished block closes goes on its way once everything is closed."""
    storage = WatchedStorage(flush=0.5)
    with trio.CancelScope() as scope:
        async with open_with(storage):
            scope.deadline = trio.current_time() + 0.7
    assert scope.cancelled_caught
    assert storage.calls[-1] == "aclose done"


@pytest.mark.parametrize("step", ["flush", "aclose"])
async def test_storage_that_fails_at_the_end(open_with: Open, step: str) -> None:
    """What goes wrong while closing comes out of a block that was left normally."""
    error = OSError("no disk")
    storage = WatchedStorage(**{step: error})
    with pytest.raises(OSError, match="no disk") as info:
        async with open_with(storage):
            pass
    assert info.value is error
    assert "aclose" in storage.calls


@pytest.mark.parametrize("step", ["flush", "aclose"])
async def test_failing_at_the_end_of_a_failure(open_with: Open, step: str, caplog: pytest.LogCaptureFixture) -> None:
    """The block's exception comes out, and what goes wrong while closing after it is logged."""
    storage = WatchedStorage(**{step: StorageError("no disk")})
    with pytest.raises(ValueError, match="body"):
        async with open_with(storage):
            raise ValueError("body")
    assert ("observatory", logging.ERROR, "while closing after another error: StorageError: no disk") in (
        caplog.record_tuples
    )


async def test_leaving_the_program_while_closing(open_with: Open) -> None:
    """What is meant to end the program wins over the block's exception."""
    with pytest.raises(SystemExit):
        async with open_with(WatchedStorage(flush=SystemExit(3))):
            raise ValueError("body")
