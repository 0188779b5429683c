"""Deliveries that were given up: bounded, listed, and handed back for another try."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from itertools import product

from observatory.delivery.parcel import Parcel, Wanted
from observatory.entries import Settled
from observatory.jobs import Post
from observatory.messages import DeadLetter

EXPIRED = "mailbox"
"""What stands for the delivery channel in the dead letter of a message that nobody acknowledged in time."""


class DeadLetters:
    """Dead letters of all lanes, by delivery channel and message.

    Args:
        capacity: how many are kept; then the oldest goes.
        stored: whether changes are kept until storage was told.
    """

    def __init__(self, capacity: int, *, stored: bool = False) -> None:
        self._capacity = capacity
        self._stored = stored
        self._letters: OrderedDict[tuple[str, str], tuple[DeadLetter, Parcel]] = OrderedDict()
        self._untold: list[DeadLetter | Settled] = []
        self.forgotten = 0
        """Dead letters that had to go at the bound."""

    def add(self, letter: DeadLetter, parcel: Parcel) -> None:
        """Keep a delivery that was given up."""
        self._tell(letter)
        self.load(letter, parcel)

    def load(self, letter: DeadLetter, parcel: Parcel) -> None:
        """Keep a dead letter that storage knows."""
        self._letters[letter.channel, letter.message.id] = letter, parcel
        if len(self._letters) > self._capacity:
            (channel, id), _ = self._letters.popitem(last=False)
            self._tell(Settled(channel, (id,)))
            self.forgotten += 1

    def holds(self, channel: str, id: str) -> bool:
        """Tell whether a message is a dead letter of this delivery channel."""
        return (channel, id) in self._letters

    def discard(self, ids: Iterable[str], channels: Collection[str]) -> None:
        """Forget the dead letters of messages that were acknowledged."""
        if self._letters:
            for channel, id in product(channels, ids):
                self._remove(channel, id)

    def list(self) -> tuple[DeadLetter, ...]:
        """Return every dead letter, oldest first."""
        return tuple(letter for letter, _ in self._letters.values())

    def parcels(self) -> Iterator[Parcel]:
        """Go through their parcels."""
        return (parcel for _, parcel in self._letters.values())

    def take(self, channel: str, ids: Collection[str] | None, limit: int) -> tuple[Parcel, ...]:
        """Remove and return up to `limit` dead letters of a delivery channel; of these messages, or of all."""
        keys = [key for key in self._letters if key[0] == channel and (ids is None or key[1] in ids)][:limit]
        parcels = [parcel for key in keys if (parcel := self._remove(*key))]
        return tuple(Parcel(parcel.job, {}, wanted=parcel.wanted) for parcel in parcels)

    def untold(self) -> tuple[DeadLetter | Settled, ...]:
        """Return what storage has not been told."""
        return tuple(self._untold)

    def told(self, count: int) -> None:
        """Note that storage was told the first `count` of that."""
        del self._untold[:count]

    def _remove(self, channel: str, id: str) -> Parcel | None:
        found = self._letters.pop((channel, id), None)
        if found is None:
            return None
        self._tell(Settled(channel, (id,)))
        return found[1]

    def _tell(self, entry: DeadLetter | Settled) -> None:
        if self._stored:
            self._untold.append(entry)


def reopened(letter: DeadLetter, wanted: Wanted | None) -> Parcel:
    """Return the parcel of a dead letter that storage has replayed."""
    return Parcel(Post(letter.message, letter.sequence), {}, wanted=wanted)
