"""Messages on their way out of the delivery channels: acknowledged, cleared, or over their time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

from observatory.delivery.parcel import Parcel, Waiter
from observatory.entries import Entry, Expired, Forgotten, Retracting
from observatory.modules.box import Entry as TableEntry

_MAX_HELD = 200_000
"""Messages that are remembered as held, some 30 MB; beyond, the oldest may come back at the next start."""


class Leaving:
    """What the required lanes have not taken back yet, and who waits for that; and what may still be held somewhere.

    A message that leaves the mailbox before it was taken back would be a new one at the next start. So storage is told
    of it with the same commit, and again when it is over.

    Args:
        stored: whether storage is told: it lasts, and there are delivery channels that recover.
    """

    def __init__(self, *, stored: bool) -> None:
        self._stored = stored
        self._waiting: dict[tuple[str, str], list[Waiter]] = {}  # by recipient and id
        self._held: dict[tuple[str, str], None] = {}  # recipient and id of what may be held
        self._doubtful: set[tuple[str, str]] = set()  # read ones of an earlier process, of which nobody knows
        self._doubted: list[tuple[str, str]] = []  # of those, what is leaving the mailbox
        self._told: set[tuple[str, str]] = set()  # of that, and of what was held, what storage may know
        self._over: dict[tuple[str, str], None] = {}  # what storage has still to forget

    def holds(self, to: str, id: str) -> bool:
        """Tell whether delivery channels may hold a message that is not wanted any more."""
        return (to, id) in self._held or (to, id) in self._told

    def add(self, to: str, ids: Iterable[str]) -> None:
        """Note that messages are being taken back, for which somebody may wait."""
        for id in ids:
            self._waiting.setdefault((to, id), [])  # somebody may be waiting for an earlier one

    def departing(self, to: str, entries: Collection[TableEntry]) -> list[Entry]:
        """Return what storage is told of messages that are about to leave a mailbox."""
        return [Expired(to, tuple(entry.sequence for entry in entries)), *self.retracting(to, entries)]

    def retracting(self, to: str, entries: Iterable[TableEntry]) -> list[Retracting]:
        """Return what storage is told of those of them that delivery channels will still have to take back."""
        if not self._stored:
            return []
        keys = [(to, entry.message.id) for entry in entries if entry.live or self._may_be_held(to, entry.message.id)]
        self._told.update(keys)
        for key in keys:
            self._over.pop(key, None)  # it has come back meanwhile, and leaves again
            if key in self._doubtful:
                self._doubtful.discard(key)
                self._doubted.append(key)
        return [Retracting(*key) for key in keys]

    def doubt(self, to: str, id: str) -> None:
        """Note a read message of an earlier process: its file may be there still, and nobody may have looked."""
        if self._stored:
            self._doubtful.add((to, id))

    def doubted(self) -> list[tuple[str, str]]:
        """Return what has to be taken back now that it is leaving the mailbox."""
        doubted, self._doubted = self._doubted, []
        return doubted

    def is_under_way(self, to: str, id: str) -> bool:
        """Tell whether a message is being taken back."""
        return (to, id) in self._held

    def load(self, to: str, id: str) -> None:
        """Note what storage knows, or what has left the mailbox without its being told."""
        self._told.add((to, id))

    def follow(self, to: str, ids: Iterable[str], waiter: Waiter) -> int:
        """Let somebody wait for those of them that are being taken back; return how many that is."""
        found = [waiting for id in dict.fromkeys(ids) if (waiting := self._waiting.get((to, id))) is not None]
        for waiting in found:
            waiting.append(waiter)
        return len(found)

    def settled(self, parcel: Parcel) -> None:
        """Tell everybody who waits."""
        for waiter in self._waiting.pop((parcel.to, parcel.id), ()):
            waiter.settled(parcel)

    def held(self, to: str, id: str) -> None:
        """Note that a message begins to be taken back; what a lane has given up is remembered, too, up to a bound."""
        self._held[to, id] = None
        if len(self._held) > _MAX_HELD:
            del self._held[next(iter(self._held))]

    def taken_back(self, to: str, id: str) -> None:
        """Note that nobody holds a message any longer."""
        self._held.pop((to, id), None)
        self._doubtful.discard((to, id))
        if (to, id) in self._told:
            self._told.discard((to, id))
            self._over[to, id] = None

    def untold(self, limit: int) -> list[Forgotten]:
        """Return what storage has not been told, of up to `limit` messages."""
        over = tuple(islice(self._over, limit))
        return [Forgotten(retractions=over)] if over else []

    def told(self, entries: Iterable[Entry]) -> None:
        """Note what storage has been told."""
        for entry in entries:
            if isinstance(entry, Forgotten):
                for message in entry.retractions:
                    self._over.pop(message, None)

    def _may_be_held(self, to: str, id: str) -> bool:
        return (to, id) in self._held or (to, id) in self._doubtful
