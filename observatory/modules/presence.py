"""Presence: who is there, and who holds what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar

import trio

from observatory.abc import Context, Module
from observatory.arguments import check_name
from observatory.errors import ClosedError
from observatory.messages import HookEvent
from observatory.modules.checks import check_limit
from observatory.modules.holding import Holding
from observatory.modules.hook_events import EVENTS, agent_of
from observatory.modules.reading import Reading
from observatory.modules.swarm_monitor import SwarmMonitor
from observatory.presence.leases import Moment
from observatory.presence.register import Register
from observatory.presence.values import Agent, Source
from observatory.settings import PresenceSettings
from observatory.subscriptions import Subscription
from observatory.swarm.source import SwarmSource

_END = "SessionEnd"
_SWARM = "swarm:update"

_BETWEEN = 3.0
"""Seconds between two looks at the teams for the sake of somebody who is not known."""


class Presence(Holding, Module):
    """The agents that were heard of, and their leases; told on topic `presence:update` when something has changed.

    Args:
        context: what every module is handed.
        settings: how long agents are there, how long leases last, and the bounds.
        source: where teams are looked for, before it is ready; None where nobody wants that.
        looks: whether that is done again and again: in a program in which nobody follows them.
    """

    exposes: ClassVar = (
        "list_agents",
        "get_agent",
        "list_leases",
        "acquire_lease",
        "renew_lease",
        "release_lease",
    )

    def __init__(
        self,
        context: Context,
        *,
        settings: PresenceSettings,
        source: SwarmSource | None = None,
        looks: bool = False,
    ) -> None:
        self.known = Register(settings, lambda: self._news.set(), lambda: int(trio.current_time()))
        """The agents; what the Mailbox asks for each message."""
        super().__init__(context, self.known, settings, lambda: self._news.set())
        self._modules = context.modules
        self.looks = looks
        """Whether `look_at_teams` may find somebody, since nobody follows the teams."""
        self._source = source
        self._looked = float("-inf")  # when the source was asked last
        self._turn = trio.Lock()  # of those who ask it
        self._news = trio.Event()

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

    def hear(self, agent: str, source: Source = "connection") -> None:
        """Hear of an agent; for doors, who know whom they talk to.

        Raises:
            InvalidInputError: the name is not allowed.
        """
        check_name("agent", agent)
        self.known.hear(agent, source, self._clock.now())

    @contextmanager
    def staying(self, agent: str, source: Source = "connection") -> Iterator[None]:
        """Hear of an agent that is there for the time of a block: it may be idle, and is never gone.

        Raises:
            InvalidInputError: the name is not allowed.
        """
        check_name("agent", agent)
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
        if not self.looks:
            await self.look_at_teams()  # members are known before anybody can write to them
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
        name = agent_of(event)
        if name is None:
            return
        if event.name != _END:
            self.known.hear(name, "event", now.wall)
            return
        self.known.end(name, now.wall)
        for lease in self._leases.take_away(name, now):
            self._over(lease, "ended")

    async def _follow_teams(self, changes: Subscription) -> None:
        monitor = self._modules.get("SwarmMonitor")
        if not isinstance(monitor, SwarmMonitor) or self.looks:
            return
        if monitor.get_state().teams:  # else it may not have looked yet
            self.known.set_teams(monitor.get_state().teams, self._clock.now())
        async for _ in changes:
            self.known.set_teams(monitor.get_state().teams, self._clock.now())
