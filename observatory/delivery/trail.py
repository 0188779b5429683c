"""The way of the latest messages, step by step: noted where it happens, for next to nothing, and read later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from observatory.clock import Clock
from observatory.messages import Delivery, Message
from observatory.settings import TracesSettings

if TYPE_CHECKING:
    from observatory.traces import HopName

Step: TypeAlias = "tuple[datetime, HopName, str | None, str | None]"
"""When, what, by which delivery channel, and what more there is to say."""

Turn: TypeAlias = list[int]
"""One commit of the Mailbox's task: when it was committed, and when published, in microseconds since 1970. All its
messages share it."""


class Track(NamedTuple):
    """What is known of a message: not the message itself, whose content may be large."""

    from_: str
    to: str
    type: str
    accepted: datetime
    sequence: int
    origin: str | None
    turn: Turn


class Trail:
    """Keeps the tracks of so many messages; the oldest leave first, of messages and of their steps.

    Args:
        settings: how many.
        clock: tells when.
    """

    def __init__(self, settings: TracesSettings, clock: Clock) -> None:
        self._capacity = settings.max_traces
        self._max_steps = settings.max_hops
        self._clock = clock
        self._tracks: dict[str, tuple[Any, ...]] = {}  # a `Track` each: making one would take three times as long
        self._steps: dict[str, list[Step]] = {}
        self._turn: Turn = [0, 0]

    def __len__(self) -> int:
        return len(self._tracks)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tracks)

    def get(self, id: str) -> Track | None:
        """Return what is known of a message, or None."""
        track = self._tracks.get(id)
        return None if track is None else Track._make(track)

    def steps(self, id: str) -> list[Step]:
        """Return what became of a message after it was published, oldest first."""
        return list(self._steps.get(id, ()))

    def begin_turn(self) -> None:
        """Note that a batch is committed."""
        if self._capacity:
            now = self._clock.microseconds()
            self._turn = [now, now]

    def end_turn(self) -> None:
        """Note that all of it is published."""
        if self._capacity:
            self._turn[1] = self._clock.microseconds()

    def published(self, message: Message, sequence: int, origin: str | None) -> None:
        """Begin the track of a message of this turn."""
        tracks = self._tracks
        if not self._capacity or (origin is not None and message.id in tracks):
            return  # whoever puts a file there cannot take the place of another message
        track = message.from_, message.to, message.type, message.timestamp, sequence, origin, self._turn
        tracks[message.id] = track
        if len(tracks) > self._capacity:
            oldest = next(iter(tracks))
            del tracks[oldest]
            self._steps.pop(oldest, None)

    def ended(self, ids: Iterable[str], what: HopName) -> None:
        """Note what this turn has made of messages that are read now, or gone."""
        for id in ids:
            if id in self._tracks:
                self._add(id, (self._clock.moment(self._turn[0]), what, None, None))

    def reported(self, ids: Iterable[str], delivery: Delivery, at: datetime) -> None:
        """Note that a delivery channel has not got through with messages: that it has, the ledger knows."""
        step = at, delivery.state, delivery.channel, delivery.error
        for id in ids:
            if id in self._tracks:
                self._add(id, step)

    def surfaced(self, ids: Iterable[str], by: str) -> None:
        """Note that messages were put before their recipient."""
        now = self._clock.now()
        for id in ids:
            if id in self._tracks:
                self._add(id, (now, "surfaced", None, by))

    def _add(self, id: str, step: Step) -> None:
        steps = self._steps.setdefault(id, [])
        steps.append(step)
        if len(steps) > self._max_steps:
            del steps[0]
