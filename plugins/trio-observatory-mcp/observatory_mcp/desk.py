"""Where an agent's requests are answered: who it is, what it can reach, and what it was told already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import attrs

from observatory import Client, ForbiddenError, InvalidInputError, Surfaced
from observatory_mcp.news import News
from observatory_mcp.settings import McpSettings
from observatory_mcp.shown import Shown

Report: TypeAlias = Callable[[float, str], Awaitable[None]]
"""Tells whoever waits how far it is: a number that grows, and words."""

_LEAST, _MOST = 200, 1_048_576
"""Characters for which one may ask."""

_NAME = "mcp"
"""By whom messages are surfaced here."""


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
        shown: the messages whose text it was given.
    """

    def __init__(self, *, client: Client, agent: str, settings: McpSettings, project: str | None = None) -> None:
        self.client = client
        self.agent = agent
        self.settings = settings
        self.project = project
        self.news = News(client, agent)
        self.busy = 0
        self.shown = Shown()
        self._context: datetime | None = None
        self._latest: str | None = None

    async def catch_up(self) -> None:
        """Learn what others, such as hooks, have put into the agent's context since this was asked last.

        In a context that has begun since then nothing of what was shown before stands any more.
        """
        brought = await self._brought()
        if brought.since != self._context:
            self._context, self._latest = brought.since, None  # the latest one may stand at another place there
            if brought.since is not None:  # else the service is another one, and knows less than is known here
                self.shown.clear()
            brought = await self._brought()
        self._latest = brought.latest
        self.shown.add(brought.ids)

    async def note_shown(self, ids: Sequence[str]) -> None:
        """Note that it was given those, here and in their traces; nothing, where whoever asked has gone meanwhile."""
        fresh = self.shown.add(ids)  # at once: another call may be about to return them
        try:
            if ids:
                await self.client.traces.note_surfaced(ids, _NAME)
        except BaseException:
            self.shown.take_back(fresh)
            raise

    def room(self, max_chars: int | None) -> int:
        """Return how many characters of others a result may have.

        Args:
            max_chars: what is asked for; None for as many as the settings say.

        Raises:
            InvalidInputError: it is too few, or more than the longest text has.
        """
        if max_chars is not None and not _LEAST <= max_chars <= _MOST:
            raise InvalidInputError("max_chars", f"expected {_LEAST} to {_MOST:,}, got {max_chars}")
        return max_chars or self.settings.max_chars

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

    async def _brought(self) -> Surfaced:
        return await self.client.traces.get_surfaced(self.agent, not_by=_NAME, after=self._latest)


@attrs.frozen
class Call:
    """One call of a tool."""

    desk: Desk
    """Whose."""
    report: Report
    """Tells whoever waits how far it is."""
