"""Presence: who is there, and who holds what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import ClassVar

import attrs
import trio

from observatory.abc import Context, Module
from observatory.arguments import check_name, is_name
from observatory.errors import ClosedError, LeaseLostError
from observatory.messages import HookEvent
from observatory.modules.checks import check_limit
from observatory.modules.reading import Reading
from observatory.modules.swarm_monitor import SwarmMonitor
from observatory.presence.checking import check_holder, check_lease_id, check_resource
from observatory.presence.leases import Leases, Moment
from observatory.presence.register import Register
from observatory.presence.values import Agent, Ending, Lease, PresenceUpdate, ReleasedLease, Source
from observatory.security import Identity
from observatory.settings import PresenceSettings
from observatory.subscriptions import Subscription
from observatory.swarm.source import SwarmSource

TOPIC = "presence:update"

EVENTS = "events:stream"
"""Where it is told what the programs of agents do."""

_END = "SessionEnd"
_SWARM = "swarm:update"

_BETWEEN = 3.0
"""Seconds between two looks at the teams for the sake of somebody who is not known."""

_SIZE = 500
"""Bytes that each thing in an update is counted for."""


class Presence(Module):
    """The agents that were heard of, and their leases; told on topic `presence:update` when something has changed.

    Args:
        context: what every module is handed.
        settings: how long agents are there, how long leases last, and the bounds.
        source: where teams are looked for, in a program in which nobody follows them; None where somebody does.
    """

    exposes: ClassVar = (
        "list_agents",
        "get_agent",
        "list_leases",
        "acquire_lease",
        "renew_lease",
        "release_lease",
    )

    def __init__(self, context: Context, *, settings: PresenceSettings, source: SwarmSource | None = None) -> None:
        self._clock = context.clock
        self._pubsub = context.pubsub
        self._modules = context.modules
        self.looks = source is not None
        """Whether `look_at_teams` may find somebody, since nobody follows the teams."""
        self._source = source
        self._looked = float("-inf")  # when the source was asked last
        self._turn = trio.Lock()  # of those who ask it
        self._news = trio.Event()
        self.known = Register(settings, lambda: self._news.set(), lambda: int(trio.current_time()))
        """The agents; what the Mailbox asks for each message."""
        self._leases = Leases(settings)

    def list_agents(self, *, after: str = "", limit: int | None = None) -> list[Agent]:
        """Return the agents that are known, by name.

        Args:
            after: only those whose names come behind this one.
            limit: at most so many; None for all.

        Raises:
            InvalidInputError: the limit is none.
        """
        if limit is not None:
            check_limit(limit)
        return self.known.agents(self._clock.now(), after, limit)

    def get_agent(self, name: str) -> Agent | None:
        """Return an agent; None when nobody has heard of it.

        Raises:
            InvalidInputError: the name is not allowed.
        """
        check_name("name", name)
        return self.known.agent(name, self._clock.now())

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
        self.known.hear(lease.holder, "lease", now.wall)
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
        lease = self._leases.end(id, now)
        self.known.hear(lease.holder, "lease", now.wall)
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
                lost = not self.release_lease(lease.id)
        if lost:
            raise LeaseLostError(lease.id)

    def hear(self, agent: str, source: Source = "connection") -> None:
        """Hear of an agent; for doors, who know whom they talk to."""
        self.known.hear(agent, source, self._clock.now())

    @contextmanager
    def staying(self, agent: str, source: Source = "connection") -> Iterator[None]:
        """Hear of an agent that is there for the time of a block: it may be idle, and is never gone."""
        self.known.keep(agent, source, self._clock.now())
        try:
            yield
        finally:
            self.known.let_go(agent, self._clock.now())

    @property
    def looked_long_ago(self) -> bool:
        """Whether the last look at the teams was 3 s ago."""
        return trio.current_time() >= self._looked + _BETWEEN

    async def look_at_teams(self) -> None:
        """Look who is in a team, where nobody follows that, unless it was done less than 3 s ago."""
        async with self._turn:  # of two at the same time the second one must see what the first one has found
            if self._source is None or not self.looked_long_ago:
                return
            found = await self._source.find(())
            self.known.set_teams(found.teams, self._clock.now())
            self._looked = trio.current_time()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow what is told of agents, and tell what has changed, until cancelled."""
        self._take_senders()
        events = self._pubsub.subscribe(EVENTS)
        changes = self._pubsub.subscribe(_SWARM, capacity=1)  # what it is now is read, and not what it was
        async with events, changes, trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_events, events)
            nursery.start_soon(self._follow_teams, changes)
            task_status.started()
            while True:
                self._news = trio.Event()
                now = self._now()
                for update in self.known.updates(now.wall):
                    self._publish(update)
                left = min(self.known.seconds_left(now.wall), self._leases.first_deadline - now.running)
                with trio.move_on_after(max(left, 0.0)):
                    await self._news.wait()

    def _take_senders(self) -> None:
        """Hear of those whose messages lie here from before."""
        mailbox = self._modules.get("Mailbox")
        if isinstance(mailbox, Reading):
            for name, at in mailbox.senders().items():
                self.known.hear(name, "message", at)

    async def _follow_events(self, events: Subscription) -> None:
        with suppress(ClosedError):
            while True:
                batch = await events.receive_batch()  # there may be very many
                now = self._now()
                for event in batch:
                    if isinstance(event.payload, HookEvent):
                        self._take_event(event.payload, now)

    def _take_event(self, event: HookEvent, now: Moment) -> None:
        name = event.session_id if event.agent is None else event.agent
        if not isinstance(name, str) or (name not in self.known and not is_name(name)):
            return  # whatever a program calls itself, nobody could write to that
        if event.name != _END:
            self.known.hear(name, "event", now.wall)
            return
        self.known.end(name, now.wall)
        for lease in self._leases.take_away(name, now):
            self._over(lease, "ended")

    async def _follow_teams(self, changes: Subscription) -> None:
        self._take_teams()
        async for _ in changes:
            self._take_teams()

    def _take_teams(self) -> None:
        monitor = self._modules.get("SwarmMonitor")
        if isinstance(monitor, SwarmMonitor) and self._source is None:
            self.known.set_teams(monitor.get_state().teams, self._clock.now())

    def _take(self, agent: str, resource: str, lose: Callable[[], object] | None = None) -> Lease:
        if self._pubsub.closed:
            raise ClosedError("this Observatory is closed; nothing can be held any more")
        now = self._now()
        lease = self._leases.take(agent, resource, now, lose)
        self.known.keep(agent, "lease", now.wall)
        self._publish(PresenceUpdate(taken=(lease,)))
        self._news.set()  # it may be the first one that expires
        return lease

    def _over(self, lease: Lease, reason: Ending) -> None:
        self.known.let_go(lease.holder)
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
        size = sum([len(some) for some in attrs.astuple(update, recurse=False)])
        self._pubsub.publish(TOPIC, update, size=_SIZE * size)
