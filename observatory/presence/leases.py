"""Who holds what, and for how long: one lease for each resource."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import attrs

from observatory.errors import LeaseLimitError, LeaseLostError, LeaseTakenError
from observatory.presence.values import Ending, Lease
from observatory.settings import PresenceSettings


class Moment(NamedTuple):
    """When something happens."""

    running: float
    """Seconds of a clock that only goes forward: leases end by it."""
    wall: datetime
    """Wall time, to be shown."""


class Held:
    """A lease that somebody has."""

    __slots__ = ("deadline", "lease", "lose", "lost")

    def __init__(self, lease: Lease, deadline: float, lose: Callable[[], object] | None) -> None:
        self.lease = lease
        self.deadline = deadline
        self.lose = lose  # tells the block of this program that holds it
        self.lost: Ending | None = None  # why the block was told: it is over when that is left


class Leases:
    """The leases that there are.

    All last equally long, so that those that have to be renewed stand in the order in which they expire. What a block
    of this program holds is as good as renewed by whoever looks: it cannot die without giving it back.

    Args:
        settings: how long they last, and how many there may be.
    """

    def __init__(self, settings: PresenceSettings) -> None:
        self._seconds = settings.lease_seconds
        self._most = settings.max_leases
        self._most_each = settings.max_leases_each
        self._by_resource: dict[str, Held] = {}
        self._by_id: dict[str, Held] = {}
        self._timed: dict[str, Held] = {}  # by id, those that expire first come first
        self._counts: Counter[str] = Counter()  # by holder

    def take(self, holder: str, resource: str, now: Moment, lose: Callable[[], object] | None = None) -> Lease:
        """Take a lease; what has expired must have been ended before.

        Args:
            holder: who takes it.
            resource: of what.
            now: when.
            lose: for a block of this program: called when the lease is ended.

        Raises:
            LeaseTakenError: somebody has it, perhaps the same agent.
            LeaseLimitError: there are too many.
        """
        held = self._by_resource.get(resource)
        if held is not None:
            lease = self._shown(held, now)
            raise LeaseTakenError(resource, lease.holder, lease.expires_at)
        if self._counts[holder] >= self._most_each:
            raise LeaseLimitError(holder, "presence.max_leases_each", self._most_each)
        if len(self._by_id) >= self._most:
            raise LeaseLimitError(holder, "presence.max_leases", self._most)
        lease = Lease(secrets.token_hex(8), resource, holder, now.wall, self._end_of(now), self._seconds)
        held = self._by_resource[resource] = self._by_id[lease.id] = Held(lease, now.running + self._seconds, lose)
        self._counts[holder] += 1
        if lose is None:
            self._timed[lease.id] = held
        return lease

    def renew(self, id: str, now: Moment) -> Lease:
        """Let a lease last from now on; what has expired must have been ended before.

        Raises:
            LeaseLostError: there is none, or none any more.
        """
        held = self._by_id.get(id)
        if held is None or held.lost is not None:
            raise LeaseLostError(id)
        held.lease = attrs.evolve(held.lease, expires_at=self._end_of(now))
        held.deadline = now.running + self._seconds
        if self._timed.pop(id, None) is not None:
            self._timed[id] = held
        return held.lease

    def find(self, id: str, now: Moment) -> Lease | None:
        """Return a lease that nobody has taken away from its block."""
        held = self._by_id.get(id)
        return None if held is None or held.lost is not None else self._shown(held, now)

    def give_up(self, id: str, reason: Ending, now: Moment) -> Lease | None:
        """End a lease and return it; None where a block has it: that is told, and ends it when it is left.

        Until then nobody else can have it, however long the block takes to clean up.
        """
        held = self._by_id[id]
        if held.lose is None:
            return self._end(id, now)
        if held.lost is None:
            held.lost = reason
            held.lose()
        return None

    def leave(self, id: str, now: Moment) -> tuple[Lease, Ending | None]:
        """End the lease of a block that is left; return it, and why it was lost, if it was."""
        lost = self._by_id[id].lost
        return self._end(id, now), lost

    def _end(self, id: str, now: Moment) -> Lease:
        held = self._by_id.pop(id)
        lease = self._shown(held, now)
        del self._by_resource[lease.resource]
        self._timed.pop(id, None)
        self._counts[lease.holder] -= 1
        if not self._counts[lease.holder]:
            del self._counts[lease.holder]
        return lease

    def take_away(self, holder: str, now: Moment) -> Iterator[Lease]:
        """End all leases of an agent, and return those that are over."""
        if holder in self._counts:
            for id in [id for id, held in self._by_id.items() if held.lease.holder == holder]:
                lease = self.give_up(id, "ended", now)
                if lease is not None:
                    yield lease

    def expire(self, now: Moment) -> Iterator[Lease]:
        """End those that were not renewed in time."""
        while self._timed and self.first_deadline <= now.running:
            yield self._end(next(iter(self._timed)), now)

    @property
    def first_deadline(self) -> float:
        """When the first one expires, unless it is renewed."""
        for held in self._timed.values():
            return held.deadline
        return float("inf")

    def all(self, now: Moment) -> list[Lease]:
        """Return every lease, by resource."""
        return [self._shown(self._by_resource[resource], now) for resource in sorted(self._by_resource)]

    def _end_of(self, now: Moment) -> datetime:
        return now.wall + timedelta(seconds=self._seconds)

    def _shown(self, held: Held, now: Moment) -> Lease:
        return held.lease if held.lose is None else attrs.evolve(held.lease, expires_at=self._end_of(now))
