"""Where an agent's requests are answered: who it is, what it can reach, and what it was told already."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import attrs

from observatory import Client, ForbiddenError
from observatory_mcp.news import News
from observatory_mcp.settings import McpSettings

Report: TypeAlias = Callable[[float, str], Awaitable[None]]
"""Tells whoever waits how far it is: a number that grows, and words."""

_REMEMBERED = 10_000
"""Messages of which it is known that they were shown; a mailbox holds as many."""


class Desk:
    """One agent's.

    Args:
        client: of the Observatory.
        agent: who it is; every tool acts as this one.
        settings: bounds.
        project: whose tasks are meant where none is named.

    Attributes:
        client: of the Observatory.
        agent: who it is.
        settings: bounds.
        project: whose tasks are meant where none is named.
        news: tells of changes.
        busy: how many requests are being answered.
    """

    def __init__(self, *, client: Client, agent: str, settings: McpSettings, project: str | None = None) -> None:
        self.client = client
        self.agent = agent
        self.settings = settings
        self.project = project
        self.news = News(client, agent)
        self.busy = 0
        self._shown: OrderedDict[str, None] = OrderedDict()

    def was_shown(self, id: str) -> bool:
        """Tell whether the agent was given a message's text."""
        return id in self._shown

    async def note_shown(self, ids: Sequence[str]) -> None:
        """Note that it was given those, here and in their traces; nothing, where whoever asked has gone meanwhile."""
        fresh = [id for id in ids if id not in self._shown]
        self._shown.update(dict.fromkeys(fresh))  # at once: another call may be about to return them
        try:
            if ids:
                await self.client.traces.note_surfaced(ids, "mcp")
        except BaseException:
            for id in fresh:
                self._shown.pop(id, None)
            raise
        while len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)

    def check_own(self, session: str | None) -> None:
        """Check that a mailbox is the agent's own.

        Raises:
            ForbiddenError: it is somebody else's.
        """
        if session is not None and session != self.agent:
            raise ForbiddenError(
                f"this connection is {self.agent!r}'s, which cannot read the mail of {session!r:.80}: "
                "leave session_id out"
            )


@attrs.frozen
class Call:
    """One call of a tool."""

    desk: Desk
    """Whose."""
    report: Report
    """Tells whoever waits how far it is."""
