"""Wall time: aware, strictly increasing, moved by Trio's mock clock."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import trio
from trio.testing import MockClock

from observatory.clock import Clock, TrioClock

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def nanoseconds(moment: datetime) -> int:
    """Say what `time.time_ns` returns at a moment."""
    return int(moment.timestamp()) * 1_000_000_000


def test_system_time() -> None:
    """A clock tells the system's time, in UTC."""
    before = datetime.now(UTC)
    now = Clock().now()
    assert now.tzinfo is UTC
    assert before - timedelta(microseconds=1) <= now <= datetime.now(UTC)


def test_strictly_increasing(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the system's clock stands still, time goes on by a microsecond a call."""
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds(START))
    clock = Clock()
    assert [clock.now() for _ in range(3)] == [START + timedelta(microseconds=step) for step in range(3)]


def test_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the system's clock is set back, time creeps on until it has caught up."""
    readings = iter([START, START - timedelta(hours=1), START + timedelta(seconds=1)])
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds(next(readings)))
    clock = Clock()
    assert [clock.now() for _ in range(3)] == [
        START,
        START + timedelta(microseconds=1),
        START + timedelta(seconds=1),
    ]


def test_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of the times that are told, and do not go back either."""
    readings = iter([START, START - timedelta(hours=1), START, START + timedelta(seconds=1)])
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds(next(readings)))
    clock = Clock()
    assert clock.moment(clock.microseconds()) == START
    assert clock.moment(clock.microseconds()) == START
    assert clock.now() == START + timedelta(microseconds=1)
    assert clock.moment(clock.microseconds()) == START + timedelta(seconds=1)


async def test_mock_clock(autojump_clock: MockClock) -> None:
    """Trio's mock clock moves wall time."""
    clock = TrioClock(START)
    assert clock.now() == START
    await trio.sleep(90)
    assert clock.now() == START + timedelta(seconds=90)


async def test_mock_clock_increases(mock_clock: MockClock) -> None:
    """It is strictly increasing too, also while Trio's time stands still."""
    clock = TrioClock(START)
    before = clock.now()
    await trio.lowlevel.checkpoint()
    assert clock.now() > before
