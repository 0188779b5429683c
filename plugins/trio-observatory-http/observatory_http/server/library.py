"""What of the library can be asked for below `/api`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
import orjson

from observatory import (
    ClosedError,
    Context,
    Health,
    Identity,
    InvalidInputError,
    Mailbox,
    MailboxStats,
    MailboxTotals,
    Message,
    Note,
    Notes,
    Receipt,
    UnknownNameError,
)

T = TypeVar("T")

_AT_ONCE = 1_000
"""Messages in one answer, or ids of them in one request."""

_MAX_PAGE = 1024 * 1024
"""Characters in one answer, if there is more than one item in it."""

_SHOWN = 100
"""Keys of other notes that whoever asks for one that there is not is told."""


@attrs.frozen
class Messages:
    """Some messages."""

    messages: Sequence[Message]
    """Newest first; of those that were acknowledged, in the order given."""
    more: bool
    """Whether others follow: ask for those before the last one, or acknowledge those behind it again."""


@attrs.frozen
class NoteList:
    """Some notes."""

    notes: Sequence[Note]
    """By key."""
    more: bool
    """Whether others follow: ask for those after the last key."""


class Library:
    """The methods.

    Args:
        context: what the service was handed.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def _mailbox(self) -> Mailbox:
        return self._context.module(Mailbox)

    @property
    def _notes(self) -> Notes:
        return self._context.module(Notes)

    async def send(
        self,
        agent: str,
        content: str,
        from_: str | None = None,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        require: Sequence[str] = (),
        expires_in: float | None = None,
        idempotency_key: str | None = None,
        identity: Identity,
    ) -> Receipt:
        """Send an agent a message; `from` may be left out where the token names an agent."""
        if from_ is None and identity.name is None:
            raise InvalidInputError("params.from", "is missing, and the token names nobody")
        sender = from_ if from_ is not None else str(identity.name)
        identity.check_acts_as(sender)
        return await self._mailbox.send_message(
            agent,
            sender,
            content,
            type=type,
            metadata=metadata,
            require=require,
            expires_in=expires_in,
            idempotency_key=idempotency_key,
            verified=identity.verified,
        )

    def messages(
        self, agent: str, *, limit: int = 100, before: str | None = None, unread_only: bool = False
    ) -> Messages:
        """List an agent's messages, newest first, as many as an answer holds."""
        most = min(limit, _AT_ONCE)
        # One more tells whether there are more.
        found = self._mailbox.get_messages(agent, limit=most + (limit >= 0), before=before, unread_only=unread_only)
        page = _first_of(found[:most], _size_of)
        return Messages(page, len(page) < len(found))

    async def acknowledge(self, agent: str, ids: Sequence[str], *, identity: Identity) -> Messages:
        """Acknowledge up to 1,000 messages: they are read from now on, and delivery channels take them back."""
        identity.check_acts_as(agent)
        if len(ids) > _AT_ONCE:
            raise InvalidInputError("params.ids", f"has {len(ids):,}; at most {_AT_ONCE:,} are allowed in one request")
        found = await self._mailbox.mark_read(agent, *ids)
        page = _first_of(found, _size_of)
        return Messages(page, len(page) < len(found))

    async def clear(self, agent: str, *, identity: Identity) -> int:
        """Remove every message of a mailbox, unread ones included; return how many there were."""
        identity.check_acts_as(agent)
        return await self._mailbox.clear_messages(agent)

    def mailbox(self, agent: str) -> MailboxStats:
        """Return the figures of one mailbox."""
        return self._mailbox.agent_stats(agent)

    def mailboxes(self) -> MailboxTotals:
        """Return the figures of all mailboxes together."""
        return self._mailbox.statistics()

    async def add_note(self, key: str, text: str) -> Note:
        """Write the note of a key, over an earlier one."""
        return await self._notes.add_note(key, text)

    def get_note(self, key: str) -> Note:
        """Return the note of a key."""
        note = self._notes.get_note(key)
        if note is None:
            raise UnknownNameError("note", key, [one.key for one in self._notes.list_notes()[:_SHOWN]])
        return note

    def list_notes(self, *, after: str = "") -> NoteList:
        """List notes by key, as many as an answer holds."""
        # By key, since one that is written anew meanwhile keeps its place there.
        found = sorted([note for note in self._notes.list_notes() if note.key > after], key=lambda note: note.key)
        page = _first_of(found[:_AT_ONCE], lambda note: len(note.text))
        return NoteList(page, len(page) < len(found))

    async def delete_note(self, key: str) -> bool:
        """Delete the note of a key; return whether there was one."""
        return await self._notes.delete_note(key)

    def health(self) -> Health:
        """Return the state of every module, lane and service."""
        if self._context.observatory is None:
            raise ClosedError("no Observatory is open here")
        return self._context.observatory.health()


def _first_of(items: Sequence[T], size: Callable[[T], int]) -> list[T]:
    """Return the first items, as many as an answer holds; at least one, if there is one."""
    page: list[T] = []
    room = _MAX_PAGE
    for item in items:
        room -= size(item)
        if page and room < 0:
            break
        page.append(item)
    return page


def _size_of(message: Message) -> int:
    """Return the characters of a message's content, and bytes of its metadata."""
    return len(message.content) + (len(orjson.dumps(message.metadata)) if message.metadata else 0)
