"""Answers that are more than a value of the library: bounded lists, digests, what a subscription begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
import orjson

from observatory import InvalidInputError, Mailbox, MailboxStats, MailboxTotals, Message

_MAX_PAGE = 1024 * 1024
"""Characters of content and metadata in one page, if there is more than one message in it."""

_MAX_MESSAGES = 10_000
"""Messages in one page."""

_MAX_UNREAD = 1_000
"""Unread messages that a check looks at."""


@attrs.frozen
class Page:
    """Some of an agent's messages."""

    messages: Sequence[Message]
    """Newest first."""
    more: bool
    """Whether older ones follow: ask for those before the last one."""


@attrs.frozen
class Line:
    """What is told of a message whose content did not fit."""

    id: str
    """Its id."""
    from_: str
    """Who sent it."""
    type: str
    """What kind of message it is."""
    timestamp: datetime
    """When it was accepted."""
    chars: int
    """Characters of its content."""


@attrs.frozen
class Check:
    """An agent's unread messages, within so many characters."""

    unread: int
    """How many there are."""
    messages: Sequence[Message]
    """Whole messages, newest first."""
    digest: Sequence[Line]
    """The others, newest first."""
    omitted: int
    """Unread messages of which not even a line is here: the oldest."""


@attrs.frozen
class MailboxFigures:
    """Figures of mailboxes."""

    mailboxes: Mapping[str, MailboxStats]
    """By agent."""
    totals: MailboxTotals
    """Of all together."""


@attrs.frozen
class Subscribed:
    """How a subscription begins."""

    topic: str
    """The topic or pattern."""
    epoch: str
    """Changes at every start; numbers of different epochs do not compare."""
    newest: int
    """The last number of the topic, or for a pattern the last position, before what follows; 0 when there is none."""
    snapshot: Any = None
    """The state at that moment, if it was asked for."""


def page_of(mailbox: Mailbox, agent: str, *, limit: int, before: str | None, unread_only: bool) -> Page:
    """Return the newest messages that fit into an answer; at least one, if there is one.

    Raises:
        InvalidInputError, UnknownMessageError: as `Mailbox.get_messages` does.
    """
    most = min(limit, _MAX_MESSAGES)
    # One more tells whether there are more.
    found = mailbox.get_messages(agent, limit=most + (limit >= 0), before=before, unread_only=unread_only)
    page: list[Message] = []
    room = _MAX_PAGE
    for message in found[:most]:
        room -= _size_of(message)
        if page and room < 0:
            break
        page.append(message)
    return Page(page, len(page) < len(found))


def check_of(mailbox: Mailbox, agent: str, *, max_chars: int) -> Check:
    """Return an agent's unread messages within so many characters.

    Raises:
        InvalidInputError: an argument is not allowed.
    """
    if max_chars < 0:
        raise InvalidInputError("params.max_chars", f"expected an integer of at least 0, got {max_chars}")
    found = mailbox.get_messages(agent, limit=_MAX_UNREAD, unread_only=True)
    messages: list[Message] = []
    digest: list[Line] = []
    for message in found:
        if not digest and _size_of(message) <= max_chars:
            max_chars -= _size_of(message)
            messages.append(message)
        else:
            digest.append(Line(message.id, message.from_, message.type, message.timestamp, len(message.content)))
    unread = mailbox.unread_count(agent)
    return Check(unread, messages, digest, unread - len(found))


def _size_of(message: Message) -> int:
    """Return the characters of a message's content, and bytes of its metadata."""
    return len(message.content) + (len(orjson.dumps(message.metadata)) if message.metadata else 0)
