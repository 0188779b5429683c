"""The checks in the box: what can be wrong with an Observatory that is open."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import trio

from observatory.abc import Context
from observatory.checks import Check, Finding, quoted
from observatory.modules.mailbox import Mailbox
from observatory.modules.swarm_monitor import SwarmMonitor
from observatory.overview import Overview

BACKLOG = 1_000
"""Unread messages of one mailbox."""

SILENCE = 600.0
"""Seconds for which an agent may leave mail unread."""

FULL = 0.9
"""How much of a lane may be taken."""

_SHOWN = 20
"""Findings of one check."""


class _Check(Check):
    """Looks at an Observatory; where none is open there is nothing to be seen."""

    interval: ClassVar[float | None] = 30.0

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self) -> Sequence[Finding]:
        """Look, and return what is wrong."""
        await trio.lowlevel.checkpoint()
        found = [] if self._context.observatory is None else self._look(self._context.observatory)
        return [finding for finding, _ in zip(found, range(_SHOWN), strict=False)]

    @abstractmethod
    def _look(self, observatory: Overview) -> Iterator[Finding]:
        """Look at one that is open."""


class MailboxBacklog(_Check):
    """Mailboxes with very many unread messages."""

    def _look(self, observatory: Overview) -> Iterator[Finding]:
        for agent, stats in self._context.module(Mailbox).get_stats().items():
            if stats.unread >= BACKLOG:
                remedy = f"see whether it reads, and what: observatory inbox {quoted(agent)}"
                yield Finding(f"mailbox {agent}", f"{stats.unread:,} messages are unread", remedy)


class SilentAgents(_Check):
    """Agents who have mail, and do not read it."""

    def _look(self, observatory: Overview) -> Iterator[Finding]:
        presence = self._context.module("Presence")
        for name, stats in self._context.module(Mailbox).get_stats().items():
            age, agent = stats.oldest_unread_age_sec, presence.get_agent(name)
            if age is None or (age <= SILENCE and (agent is None or agent.status != "gone")):
                continue
            problem = f"has left mail unread for {age // 60:.0f} minutes, and "
            if agent is None:
                remedy = "see whether it is called so: observatory agents"
                yield Finding(f"agent {name}", f"{problem}nobody has heard of it", remedy)
            else:
                remedy = f"see whether it is at work: observatory inbox {quoted(name)}"
                yield Finding(f"agent {name}", f"{problem}is {agent.status}", remedy)


class Lanes(_Check):
    """Delivery channels that do not keep up, or fail."""

    def _look(self, observatory: Overview) -> Iterator[Finding]:
        for name, lane in observatory.statistics().lanes.items():
            subject = f"delivery channel {name}"
            if lane.backing_off:
                problem = (
                    f"{lane.backing_off:,} deliveries wait for another attempt: {lane.error or 'no reason is known'}"
                )
                yield Finding(subject, problem, "put that right; they are tried again by themselves")
            if lane.queued >= FULL * lane.capacity:
                problem = f"{lane.queued:,} of {lane.capacity:,} places are taken"
                yield Finding(subject, problem, "see what holds it up: observatory status")


class DeadLetters(_Check):
    """Deliveries that were given up."""

    def _look(self, observatory: Overview) -> Iterator[Finding]:
        count = len(observatory.dead_letters())
        if count:
            problem = f"{count:,} deliveries were given up"
            yield Finding("dead letters", problem, "put right why, then: observatory dead-letters --redeliver")


class StaleTasks(_Check):
    """Tasks in progress of which nothing was heard for long."""

    def _look(self, observatory: Overview) -> Iterator[Finding]:
        for project, pipeline in self._context.module(SwarmMonitor).get_state().projects.items():
            if pipeline.stale:
                shown = ", ".join([repr(id)[:80] for id in pipeline.stale[:5]])
                problem = f"{len(pipeline.stale):,} tasks are in progress, and nothing is heard of them: {shown}"
                remedy = f"observatory swarm reset-stale --project {quoted(project)}"
                yield Finding(f"project {project}", problem, remedy)


HEALTH_CHECKS: dict[str, Callable[[Context], Check]] = {
    "mailbox-backlog": MailboxBacklog,
    "silent-agents": SilentAgents,
    "lanes": Lanes,
    "dead-letters": DeadLetters,
    "stale-tasks": StaleTasks,
}
"""By the names that they are registered under."""
