"""Retractions that failed for a whole schedule: what should be taken back is not forgotten."""

from __future__ import annotations

import math
from collections import deque

from observatory.delivery.parcel import Parcel


class Owed:
    """Retractions that one lane still owes, by recipient: carried out as soon as that recipient can be reached.

    They are no dead letters: nobody waits for them, and trying once more never does harm.

    Args:
        capacity: how many are kept; then the oldest goes.
        interval: seconds after which one for each recipient is tried, to see whether it can be reached.
    """

    def __init__(self, capacity: int, interval: float) -> None:
        self._capacity = capacity
        self._interval = interval
        self._by_recipient: dict[str, deque[Parcel]] = {}
        self._count = 0
        self.forgotten = 0
        """Retractions that had to go at the bound."""
        self.deadline = math.inf
        """When one for each recipient is due."""

    def __len__(self) -> int:
        """Return how many are owed."""
        return self._count

    def add(self, parcel: Parcel, now: float) -> None:
        """Keep a retraction.

        Args:
            parcel: it.
            now: Trio's time.
        """
        if not self._count:
            self.deadline = now + self._interval
        self._by_recipient.setdefault(parcel.to, deque()).append(parcel)
        self._count += 1
        if self._count > self._capacity:
            oldest = next(iter(self._by_recipient))
            self._take_one(oldest)
            self.forgotten += 1

    def take(self, to: str, limit: int) -> list[Parcel]:
        """Take up to `limit` of one recipient."""
        return [self._take_one(to) for _ in range(min(limit, len(self._by_recipient.get(to, ()))))]

    def take_any(self, limit: int) -> list[Parcel]:
        """Take up to `limit` of anybody."""
        taken: list[Parcel] = []
        for to in list(self._by_recipient):
            taken += self.take(to, limit - len(taken))
        return taken

    def take_due(self, now: float) -> list[Parcel]:
        """Take one for each recipient, when it is time to see whether they can be reached."""
        if now < self.deadline:
            return []
        self.deadline = now + self._interval if self._count else math.inf
        return [self._take_one(to) for to in list(self._by_recipient)]

    def _take_one(self, to: str) -> Parcel:
        parcels = self._by_recipient[to]
        self._count -= 1
        if len(parcels) == 1:
            del self._by_recipient[to]
        return parcels.popleft()
