"""A register of agents whose time the test says, and what it hears."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from observatory import Member, Message, PresenceSettings, PresenceUpdate, Team
from observatory.presence.register import Register

START = datetime(2026, 1, 1, tzinfo=UTC)


class Known(Register):
    """A register whose time the test says, and which counts how often there was news."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(PresenceSettings(**settings), self._count, lambda: self.second)
        self.told = 0
        self.second = 0

    def _count(self) -> None:
        self.told += 1

    def update(self, at: datetime) -> PresenceUpdate:
        """Return what has changed, as one update."""
        updates = list(self.updates(at))
        return updates[0] if updates else PresenceUpdate()


def message(from_: str, to: str, at: datetime = START) -> Message:
    """Return a message."""
    return Message("0" * 16, from_, to, "hello", at)


def team(name: str, *members: str, archived: bool = False) -> Team:
    """Return a team."""
    return Team(name, tuple(Member(one, f"{one}@{name}", None, None) for one in members), archived)
