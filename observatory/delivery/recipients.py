"""Recipients whose deliveries fail: each has a clock of its own, and what waits behind it keeps its order."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Iterator

from observatory.backoff import backoff
from observatory.delivery.parcel import Parcel
from observatory.messages import Delivery
from observatory.settings import DeliverySettings


class Recipient:
    """One recipient that is backing off in one lane."""

    __slots__ = ("attempts", "deadline", "in_hand", "name", "parcels", "queued", "since")

    def __init__(self, name: str, now: float, queued: Delivery) -> None:
        self.name = name
        self.queued = queued  # what is told of those that come now
        self.since = now
        self.deadline = now
        self.attempts = 0
        self.in_hand = 0  # parcels that are being tried again just now
        self.parcels: deque[Parcel] = deque()


class Recipients:
    """All recipients that are backing off in one lane.

    Args:
        settings: the retry schedule.
        chance: source of the jitter.
    """

    def __init__(self, settings: DeliverySettings, chance: random.Random) -> None:
        self._settings = settings
        self._share = max(settings.lane_capacity // 10, 1)
        self._chance = chance
        self.by_name: dict[str, Recipient] = {}
        self._clock: list[tuple[float, str]] = []  # heap of deadlines; an entry may be out of date
        self._count = 0

    def __len__(self) -> int:
        """Return how many parcels wait."""
        return self._count

    def wait(self, recipient: Recipient, parcel: Parcel) -> bool:
        """Let a parcel wait behind what failed; False when the recipient holds its share of the lane already."""
        if len(recipient.parcels) + recipient.in_hand >= self._share:
            return False
        recipient.parcels.append(parcel)
        self._count += 1
        return True

    def fail(self, name: str, queued: Delivery, now: float) -> Recipient:
        """Note a failed attempt and set the clock for the next one.

        Args:
            name: the recipient's.
            queued: what is told of messages that come until then.
            now: Trio's time.
        """
        recipient = self.by_name.get(name)
        if recipient is None:
            recipient = self.by_name[name] = Recipient(name, now, queued)
        recipient.attempts += 1
        recipient.queued = queued
        schedule = self._settings
        delay = backoff(
            recipient.attempts, first=schedule.retry_first, longest=schedule.retry_longest, chance=self._chance
        )
        recipient.deadline = min(now + delay, recipient.since + schedule.retry_total)
        heapq.heappush(self._clock, (recipient.deadline, name))
        return recipient

    def exhausted(self, recipient: Recipient, now: float) -> bool:
        """Tell whether the schedule is at its end."""
        schedule = self._settings
        return recipient.attempts >= schedule.retry_attempts or now >= recipient.since + schedule.retry_total

    def settle(self, name: str, now: float) -> None:
        """Note that an attempt carried out all it was given: what is left follows at once, and else it is over."""
        recipient = self.by_name[name]
        recipient.in_hand = 0
        if recipient.parcels:
            recipient.attempts, recipient.since, recipient.deadline = 0, now, now
            heapq.heappush(self._clock, (now, name))
        else:
            self.forget(recipient)

    def forget(self, recipient: Recipient) -> deque[Parcel]:
        """Let a recipient go, with what it still holds."""
        self._count -= len(recipient.parcels)
        del self.by_name[recipient.name]
        return recipient.parcels

    def parcels(self) -> Iterator[Parcel]:
        """Go through what waits."""
        return (parcel for recipient in self.by_name.values() for parcel in recipient.parcels)

    def next_deadline(self) -> float:
        """Return when the next recipient is due; infinity when none is backing off."""
        while self._clock and not self._is_current(self._clock[0]):
            heapq.heappop(self._clock)
        return self._clock[0][0] if self._clock else float("inf")

    def take_due(self, now: float, limit: int) -> list[Parcel]:
        """Take up to `limit` wanted parcels of recipients that are due, each recipient's in order.

        A recipient stays backing off until its attempt has been reported.
        """
        taken: list[Parcel] = []
        while limit > 0 and self.next_deadline() <= now:
            _, name = heapq.heappop(self._clock)
            recipient = self.by_name[name]
            parcels, wanted = self._take_from(recipient, limit)
            taken += parcels
            limit -= wanted
            recipient.in_hand += len(parcels)
            self._count -= len(parcels)
        return taken

    def _take_from(self, recipient: Recipient, limit: int) -> tuple[list[Parcel], int]:
        """Take the first that is still wanted, which shows whether the recipient can be reached; once it could, all.

        Returns:
            What was taken, with those before it that nobody wants any more, and how many are wanted.
        """
        taken: list[Parcel] = []
        wanted = 0
        most = 1 if recipient.attempts else limit
        while recipient.parcels and wanted < most:
            parcel = recipient.parcels.popleft()
            taken.append(parcel)
            wanted += not parcel.retracted
        return taken, wanted

    def put_back(self, recipient: Recipient, parcels: list[Parcel]) -> list[Parcel]:
        """Put parcels back in front, in their order; return those beyond the recipient's share of the lane."""
        room = self._share - len(recipient.parcels)
        recipient.in_hand = 0
        recipient.parcels.extendleft(reversed(parcels[:room]))
        self._count += len(parcels[:room])
        return parcels[room:]

    def _is_current(self, entry: tuple[float, str]) -> bool:
        recipient = self.by_name.get(entry[1])
        return recipient is not None and recipient.deadline == entry[0]
