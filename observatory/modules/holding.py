"""Leases: who holds what, as long as it is renewed or a block of this program is entered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from observatory.abc import Context
from observatory.errors import ClosedError, LeaseLostError
from observatory.modules.checks import check_limit
from observatory.presence.checking import check_holder, check_lease_id, check_resource
from observatory.presence.leases import Leases, Moment
from observatory.presence.register import Register
from observatory.presence.values import Ending, Lease, PresenceUpdate, ReleasedLease
from observatory.security import Identity
from observatory.settings import PresenceSettings

TOPIC = "presence:update"

_SIZE = 500
"""Bytes that each thing in an update is counted for."""


class Holding:
    """The part of Presence that is about leases.

    Args:
        context: what every module is handed.
        known: the agents.
        settings: how long leases last, and the bounds.
        wake: called when there is something to be done at another time than before.
    """

    def __init__(self, context: Context, known: Register, settings: PresenceSettings, wake: Callable[[], None]) -> None:
        self._clock = context.clock
        self._pubsub = context.pubsub
        self._known = known
        self._wake = wake
        self._leases = Leases(settings)

    def list_leases(self, *, after: str = "", limit: int | None = None) -> list[Lease]:
        """Return the leases that there are, by resource; arguments as of `list_agents`.

        Raises:
            InvalidInputError: the limit is none.
        """
        if limit is not None:
            check_limit(limit)
        return [lease for lease in self._leases.all(self._now()) if lease.resource > after][:limit]

    def acquire_lease(self, agent: str, resource: str, *, identity: Identity | None = None) -> Lease:
        """Take a lease, which has to be renewed; a program in the same process uses `lease`.

        Args:
            agent: who takes it.
            resource: of what: a path, a topic, or whatever agents agree on; 1 to 1,024 printable characters, taken as
                they are.
            identity: who asks.

        Raises:
            InvalidInputError: an argument is not allowed.
            LeaseTakenError: somebody holds it; also when that is the same agent.
            LeaseLimitError: there are too many.
            ForbiddenError: an agent acts as somebody else.
            ClosedError: Observatory is closed.
        """
        check_holder(agent, identity)
        check_resource(resource)
        return self._take(agent, resource)

    def renew_lease(self, id: str, *, identity: Identity | None = None) -> Lease:
        """Let a lease last for `[presence] lease_seconds` from now on.

        Raises:
            InvalidInputError: it can be no id.
            LeaseLostError: there is no such lease, or none any more.
            ForbiddenError: it is of another agent.
        """
        now = self._checked(id, identity)
        lease = self._leases.renew(id, now)
        self._known.hear(lease.holder, "lease", now.wall)
        return lease

    def release_lease(self, id: str, *, identity: Identity | None = None) -> bool:
        """Give a lease back; return False when there is none any more.

        Raises:
            InvalidInputError: it can be no id.
            ForbiddenError: it is of another agent.
        """
        now = self._checked(id, identity)
        if self._leases.find(id, now) is None:
            return False
        lease = self._leases.give_up(id, "released", now)
        if lease is not None:
            self._known.hear(lease.holder, "lease", now.wall)
            self._over(lease, "released")
        return True

    @asynccontextmanager
    async def lease(self, agent: str, resource: str) -> AsyncIterator[Lease]:
        """Hold a lease for the time of an `async with` block: it lasts as long as the block is entered.

        It is given back when the block is left, however that is. Where the session of the agent ends meanwhile, it is
        taken away: the block is cancelled, and raises `LeaseLostError`.

        Raises:
            What `acquire_lease` raises; and LeaseLostError.
        """
        check_holder(agent, None)
        check_resource(resource)
        await trio.lowlevel.checkpoint()
        with trio.CancelScope() as scope:  # noqa: ASYNC100 -- the block is what is cancelled
            lease = self._take(agent, resource, scope.cancel)
            try:
                yield lease
            finally:
                lost = self._leave(lease.id)
        if lost is not None:
            raise LeaseLostError(lease.id)

    def _take(self, agent: str, resource: str, lose: Callable[[], object] | None = None) -> Lease:
        if self._pubsub.closed:
            raise ClosedError("this Observatory is closed; nothing can be held any more")
        now = self._now()
        lease = self._leases.take(agent, resource, now, lose)
        self._known.keep(agent, "lease", now.wall)
        self._publish(PresenceUpdate(taken=(lease,)))
        self._wake()  # it may be the first one that expires
        return lease

    def _leave(self, id: str) -> Ending | None:
        """End the lease of a block that is left; return why it was lost, if it was."""
        now = self._now()
        lease, lost = self._leases.leave(id, now)
        if lost is None:
            self._known.hear(lease.holder, "lease", now.wall)
        self._over(lease, lost or "released")
        return lost

    def _over(self, lease: Lease, reason: Ending) -> None:
        """Tell that a lease is over."""
        self._known.let_go(lease.holder)
        self._publish(PresenceUpdate(released=(ReleasedLease(lease, reason),)))

    def _checked(self, id: str, identity: Identity | None) -> Moment:
        """Check who asks for something to be done with a lease; return when that is."""
        check_lease_id(id)
        now = self._now()
        lease = self._leases.find(id, now)
        if lease is not None:
            check_holder(lease.holder, identity)
        return now

    def _now(self) -> Moment:
        """Return what time it is, once what has expired by then is over."""
        now = Moment(trio.current_time(), self._clock.now())
        for lease in self._leases.expire(now):
            self._over(lease, "expired")
        return now

    def _publish(self, update: PresenceUpdate) -> None:
        """Tell what has changed."""
        size = sum([len(some) for some in attrs.astuple(update, recurse=False)])
        self._pubsub.publish(TOPIC, update, size=_SIZE * size)
