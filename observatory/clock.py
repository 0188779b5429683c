"""Wall time, injected. Timestamps of one clock are strictly increasing, whatever the system's clock does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import trio

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """The system's wall clock, kept from running backwards.

    When the system's clock is set back, time creeps on by a microsecond a call until it has caught up: order
    by timestamp stays order of acceptance, which recovery from inbox files relies on.
    """

    def __init__(self) -> None:
        self._last = 0

    def _read(self) -> int:
        return time.time_ns() // 1000

    def now(self) -> datetime:
        """Return the time: aware, UTC, in microseconds, later than every time returned before."""
        now = self._read()
        if now <= self._last:
            now = self._last + 1
        self._last = now
        return self.moment(now)

    def microseconds(self) -> int:
        """Return the time in microseconds since 1970, not earlier than any that was returned before; made for figures.

        It costs a quarter of `now`.
        """
        now = self._read()
        if now > self._last:
            self._last = now
        return self._last

    @staticmethod
    def moment(microseconds: int) -> datetime:
        """Return the time that is so many microseconds after 1970 began: aware, UTC."""
        return datetime.fromtimestamp(microseconds / 1_000_000, UTC)  # exact: a double tells them apart until 2106


class TrioClock(Clock):
    """Wall time that follows Trio's clock, so that a mock clock moves it too.

    Args:
        start: the wall time at Trio's time 0.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        super().__init__()
        self._start = int((start - _EPOCH) / timedelta(microseconds=1))

    def _read(self) -> int:
        return self._start + int(trio.current_time() * 1_000_000)
