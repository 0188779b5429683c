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
        self._untold: dict[tuple[str, str], DeadLetter | Settled] = {}
        self._stored_letters: set[tuple[str, str]] = set()  # what storage has, or may have
        self.forgotten = 0
        """Dead letters that had to go at the bound."""

    def add(self, letter: DeadLetter, parcel: Parcel) -> None:
        """Keep a delivery that was given up."""
        if self._stored:
            self._untold[letter.channel, letter.message.id] = letter
        self._keep(letter, parcel)

    def load(self, letter: DeadLetter, parcel: Parcel) -> None:
        """Keep a dead letter that storage knows."""
        self._stored_letters.add((letter.channel, letter.message.id))
        self._keep(letter, parcel)

    def settle(self, letter: DeadLetter) -> None:
        """Let storage forget a dead letter that nobody needs."""
        self._stored_letters.add((letter.channel, letter.message.id))
        self._settle(letter.channel, letter.message.id)

    def drop(self, channel: str, id: str) -> None:
        """Forget a dead letter that storage has forgotten already."""
        self._letters.pop((channel, id), None)
        self._untold.pop((channel, id), None)
        self._stored_letters.discard((channel, id))

    def keep_only(self, channel: str, ids: Collection[str]) -> None:
        """Forget the dead letters of a delivery channel that storage has forgotten already: all but these."""
        for letter in self.list():
            if letter.channel == channel and letter.message.id not in ids:
                self.drop(channel, letter.message.id)

    def _keep(self, letter: DeadLetter, parcel: Parcel) -> None:
        self._letters[letter.channel, letter.message.id] = letter, parcel
        if len(self._letters) > self._capacity:
            (channel, id), _ = self._letters.popitem(last=False)
            self._settle(channel, id)
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
        """Return what storage has not been told; it is told now."""
        self._stored_letters.update(key for key, entry in self._untold.items() if isinstance(entry, DeadLetter))
        return tuple(self._untold.values())

    def told(self, entries: Iterable[DeadLetter | Settled]) -> None:
        """Note what storage was told."""
        for entry in entries:
            settled = isinstance(entry, Settled)
            key = entry.channel, entry.ids[0] if isinstance(entry, Settled) else entry.message.id
            if self._untold.get(key) is entry:
                del self._untold[key]
                if settled:
                    self._stored_letters.discard(key)

    def _remove(self, channel: str, id: str) -> Parcel | None:
        found = self._letters.pop((channel, id), None)
        if found is None:
            return None
        self._settle(channel, id)
        return found[1]

    def _settle(self, channel: str, id: str) -> None:
        self._untold.pop((channel, id), None)
        if (channel, id) in self._stored_letters:
            self._untold[channel, id] = Settled(channel, (id,))


def reopened(letter: DeadLetter, wanted: Wanted | None) -> Parcel:
    """Return the parcel of a dead letter that storage has replayed."""
    return Parcel(Post(letter.message, letter.sequence), {}, wanted=wanted)
