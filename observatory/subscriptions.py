"""A subscription is a place in a log of events that all readers of a topic share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, Self, TypeAlias

import attrs
import trio

from observatory.errors import ClosedError, InvalidInputError, SubscriptionOverflowError
from observatory.event_log import EventLog
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


@attrs.frozen
class Backlog:
    """What waits for the reader of one subscription, gaps aside."""

    events: int
    """Events that wait."""
    bytes: int
    """Bytes that they are counted for, as in the bound on replay."""


_BUSY = "another task is already reading this subscription"
_NOTHING = Backlog(0, 0)


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
        """How many events of the log may wait: its capacity, and what of the log is still to be replayed."""
        self._log = log
        self._epoch = epoch
        self._when_full = when_full
        self._leave = leave
        self._next = log.next  # number of the log's event that comes next
        self._ahead: deque[tuple[Event, int]] = deque()  # what comes before that, with sizes: a pattern's replay, gaps
        self._replayed = _NOTHING  # what of that is no gap
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
        await self.wait()
        return self._take(max_events)

    def receive_batch_nowait(self, max_events: int | None = None) -> list[Event]:
        """Return every event that waits, which may be none.

        Args:
            max_events: return at most so many.

        Raises:
            InvalidInputError: when `max_events` is less than 1.
            SubscriptionOverflowError: when it fell behind its capacity and was to be closed then.
            trio.BusyResourceError: when a task is reading.
        """
        if max_events is not None:
            check_at_least(1, "max_events", max_events)
        if self._busy:
            raise trio.BusyResourceError(_BUSY)
        return self._take(max_events) if self._next != self._log.next or self._ahead else []

    def skip(self, events: Sequence[Event]) -> bool:
        """Go past events that its reader has got from another subscription to the same; False when others come next."""
        log = self._log
        place = self._next - log.next + len(log.events)
        if self._ahead or place < 0 or self._next == log.next or log.events[place] is not events[0]:
            return False
        self._next += len(events)
        self._delivered += len(events)
        return True

    async def wait(self) -> None:
        """Wait until there is something to read.

        Raises:
            ClosedError: when it is closed and everything was read.
            trio.BusyResourceError: when another task is reading.
        """
        if self._busy:
            raise trio.BusyResourceError(_BUSY)
        self._busy = True
        try:
            if self._next != self._log.next or self._ahead:
                await trio.lowlevel.checkpoint()
            while self._next == self._log.next and not self._ahead:
                if self._closed:
                    await trio.lowlevel.checkpoint()
                    raise ClosedError(f"the subscription to {self.topic!r} is closed")
                task = self._task = trio.lowlevel.current_task()
                self._log.waiting[task] = None
                await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
        finally:
            self._busy = False

    async def aclose(self) -> None:
        """Unsubscribe."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Unsubscribe at once; a task that is reading gets `ClosedError`."""
        if not self._closed:
            self._ahead.clear()
            self._replayed = _NOTHING
            self.end()
            self._leave(self)
            self._log = EventLog(self.topic)  # an empty one, so that nothing comes that is published later
            self._next = self._log.next

    def end(self) -> None:
        """Let the reader have what is there, and no more."""
        self._closed = True
        self._log.wake()

    def rewind(self, start: int, missed: int | None) -> None:
        """Start at an earlier number, after a gap when `missed` is not 0."""
        self.room += self._next - start
        self._next = start
        if missed != 0:
            self._note_gap(missed, start)

    def replay(self, held: Sequence[tuple[Event, int]], missed: int | None) -> None:
        """Start with events of a pattern's topics, and their sizes, after a gap when `missed` is not 0."""
        if missed != 0:
            self._note_gap(missed, 0)
        self._ahead.extend(held)
        self._replayed = Backlog(len(held), sum([size for _, size in held]))

    def backlog(self) -> Backlog:
        """Return what waits for the reader."""
        sizes = self._log.sizes
        waiting = min(self._log.next - self._next, self.room, len(sizes))
        size = sum(sizes[len(sizes) - waiting :])
        return Backlog(waiting + self._replayed.events, size + self._replayed.bytes)

    def statistics(self) -> SubscriptionStatistics:
        """Return this subscription's figures."""
        return SubscriptionStatistics(
            topic=self.topic,
            delivered=self._delivered,
            missed=self._missed,
            pending=self.backlog().events,
            capacity=self.capacity,
        )

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        del self._log.waiting[self._task]
        return trio.lowlevel.Abort.SUCCEEDED

    def _take(self, limit: int | None) -> list[Event]:
        log = self._log
        start = self._next
        first = log.next - len(log.events)
        if start < first or start < log.next - self.room:
            oldest = max(first, log.next - self.room)
            self._overflow(oldest - start, oldest)
            start = oldest
        batch: list[Event] | None = None
        if self._ahead:
            batch = self._take_ahead(limit)
            limit = None if limit is None else limit - len(batch)
        offset = start - first
        events = log.events[offset:] if limit is None else log.events[offset : offset + limit]
        if self.room > self.capacity:  # what was replayed is read or dropped for good
            self.room = max(self.capacity, self.room - (start + len(events) - self._next))
        self._next = start + len(events)
        self._delivered += len(events)
        return batch + events if batch else events

    def _take_ahead(self, limit: int | None) -> list[Event]:
        count = len(self._ahead) if limit is None else min(limit, len(self._ahead))
        taken = [self._ahead.popleft() for _ in range(count)]
        batch = [event for event, _ in taken]
        events = sum([event.position > 0 for event in batch])
        size = sum([size for _, size in taken])
        self._replayed = Backlog(self._replayed.events - events, self._replayed.bytes - size)
        self._delivered += events
        return batch

    def _overflow(self, missed: int, start: int) -> None:
        if self._when_full == "close":
            self._missed += missed
            self.close()
            raise SubscriptionOverflowError(self.topic, missed)
        self._note_gap(missed, start)

    def _note_gap(self, missed: int | None, start: int) -> None:
        """Put a gap before the event with the number `start`; two that follow each other are one."""
        self._missed += missed or 0
        if self._ahead and not self._ahead[-1][0].position:
            earlier = self._ahead.pop()[0].payload.missed
            missed = None if missed is None or earlier is None else earlier + missed
        sequence = 0 if self.topic.endswith(":*") else start - 1
        self._ahead.append((Event(self.topic, self._epoch, sequence, Gap(missed)), 0))
