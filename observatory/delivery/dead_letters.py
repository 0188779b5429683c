"""Deliveries that were given up: bounded, listed, and handed back for another try."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from itertools import product

from observatory.delivery.parcel import Parcel
from observatory.jobs import Post
from observatory.messages import DeadLetter


class DeadLetters:
    """Dead letters of all lanes, by delivery channel and message.

    Args:
        capacity: how many are kept; then the oldest goes.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._letters: OrderedDict[tuple[str, str], tuple[DeadLetter, Parcel]] = OrderedDict()
        self.forgotten = 0
        """Dead letters that had to go at the bound."""

    def add(self, letter: DeadLetter, parcel: Parcel) -> None:
        """Keep a delivery that was given up."""
        self._letters[letter.channel, letter.message.id] = letter, parcel
        if len(self._letters) > self._capacity:
            self._letters.popitem(last=False)
            self.forgotten += 1

    def discard(self, ids: Iterable[str], channels: Collection[str]) -> None:
        """Forget the dead letters of messages that were acknowledged."""
        if self._letters:
            for key in product(channels, ids):
                self._letters.pop(key, None)

    def list(self) -> tuple[DeadLetter, ...]:
        """Return every dead letter, oldest first."""
        return tuple(letter for letter, _ in self._letters.values())

    def parcels(self) -> Iterator[Parcel]:
        """Go through their parcels."""
        return (parcel for _, parcel in self._letters.values())

    def take(self, channel: str, ids: Collection[str] | None, limit: int) -> tuple[Parcel, ...]:
        """Remove and return up to `limit` dead letters of a delivery channel; of these messages, or of all."""
        keys = [key for key in self._letters if key[0] == channel and (ids is None or key[1] in ids)][:limit]
        parcels = [self._letters.pop(key)[1] for key in keys]
        return tuple(Parcel(parcel.job, {}, wanted=parcel.wanted) for parcel in parcels if isinstance(parcel.job, Post))
