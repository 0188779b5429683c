"""The agents that are known, and what has changed of them since that was told."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from observatory.arguments import is_name
from observatory.messages import Message
from observatory.presence.names import letters_of, nearest
from observatory.presence.values import Agent, PresenceUpdate, Source, Status
from observatory.settings import PresenceSettings
from observatory.swarm.values import Team

AT_ONCE = 200
"""Changes that are told in one update."""

_SOUGHT = 20
"""Names that are looked for in a second: each takes as long as many messages."""

_REMEMBERED = 10_000
"""Recipients of whom it is remembered whether they are known, or which names are near."""

_TICK = timedelta(seconds=1)
"""Between two looks at all agents, at the least."""


class _Entry:
    __slots__ = ("ended", "joined", "kept", "letters", "quiet", "seen", "sources", "teams", "told")

    def __init__(self, name: str, joined: datetime) -> None:
        self.joined = joined
        self.letters = letters_of(name)
        self.seen: datetime | None = None
        self.ended: datetime | None = None  # when it has said that it ends
        self.kept = 0  # connections, leases and so on, by which one sees that it is there
        self.sources: tuple[Source, ...] = ()
        self.teams: tuple[str, ...] = ()
        self.told: Agent | None = None  # as it was told of last
        self.quiet = True  # it was not told that it is active: hearing of it is news

    @property
    def since(self) -> datetime:
        return self.seen or self.joined


class Register:
    """The agents that are known.

    Args:
        settings: how long they are active and there, and how many there may be.
        news: called when there is something to be told at once.
        second: returns which second it is, of a clock that only goes forward.
    """

    def __init__(self, settings: PresenceSettings, news: Callable[[], None], second: Callable[[], int]) -> None:
        self._idle_after = timedelta(seconds=settings.idle_after)
        self._gone_after = timedelta(seconds=settings.gone_after)
        self._most = settings.max_agents
        self._news = news
        self._entries: dict[str, _Entry] = {}
        self._aliases: dict[str, str] = {}  # names of members within their teams, and what they are called elsewhere
        self._teams: Sequence[Team] = ()
        self._changed: dict[str, None] = {}
        self._forgotten: list[str] = []
        self._due: datetime | None = None  # when time alone may have changed something
        self._steady: dict[str, _Entry] = {}  # who is told to be active and to send: one more message is no news
        self._answers: dict[str, tuple[str, ...] | None] = {}  # which names are near one; None for one that is known
        self._second = second
        self._sought = 0, 0  # in which second how many names were looked for

    def note(self, message: Message) -> tuple[str, ...] | None:
        """Hear of somebody who sends; two look-ups in most cases, since every message comes here.

        Returns:
            Known names that are near the recipient's, the nearest first, if nobody has heard of that; else None.
        """
        try:
            self._steady[message.from_].seen = message.timestamp
        except KeyError:
            self.hear(message.from_, "message", message.timestamp)
        try:
            return self._answers[message.to]
        except KeyError:
            return self._answer(message.to)

    def hear(self, name: str, source: Source, at: datetime) -> None:
        """Hear of an agent."""
        entry = self._entries.get(name) or self._add(name, at)
        if entry.seen is None or at > entry.seen:
            entry.seen = at
        if entry.ended is not None and at >= entry.ended:
            entry.ended = None
        if source not in entry.sources:
            entry.sources += (source,)
            self._tell(name)
        if entry.quiet:
            entry.quiet = False
            self._tell(name)

    def keep(self, name: str, source: Source, at: datetime) -> None:
        """Hear of an agent that is there until it is let go."""
        self.hear(name, source, at)
        self._entries[name].kept += 1

    def let_go(self, name: str, at: datetime | None = None) -> None:
        """Take back one `keep`; with a time the agent was seen until then, unless it has said that it ends."""
        entry = self._entries[name]
        entry.kept -= 1
        if at is not None and entry.ended is None:
            entry.seen = at
        if entry.quiet:
            self._tell(name)

    def end(self, name: str, at: datetime) -> None:
        """Hear that an agent ends; it is gone unless it is kept, or heard of after that."""
        self.hear(name, "event", at)
        entry = self._entries[name]
        entry.ended = entry.seen
        entry.quiet = True
        self._steady.pop(name, None)
        self._tell(name)

    def set_teams(self, teams: Sequence[Team], at: datetime) -> None:
        """Take over who is in which team; those that were put aside do not count."""
        if teams == self._teams:
            return
        self._teams = teams
        found: dict[str, list[str]] = {}
        room = self._most - self._most // 10  # the rest is for others
        self._aliases = {}
        for team, member in [(one, member) for one in teams if not one.archived for member in one.members]:
            if is_name(member.agent) and (len(found) < room or member.agent in found):
                found.setdefault(member.agent, []).append(team.name)
                if is_name(member.name) and len(self._aliases) < room:
                    self._aliases[member.name] = member.agent
        for name in found.keys() - self._entries.keys():
            self._add(name, at).teams = tuple(found[name])  # at once: who is in a team does not make room
        for name, entry in list(self._entries.items()):
            before, entry.teams = entry.teams, tuple(found.get(name, ()))
            if not entry.teams and entry.seen is None:
                self._forget(name)
            elif entry.teams != before:
                self._tell(name)
        self._answers.clear()

    def __contains__(self, name: str) -> bool:
        return name in self._entries or name in self._aliases

    def agents(self, now: datetime, after: str = "", limit: int | None = None) -> list[Agent]:
        """Return the agents by name, those behind one, and at most so many."""
        names = sorted([name for name in self._entries if name > after])[:limit]
        return [self._shown(name, self._entries[name], now) for name in names]

    def agent(self, name: str, now: datetime) -> Agent | None:
        """Return an agent; None when nobody has heard of it."""
        entry = self._entries.get(name)
        return None if entry is None else self._shown(name, entry, now)

    def updates(self, now: datetime) -> Iterator[PresenceUpdate]:
        """Return what has changed and was not told."""
        if self._due is not None and now >= self._due:
            self._look(now)
        changes: list[tuple[str, Any]] = [("forgotten", name) for name in self._forgotten]
        self._forgotten.clear()
        for name in [name for name in self._changed if name in self._entries]:
            entry = self._entries[name]
            agent, before = self._shown(name, entry, now), entry.told
            entry.told, entry.quiet = agent, agent.status != "active"
            if entry.quiet or "message" not in entry.sources:
                self._steady.pop(name, None)
            else:
                self._steady[name] = entry
            self._be_due(entry, agent.status)
            kind = _kind_of(before, agent)
            if kind is not None:
                changes.append((kind, agent))
        self._changed.clear()
        for start in range(0, len(changes), AT_ONCE):
            fields: dict[str, list[Any]] = {}
            for kind, change in changes[start : start + AT_ONCE]:
                fields.setdefault(kind, []).append(change)
            yield PresenceUpdate(**{kind: tuple(some) for kind, some in fields.items()})

    def seconds_left(self, now: datetime) -> float:
        """Return after how many seconds time alone may have changed something."""
        return float("inf") if self._due is None else (self._due - now).total_seconds()

    def _look(self, now: datetime) -> None:
        """Find those whose status time has changed; the next look is when it may do so again."""
        self._due = None
        for name, entry in self._entries.items():
            status = self._status(entry, now)
            if entry.told is not None and entry.told.status != status:
                self._changed[name] = None
            self._be_due(entry, status)
        if self._due is not None:
            self._due = max(self._due, now + _TICK)

    def _be_due(self, entry: _Entry, status: Status) -> None:
        """See to it that the agents are looked at when the status of this one may change."""
        if status == "gone" or (status == "idle" and entry.kept):
            return
        due = entry.since + (self._idle_after if status == "active" else self._gone_after)
        if self._due is None or due < self._due:
            self._due = due

    def _status(self, entry: _Entry, now: datetime) -> Status:
        return status_of(
            now - entry.since,
            self._idle_after,
            self._gone_after,
            heard=entry.seen is not None,
            ended=entry.ended is not None,
            kept=entry.kept > 0,
        )

    def _shown(self, name: str, entry: _Entry, now: datetime) -> Agent:
        sources: tuple[Source, ...] = ("team", *entry.sources) if entry.teams else entry.sources
        return Agent(name, self._status(entry, now), entry.seen, entry.joined, sources, entry.teams)

    def _tell(self, name: str) -> None:
        self._changed[name] = None
        self._news()

    def _add(self, name: str, at: datetime) -> _Entry:
        if len(self._entries) >= self._most:
            self._make_room()
        entry = self._entries[name] = _Entry(name, at)
        self._answers.clear()
        self._tell(name)
        return entry

    def _make_room(self) -> None:
        """Forget a tenth of the agents: those not heard of for longest, but none that is kept, or in a team."""
        others = [(entry.since, name) for name, entry in self._entries.items() if not entry.kept and not entry.teams]
        for _, name in heapq.nsmallest(max(self._most // 10, 1), others):
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._steady.pop(name, None)
        self._changed.pop(name, None)
        if self._entries.pop(name).told is not None:
            self._forgotten.append(name)
            self._news()
        self._answers.clear()

    def _answer(self, name: str) -> tuple[str, ...] | None:
        """Find which names are near one; beyond a number of those in a second none is looked for."""
        near: tuple[str, ...] | None = None
        if name not in self:
            second, (then, sought) = self._second(), self._sought
            self._sought = second, sought + 1 if second == then else 1
            if self._sought[1] > _SOUGHT:
                return ()
            near = self._nearest(name)
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        self._answers[name] = near
        return near

    def _nearest(self, name: str) -> tuple[str, ...]:
        aliases = {alias: letters_of(alias) for alias in self._aliases if alias not in self._entries}
        letters = {known: entry.letters for known, entry in self._entries.items()}
        found = [self._aliases[one] if one in aliases else one for one in nearest(name, letters | aliases)]
        return tuple(dict.fromkeys(found))


def status_of(
    silence: timedelta, idle_after: timedelta, gone_after: timedelta, *, heard: bool, ended: bool, kept: bool
) -> Status:
    """Return whether an agent is there.

    Args:
        silence: for how long nothing was heard of it.
        idle_after: after which silence it is idle.
        gone_after: after which it is gone.
        heard: whether anything was ever heard of it itself.
        ended: whether the last thing was that it ends.
        kept: whether one sees that it is there.
    """
    if heard and not ended and silence < idle_after:
        return "active"
    return "idle" if kept or (not ended and silence < gone_after) else "gone"


def _kind_of(before: Agent | None, now: Agent) -> str | None:
    """Return what it is to have been like that before and to be like this now; None when there is nothing to tell."""
    was_there = before is not None and before.status != "gone"
    if now.status == "gone":
        return "left" if was_there else None
    if before is None or not was_there:
        return "joined"
    return "changed" if _told(before) != _told(now) else None


def _told(agent: Agent) -> tuple[object, ...]:
    return agent.status, agent.sources, agent.teams
