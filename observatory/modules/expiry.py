"""When messages expire that nobody acknowledges."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import trio

from observatory.clock import Clock
from observatory.modules.box import Entry

_LONGEST_SLEEP = 60.0  # seconds; then the clock is looked at again, for it may have been set


_SMALL = 1_000  # entries that are not worth a look at whether they are still needed

Find: TypeAlias = Callable[[str, str], Entry | None]
"""Gives an unread message by recipient and id."""


class Expiries:
    """The messages of all mailboxes that expire, the next one first; by name, so that none is kept in memory by it."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str, str]] = []  # time, recipient, id
        self._earlier = trio.Event()
        self._bound = _SMALL

    def add(self, at: datetime, to: str, id: str, find: Find) -> None:
        """Let a message expire at a time.

        Args:
            at: the time.
            to: the recipient.
            id: the message's id.
            find: gives an unread message by recipient and id.
        """
        item = at, to, id
        heapq.heappush(self._heap, item)
        if self._heap[0] is item:
            self._earlier.set()
        if len(self._heap) > self._bound:  # most may have been acknowledged long before their time
            self._heap = [item for item in self._heap if find(item[1], item[2]) is not None]
            heapq.heapify(self._heap)
            self._bound = max(_SMALL, 2 * len(self._heap))

    def due(self, now: datetime, limit: int, find: Find) -> list[Entry]:
        """Return up to `limit` messages whose time is over and that are still unread, and forget the others of them.

        What is returned is returned again until it has left its mailbox.

        Args:
            now: the time.
            limit: at most so many.
            find: gives an unread message by recipient and id.
        """
        due: list[Entry] = []
        items: list[tuple[datetime, str, str]] = []
        while self._heap and self._heap[0][0] <= now and len(due) < limit:
            item = heapq.heappop(self._heap)
            entry = find(item[1], item[2])
            if entry is not None:
                due.append(entry)
                items.append(item)
        for item in items:
            heapq.heappush(self._heap, item)
        return due

    async def wait(self, clock: Clock) -> None:
        """Wait until the time of a message is over."""
        while not self._heap or self._heap[0][0] > clock.now():
            self._earlier = trio.Event()
            seconds = (self._heap[0][0] - clock.now()).total_seconds() if self._heap else float("inf")
            with trio.move_on_after(min(max(seconds, 0.0), _LONGEST_SLEEP)):
                await self._earlier.wait()
        await trio.lowlevel.checkpoint()
