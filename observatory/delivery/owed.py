"""Retractions that could not be carried out yet: they hold up nothing, and are not forgotten."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Collection, Sequence

from observatory.backoff import backoff
from observatory.delivery.parcel import Recall
from observatory.settings import DeliverySettings


class _Recipient:
    """What is owed to one recipient, and when it is tried again."""

    __slots__ = ("attempts", "deadline", "parcels")

    def __init__(self) -> None:
        self.parcels: deque[Recall] = deque()
        self.attempts = 1  # that failed since one succeeded
        self.deadline = 0.0


class Owed:
    """Retractions that one lane owes, by recipient.

    Nobody waits for them any more, and trying once more never does harm: so a retraction that fails keeps no post from
    being delivered, is no dead letter, and is tried again for as long as Observatory runs, one for each recipient,
    less and less often. When that one succeeds, the others follow at once.

    Args:
        settings: the schedule, and how many are kept; then one of the recipient that is owed longest goes.
        chance: source of the jitter.
    """

    def __init__(self, settings: DeliverySettings, chance: random.Random) -> None:
        self._settings = settings
        self._chance = chance
        self._by_name: dict[str, _Recipient] = {}  # those that are tried just now may be owed nothing else
        self._clock: list[tuple[float, str]] = []  # heap of deadlines; an entry may be out of date
        self._tried: set[str] = set()
        self._count = 0
        self.forgotten = 0
        """Retractions that had to go at the bound."""

    def __len__(self) -> int:
        """Return how many are owed, those that are tried just now left out."""
        return self._count

    def add(self, parcels: Sequence[Recall], now: float) -> bool:
        """Keep retractions of one recipient; return whether it was owed nothing before.

        Args:
            parcels: they failed, or cannot be tried now.
            now: Trio's time.
        """
        to = parcels[0].to
        new = to not in self._by_name
        if new:
            self._by_name[to] = _Recipient()
            self._set_clock(to, now)
        self._by_name[to].parcels.extend(parcels)
        self._count += len(parcels)
        while self._count > self._settings.dead_letters:
            self._forget_one()
        return new

    def next_deadline(self) -> float:
        """Return when the next one is due, in Trio's time; infinity when none is."""
        while self._clock and not self._is_current(self._clock[0]):
            heapq.heappop(self._clock)
        return self._clock[0][0] if self._clock else float("inf")

    def take_due(self, now: float, limit: int) -> list[Recall]:
        """Take up to `limit` that are due: of each recipient the first, or everything once that was carried out."""
        taken: list[Recall] = []
        while len(taken) < limit and self.next_deadline() <= now:
            _, to = heapq.heappop(self._clock)
            recipient = self._by_name[to]
            most = 1 if recipient.attempts else limit - len(taken)
            taken += [self._take(to) for _ in range(min(most, len(recipient.parcels)))]
            self._tried.add(to)
        return taken

    def settle(self, failed: Collection[str], now: float) -> None:
        """Note how those fared that were taken, after what has failed was added again.

        Args:
            failed: the recipients of retractions that have failed.
            now: Trio's time.
        """
        for to in self._tried:
            recipient = self._by_name[to]
            recipient.attempts = recipient.attempts + 1 if to in failed else 0
            if recipient.parcels:
                self._set_clock(to, now)
            else:
                del self._by_name[to]
        self._tried.clear()

    def hurry(self, now: float) -> None:
        """Let everything be due now."""
        for to, recipient in self._by_name.items():
            recipient.attempts = 0
            self._set_clock(to, now)

    def _forget_one(self) -> None:
        oldest = next(to for to, recipient in self._by_name.items() if recipient.parcels)  # a few are being tried
        self._take(oldest)
        self.forgotten += 1
        if not self._by_name[oldest].parcels and oldest not in self._tried:
            del self._by_name[oldest]

    def _set_clock(self, to: str, now: float) -> None:
        recipient, schedule = self._by_name[to], self._settings
        recipient.deadline = now
        if recipient.attempts:
            recipient.deadline += backoff(
                recipient.attempts, first=schedule.retry_first, longest=schedule.retry_total, chance=self._chance
            )
        heapq.heappush(self._clock, (recipient.deadline, to))

    def _is_current(self, entry: tuple[float, str]) -> bool:
        deadline, to = entry
        recipient = self._by_name.get(to)
        return recipient is not None and recipient.deadline == deadline and bool(recipient.parcels)

    def _take(self, to: str) -> Recall:
        self._count -= 1
        return self._by_name[to].parcels.popleft()
