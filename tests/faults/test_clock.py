"""The system's clock set back and forward, while mailboxes are cleaned up, keys are kept and messages expire."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import pytest
import trio
from trio.testing import MockClock

from observatory import (
    Clock,
    MailboxSettings,
    Observatory,
    Receipt,
    Settings,
    StorageSettings,
    TrioClock,
    open_observatory,
)

pytestmark = pytest.mark.faults

DAY = 24.0  # hours
JUMPS = 60
LIVES = 10
OFTEN = MailboxSettings(cleanup_interval=0.01)


class SystemClock(Clock):
    """Wall time of a system whose clock is set."""

    def __init__(self, hours: float = 0.0) -> None:
        super().__init__()
        self.ahead = hours

    def _read(self) -> int:
        return super()._read() + int(self.ahead * 3_600_000_000)


Open: TypeAlias = Callable[[SystemClock], AbstractAsyncContextManager[Observatory]]


@pytest.fixture(params=["memory", "sqlite"])
def open_here(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Return what opens an Observatory on the test's root, which has an inbox, with each storage backend."""
    settings = Settings(root=tmp_path / "root", storage=StorageSettings(backend=request.param), mailbox=OFTEN)
    return lambda clock: open_observatory(settings, clock=clock)


async def until(reached: Callable[[], bool]) -> None:
    """Wait until something is so."""
    with trio.fail_after(30):
        while True:
            await trio.sleep(0.005)
            if reached():
                return


async def send(observatory: Observatory, content: str, key: str | None = None) -> Receipt:
    """Send to `bob`."""
    return await observatory.mailbox.send_message("bob", "dashboard", content, idempotency_key=key)


async def send_read(observatory: Observatory, content: str) -> None:
    """Send to `bob`, who acknowledges it."""
    receipt = await send(observatory, content)
    await observatory.mailbox.mark_read("bob", receipt.message.id)


def contents(observatory: Observatory, *, unread_only: bool = False) -> list[str]:
    """Return what is in the mailbox of `bob`, oldest first."""
    messages = observatory.mailbox.get_messages("bob", limit=10_000, unread_only=unread_only)
    return [message.content for message in reversed(messages)]


async def test_cleanup_after_the_clock_was_set_back(open_here: Open) -> None:
    """What was read stays until it is a day old by the time that goes on, and then it goes."""
    clock = SystemClock()
    async with open_here(clock) as observatory:
        await send(observatory, "unread")
        await send_read(observatory, "first")
        clock.ahead = DAY - 1
        await send_read(observatory, "second")
        clock.ahead = -10 * DAY
        await send_read(observatory, "third")
        clock.ahead = DAY + 0.5
        await until(lambda: "first" not in contents(observatory))
        assert contents(observatory) == ["unread", "second", "third"]
        clock.ahead = 2 * DAY
        await until(lambda: contents(observatory) == ["unread"])


async def test_cleanup_after_a_start_with_the_clock_set_back(open_here: Open) -> None:
    """What is of a time to come goes when it was read and is a day old, and what was read after it goes by then."""
    async with open_here(SystemClock(3 * DAY)) as observatory:
        await send(observatory, "unread")
        ahead = await send(observatory, "read later")
    clock = SystemClock()
    async with open_here(clock) as observatory:
        await observatory.mailbox.mark_read("bob", ahead.message.id)
        await send_read(observatory, "now")
        clock.ahead = 4 * DAY + 0.1
        await until(lambda: contents(observatory) == ["unread"])


async def test_cleanup_while_the_clock_jumps(
    open_here: Open, chance: random.Random, count: Callable[[str], None]
) -> None:
    """However it jumps, and with starts in between, nothing unread goes, and in the end all that was read has."""
    unread: set[str] = set()
    removed = restarts = 0

    async def jump(observatory: Observatory, clock: SystemClock, number: int) -> None:
        nonlocal removed
        clock.ahead = chance.uniform(-5 * DAY, 5 * DAY)
        for each in range(3):
            content = f"{number}.{each}"
            if chance.random() < 0.3:
                unread.add(content)
                await send(observatory, content)
            else:
                await send_read(observatory, content)
        before = len(contents(observatory))
        await trio.sleep(0.03)  # at least one cleanup
        removed += before - len(contents(observatory))
        assert set(contents(observatory, unread_only=True)) == unread

    while restarts < LIVES:
        clock = SystemClock(chance.uniform(-DAY, DAY))
        async with open_here(clock) as observatory:
            for number in range(JUMPS // LIVES):
                await jump(observatory, clock, restarts * JUMPS + number)
        restarts += 1
    clock = SystemClock(20 * DAY)
    async with open_here(clock) as observatory:
        await until(lambda: set(contents(observatory)) == unread)
    count(
        f"the clock jumped {JUMPS} times in {LIVES} lives: {removed} were removed meanwhile, {len(unread)} unread stay"
    )


@pytest.mark.parametrize("hours", [-10 * DAY, -1.0, DAY - 0.1])
async def test_a_key_holds(open_here: Open, hours: float) -> None:
    """Set back by any time, and forward within the day, its message is not sent again: not by a jump back and forth."""
    clock = SystemClock()
    async with open_here(clock) as observatory:
        first = await send(observatory, "hello", key="key")
        for ahead in (hours, 0.0, hours):
            clock.ahead = ahead
            await send(observatory, f"another {ahead}", key=f"another {ahead}")
            again = await send(observatory, "hello", key="key")
            assert (again.duplicate, again.message.id) == (True, first.message.id)


async def test_a_key_ends(open_here: Open) -> None:
    """After a day of the time that goes on it is free again, also when the clock was set back within."""
    clock = SystemClock()
    async with open_here(clock) as observatory:
        await send(observatory, "hello", key="key")
        clock.ahead = -2 * DAY
        await send(observatory, "another", key="another")
        clock.ahead = DAY + 0.1
        assert not (await send(observatory, "hello", key="key")).duplicate


@pytest.mark.parametrize("hours", [-10 * DAY, -1.0, DAY - 0.1])
async def test_a_key_holds_after_a_start(tmp_path: Path, hours: float) -> None:
    """With storage that lasts, what was sent before the clock was set is not sent again, and its key ends in time."""
    settings = Settings(root=tmp_path / "root", storage=StorageSettings(backend="sqlite"), mailbox=OFTEN)
    async with open_observatory(settings, clock=SystemClock()) as observatory:
        first = await send(observatory, "hello", key="key")
    clock = SystemClock(hours)
    async with open_observatory(settings, clock=clock) as observatory:
        again = await send(observatory, "hello", key="key")
        assert (again.duplicate, again.message.id) == (True, first.message.id)
        clock.ahead = DAY + 0.1
        assert not (await send(observatory, "hello", key="key")).duplicate


class MockedSystemClock(TrioClock):
    """Wall time of a system whose clock is set, and goes on with a mock clock."""

    ahead = 0.0

    def _read(self) -> int:
        return super()._read() + int(self.ahead * 3_600_000_000)


async def test_expiry_while_the_clock_is_set(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Set back, nothing expires early; set forward, what is over does in a minute, and does not come back."""
    settings = Settings(root=tmp_path / "root", disabled_plugins=("inbox",))
    clock = MockedSystemClock()
    async with open_observatory(settings, clock=clock) as observatory:
        for number, ahead in enumerate((0.0, 0.9, -10 * DAY)):
            clock.ahead = ahead
            await observatory.mailbox.send_message("bob", "dashboard", f"{number}", expires_in=3600.0)
        await trio.sleep(120)
        assert contents(observatory) == ["0", "1", "2"]
        clock.ahead = 1.1
        await trio.sleep(90)
        assert contents(observatory) == ["1", "2"]
        clock.ahead = 0.0
        await trio.sleep(120)
        assert contents(observatory) == ["1", "2"]
        assert [letter.message.content for letter in observatory.dead_letters()] == ["0"]
        clock.ahead = 2.0
        await trio.sleep(90)
        assert contents(observatory) == []
