"""A subscription is a position in a log of events that all readers of a topic share."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Literal, Self, TypeAlias

import attrs
import trio

from observatory.errors import ClosedError, InvalidInputError, SubscriptionOverflowError
from observatory.messages import Event, Gap

WhenFull: TypeAlias = Literal["drop_oldest", "close"]


def check_at_least(least: int, field: str, value: object) -> None:
    """Check a count that a caller gives.

    Raises:
        InvalidInputError: when it is no integer, or less than `least`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidInputError(field, f"{value!r} is not allowed; use an integer of at least {least}")


@attrs.frozen
class SubscriptionStatistics:
    """Figures of one subscription."""

    topic: str
    """The topic or pattern."""
    delivered: int
    """Events handed to the reader."""
    missed: int
    """Events that were gone before the reader came for them."""
    pending: int
    """Events that wait for the reader."""
    capacity: int
    """Events that may wait."""


class EventLog:
    """Events of one topic or pattern in the order of publishing, and who reads them."""

    __slots__ = (
        "_marked",
        "_marks",
        "bytes",
        "events",
        "followers",
        "generation",
        "keep",
        "next",
        "readers",
        "sizes",
        "topic",
        "waiting",
    )

    def __init__(self, topic: str, *, start: int = 1, keep: int = 0) -> None:
        self.topic = topic
        self.next = start  # number of the next event; the first one held is next - len(events)
        self.keep = keep  # events to hold on to
        self.bytes = 0
        self.events: list[Event] = []
        self.sizes: list[int] = []
        self.readers: dict[Subscription, None] = {}
        self.waiting: dict[trio.lowlevel.Task, None] = {}
        self.followers: tuple[EventLog, ...] = ()  # logs of the patterns that match this topic ...
        self.generation = -1  # ... as of this generation of patterns
        self._marks: deque[tuple[float, int]] = deque()  # once a second: the time, and the next number then
        self._marked = -math.inf

    @property
    def first(self) -> int:
        """Number of the oldest event held."""
        return self.next - len(self.events)

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


class Subscription:
    """What `PubSub.subscribe` returns: an asynchronous iterator over events, and a context manager.

    One task at a time may read. Cancelling a read loses nothing.
    """

    def __init__(
        self, log: EventLog, *, epoch: str, capacity: int, when_full: WhenFull, leave: Callable[[Subscription], None]
    ) -> None:
        self.topic = log.topic
        """The topic or pattern."""
        self.capacity = capacity
        """How many events it may fall behind."""
        self.room = capacity
        """How many events may wait: its capacity, and what is still to be replayed."""
        self._log = log
        self._epoch = epoch
        self._when_full = when_full
        self._leave = leave
        self._position = log.next
        self._gap: Gap | None = None
        self._delivered = 0
        self._missed = 0
        self._busy = False
        self._task: trio.lowlevel.Task
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Return the next event.

        Raises:
            StopAsyncIteration: when Observatory is closed and everything was read.
            SubscriptionOverflowError: when it fell behind its capacity and was to be closed then.
        """
        try:
            return (await self.receive_batch(1))[0]
        except ClosedError:
            raise StopAsyncIteration from None

    async def receive_batch(self, max_events: int | None = None) -> list[Event]:
        """Return every event that waits, at least one; wait for one if there is none.

        Args:
            max_events: return at most so many.

        Raises:
            InvalidInputError: when `max_events` is less than 1.
            ClosedError: when it is closed and everything was read.
            SubscriptionOverflowError: when it fell behind its capacity and was to be closed then.
            trio.BusyResourceError: when another task is reading.
        """
        if max_events is not None:
            check_at_least(1, "max_events", max_events)
        if self._busy:
            raise trio.BusyResourceError("another task is already reading this subscription")
        self._busy = True
        log = self._log
        try:
            if self._position != log.next or self._gap is not None:
                await trio.lowlevel.checkpoint()
            while self._position == log.next and self._gap is None:
                if self._closed:
                    await trio.lowlevel.checkpoint()
                    raise ClosedError(f"the subscription to {self.topic!r} is closed")
                task = self._task = trio.lowlevel.current_task()
                log.waiting[task] = None
                await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
            return self._take(max_events)
        finally:
            self._busy = False

    async def aclose(self) -> None:
        """Unsubscribe."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Unsubscribe at once; a task that is reading gets `ClosedError`."""
        if not self._closed:
            self._position = self._log.next
            self._gap = None
            self.end()
            self._leave(self)

    def end(self) -> None:
        """Let the reader have what is there, and no more."""
        self._closed = True
        self._log.wake()

    def rewind(self, position: int, missed: int | None) -> None:
        """Start at an earlier position, after a gap when `missed` is not 0."""
        self.room += self._position - position
        self._position = position
        if missed != 0:
            self._note_gap(missed)

    def statistics(self) -> SubscriptionStatistics:
        """Return this subscription's figures."""
        pending = min(self._log.next - self._position, self.room, len(self._log.events))
        return SubscriptionStatistics(
            topic=self.topic,
            delivered=self._delivered,
            missed=self._missed,
            pending=pending,
            capacity=self.capacity,
        )

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        del self._log.waiting[self._task]
        return trio.lowlevel.Abort.SUCCEEDED

    def _take(self, limit: int | None) -> list[Event]:
        log = self._log
        start = self._position
        first = log.next - len(log.events)
        oldest = max(first, log.next - self.room)
        if start < oldest:
            self._overflow(oldest - start)
            start = oldest
        batch: list[Event] = []
        if self._gap is not None:
            batch.append(self._gap_event(start))
            limit = None if limit is None else limit - 1
        offset = start - first
        events = log.events[offset:] if limit is None else log.events[offset : offset + limit]
        if self.room > self.capacity:  # what was replayed is read or dropped for good
            self.room = max(self.capacity, self.room - (start + len(events) - self._position))
        self._position = start + len(events)
        self._delivered += len(events)
        return batch + events if batch else events

    def _overflow(self, missed: int) -> None:
        if self._when_full == "close":
            self._missed += missed
            self.close()
            raise SubscriptionOverflowError(self.topic, missed)
        self._note_gap(missed)

    def _note_gap(self, missed: int | None) -> None:
        earlier = self._gap.missed if self._gap else 0
        total = None if missed is None or earlier is None else earlier + missed
        self._gap = Gap(total)
        self._missed += missed or 0

    def _gap_event(self, start: int) -> Event:
        gap, self._gap = self._gap, None
        sequence = 0 if self.topic.endswith(":*") else start - 1
        return Event(self.topic, self._epoch, sequence, gap)
