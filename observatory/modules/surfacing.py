"""What stands in the present context of agents."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from itertools import takewhile

from observatory.clock import Clock
from observatory.modules.reading import Reading
from observatory.traces import Surfaced

_MAX_AGENTS = 10_000
"""Agents of whom something is remembered: those of whom was heard last."""

_SLACK = 100
"""Messages that are remembered of an agent at most, beyond twice as many as it has unread."""


class Surfacing:
    """Remembers which messages stand there, for as long as they are unread.

    Traces say as well that a message was surfaced, but only of the latest of all agents, or of none.

    Args:
        mailbox: knows what is unread.
        clock: tells when a context begins.
    """

    def __init__(self, mailbox: Reading, clock: Clock) -> None:
        self._mailbox = mailbox
        self._clock = clock
        self._contexts: OrderedDict[str, tuple[datetime | None, dict[str, str]]] = OrderedDict()
        # by agent: since when, and by whom each message was put there, the latest at the end

    def begin(self, agent: str) -> None:
        """Note that an agent has a context in which nothing stands yet."""
        self._put(agent, self._clock.now(), {})

    def note(self, agent: str, ids: Iterable[str], by: str) -> None:
        """Note that messages were put there; what the agent does not have unread is passed over."""
        since, known = self._contexts.get(agent, (None, {}))
        for id in ids:
            if self._mailbox.is_unread(agent, id):
                known.setdefault(id, by)
        if len(known) > 2 * self._mailbox.unread_count(agent) + _SLACK:
            known = {id: who for id, who in known.items() if self._mailbox.is_unread(agent, id)}
        self._put(agent, since, known)

    def get(self, agent: str, *, not_by: str | None, after: str | None) -> Surfaced:
        """Return what stands there."""
        since, known = self._contexts.get(agent, (None, {}))
        later = reversed(known) if after not in known else takewhile(lambda id: id != after, reversed(known))
        ids = tuple([id for id in later if known[id] != not_by][::-1])
        return Surfaced(since, ids, next(reversed(known), None))

    def _put(self, agent: str, since: datetime | None, known: dict[str, str]) -> None:
        self._contexts[agent] = since, known
        self._contexts.move_to_end(agent)
        if len(self._contexts) > _MAX_AGENTS:
            self._contexts.popitem(last=False)
