"""Whether anybody has heard of those whom messages are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from observatory.errors import ObservatoryError, UnknownRecipientError
from observatory.messages import Message
from observatory.settings import MailboxSettings

if TYPE_CHECKING:
    from observatory.modules.presence import Presence

Nearest: TypeAlias = tuple[str, ...] | None
"""None of a recipient who is known; else known names that are near."""


class Recipients:
    """Knows recipients, and hears of senders.

    Args:
        presence: knows of whom was heard.
        settings: whether others are refused.
    """

    def __init__(self, presence: Presence, settings: MailboxSettings) -> None:
        self.note = presence.known.note
        """Hear of a message's sender, and return what `Nearest` says of its recipient."""
        self.looks = presence.looks
        """Whether `look` may find somebody."""
        self._presence = presence
        self._refuses = settings.unknown_recipients == "refuse"

    async def look(self) -> None:
        """Look who is in a team, unless that was done a moment ago: then this takes no turn of the run loop."""
        if self._presence.looked_long_ago:
            await self._presence.look_at_teams()

    def admit(self, message: Message, nearest: Nearest) -> None:
        """Refuse a message for somebody who is not known, where the settings say so.

        Raises:
            UnknownRecipientError: that is so.
        """
        if nearest is not None and self._refuses:
            raise UnknownRecipientError(message.to, nearest)

    def addressed(
        self, outcome: tuple[Message, int] | ObservatoryError
    ) -> tuple[Message, int, Nearest] | ObservatoryError:
        """Note one message of many, unless there is an error in its place; return the error where it is refused."""
        if isinstance(outcome, ObservatoryError):
            return outcome
        message, size = outcome
        nearest = self.note(message)
        try:
            self.admit(message, nearest)
        except UnknownRecipientError as error:
            return error
        return message, size, nearest
