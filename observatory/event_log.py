"""The events of one topic or pattern: the newest of them, in the order of publishing."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from operator import attrgetter

import trio

from observatory.messages import Event

_position = attrgetter("position")


class EventLog:
    """Events of one topic or pattern in the order of publishing, and the tasks that wait for more."""

    __slots__ = (
        "_marked",
        "_marks",
        "bytes",
        "events",
        "followers",
        "forgotten",
        "generation",
        "keep",
        "next",
        "sizes",
        "topic",
        "waiting",
    )

    def __init__(self, topic: str, *, start: int = 1, keep: int = 0) -> None:
        self.topic = topic
        self.next = start  # number of the next event; the first one held is next - len(events)
        self.keep = keep  # events to hold on to
        self.forgotten = 0  # position of the newest event that is not held any more
        self.bytes = 0
        self.events: list[Event] = []
        self.sizes: list[int] = []
        self.waiting: dict[trio.lowlevel.Task, None] = {}
        self.followers: tuple[EventLog, ...] = ()  # logs of the patterns that match this topic ...
        self.generation = -1  # ... as of this generation of patterns
        self._marks: deque[tuple[float, int]] = deque()  # once a second: the time, and the next number then
        self._marked = -math.inf

    @property
    def first(self) -> int:
        """Number of the oldest event held."""
        return self.next - len(self.events)

    @property
    def newest(self) -> int:
        """Position of the newest event, held or not; 0 before the first one."""
        return self.events[-1].position if self.events else self.forgotten

    def add(self, event: Event, size: int, max_bytes: int) -> int:
        """Append an event, wake who waits for it, and forget what is beyond the bounds; return the bytes freed.

        In large steps, since each moves what is left.
        """
        number = self.next
        now = trio.current_time()
        if now - self._marked >= 1.0:
            self._marked = now
            self._marks.append((now, number))
        self.events.append(event)
        self.sizes.append(size)
        self.bytes += size
        self.next = number + 1
        if self.waiting:
            self.wake()
        if self.bytes > max_bytes or len(self.events) > self.keep + self.keep // 4:
            return self._trim(max_bytes)
        return 0

    def wake(self) -> None:
        """Wake every waiting reader."""
        for task in self.waiting:
            trio.lowlevel.reschedule(task)
        self.waiting.clear()

    def _trim(self, max_bytes: int) -> int:
        count = max(len(self.events) - self.keep, 0)
        left = self.bytes - sum(self.sizes[:count])
        while left > max_bytes:
            left -= self.sizes[count]
            count += 1
        return self.forget(count)

    def forget(self, count: int) -> int:
        """Forget the oldest `count` events; return the bytes given back."""
        freed = sum(self.sizes[:count])
        if count:
            self.forgotten = self.events[count - 1].position
        del self.events[:count], self.sizes[:count]
        self.bytes -= freed
        while len(self._marks) > 1 and self._marks[1][1] <= self.first:
            self._marks.popleft()
        return freed

    def next_after(self, time: float) -> int:
        """Return the number of the first event published after `time`, give or take a second."""
        while self._marks and self._marks[0][0] < time:
            self._marks.popleft()
        return self._marks[0][1] if self._marks else self.next

    def after(self, position: int, start: int, oldest: int) -> tuple[list[tuple[Event, int]], int | None]:
        """Return what is held after a position, and how much more there was.

        Args:
            position: only what was published after it counts.
            start: number of the oldest event that may be replayed; one that is held, or the next one.
            oldest: nothing is returned up to this position.

        Returns:
            The events with their sizes, and how many others came after the position; None when nobody knows.
        """
        newer = bisect_right(self.events, position, key=_position)
        skipped = max(newer, start - self.first, bisect_right(self.events, oldest, key=_position))
        missed = None if self.forgotten > position else skipped - newer
        return list(zip(self.events[skipped:], self.sizes[skipped:], strict=True)), missed
