"""When messages expire that nobody acknowledges."""

from __future__ import annotations

import heapq
import itertools
from datetime import datetime

import trio

from observatory.clock import Clock
from observatory.modules.box import Entry

_LONGEST_SLEEP = 60.0  # seconds; then the clock is looked at again, for it may have been set
_LEAST = 1_000


class Expiries:
    """The messages of all mailboxes that expire, the next one first."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Entry]] = []
        self._order = itertools.count()  # so that entries are never compared
        self._limit = _LEAST
        self._earlier = trio.Event()

    def add(self, at: datetime, entry: Entry) -> None:
        """Let a message expire at a time."""
        if len(self._heap) >= self._limit:
            self._forget_acknowledged()
        heapq.heappush(self._heap, (at, next(self._order), entry))
        if self._heap[0][2] is entry:
            self._earlier.set()

    def due(self, now: datetime, limit: int) -> list[Entry]:
        """Return up to `limit` messages whose time is over and that are still unread, and forget the others of them.

        What is returned is returned again until it has left its mailbox.
        """
        due: list[tuple[datetime, int, Entry]] = []
        while self._heap and self._heap[0][0] <= now and len(due) < limit:
            item = heapq.heappop(self._heap)
            if item[2].live:
                due.append(item)
        for item in due:
            heapq.heappush(self._heap, item)
        return [entry for _, _, entry in due]

    async def wait(self, clock: Clock) -> None:
        """Wait until the time of a message is over."""
        while not self._heap or self._heap[0][0] > clock.now():
            self._earlier = trio.Event()
            seconds = (self._heap[0][0] - clock.now()).total_seconds() if self._heap else float("inf")
            with trio.move_on_after(min(max(seconds, 0.0), _LONGEST_SLEEP)):
                await self._earlier.wait()
        await trio.lowlevel.checkpoint()

    def _forget_acknowledged(self) -> None:
        """Forget those that were acknowledged, once they may be half of all."""
        self._heap = [item for item in self._heap if item[2].live]
        heapq.heapify(self._heap)
        self._limit = max(2 * len(self._heap), _LEAST)
