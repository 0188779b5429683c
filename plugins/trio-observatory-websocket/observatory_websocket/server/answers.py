"""Answers that are more than a value of the library: bounded lists, digests, what a subscription begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import attrs
import orjson

from observatory import DeadLetter, InvalidInputError, Mailbox, MailboxStats, MailboxTotals, Message, Note

T = TypeVar("T")

_MAX_PAGE = 1024 * 1024
"""Characters of texts and metadata in one page, if there is more than one item in it."""

_MAX_ITEMS = 10_000
"""Messages, or other items, in one page."""

_MAX_UNREAD = 1_000
"""Unread messages that a check looks at."""


@attrs.frozen
class Page:
    """Some of an agent's messages."""

    messages: Sequence[Message]
    """Newest first; of those that were acknowledged, in the order given."""
    more: bool
    """Whether others follow: ask for those before the last one, or acknowledge those behind it again."""


@attrs.frozen
class NotePage:
    """Some of the notes."""

    notes: Sequence[Note]
    """By key."""
    more: bool
    """Whether others follow: ask for those after the last key."""


@attrs.frozen
class LetterPage:
    """Some of the dead letters."""

    letters: Sequence[DeadLetter]
    """Oldest first."""
    more: bool
    """Whether newer ones follow: ask for those after the last one, by its `channel:id`."""


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
class Figures:
    """Figures of mailboxes."""

    mailboxes: Mapping[str, MailboxStats]
    """By agent, in the order of names."""
    totals: MailboxTotals
    """Of all together."""
    more: bool
    """Whether others follow: ask for those after the last name."""


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
    most = min(limit, _MAX_ITEMS)
    # One more tells whether there are more.
    found = mailbox.get_messages(agent, limit=most + (limit >= 0), before=before, unread_only=unread_only)
    page = _first_of(found[:most], _size_of)
    return Page(page, len(page) < len(found))


def acknowledged(messages: Sequence[Message]) -> Page:
    """Return the first of the messages that were acknowledged."""
    page = _first_of(messages, _size_of)
    return Page(page, len(page) < len(messages))


def notes_of(notes: Sequence[Note], after: str) -> NotePage:
    """Return the first notes after a key. By key, since one that is written anew meanwhile keeps its place there."""
    found = sorted([note for note in notes if note.key > after], key=lambda note: note.key)
    page = _first_of(found, lambda note: len(note.text))
    return NotePage(page, len(page) < len(found))


def letters_of(letters: Sequence[DeadLetter], after: str | None) -> LetterPage:
    """Return the oldest dead letters, or those that follow one.

    Raises:
        InvalidInputError: there is no such one.
    """
    if after is not None:
        names = [f"{letter.channel}:{letter.message.id}" for letter in letters]
        if after not in names:
            raise InvalidInputError("params.after", f"{after!r:.80} is no dead letter any more; begin without it")
        letters = letters[names.index(after) + 1 :]
    page = _first_of(letters, lambda letter: _size_of(letter.message) + len(letter.error))
    return LetterPage(page, len(page) < len(letters))


def figures_of(boxes: Mapping[str, MailboxStats], totals: MailboxTotals, after: str) -> Figures:
    """Return the figures of the first mailboxes after a name."""
    names = sorted([name for name in boxes if name > after])
    page = _first_of(names, len)
    return Figures({name: boxes[name] for name in page}, totals, len(page) < len(names))


def check_of(mailbox: Mailbox, agent: str, *, max_chars: int) -> Check:
    """Return an agent's unread messages within so many characters.

    Raises:
        InvalidInputError: an argument is not allowed.
    """
    if max_chars < 0:
        raise InvalidInputError("params.max_chars", f"expected an integer of at least 0, got {max_chars}")
    max_chars = min(max_chars, _MAX_PAGE)
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


def _first_of(items: Sequence[T], size: Callable[[T], int]) -> list[T]:
    """Return the first items, as many as an answer holds; at least one, if there is one."""
    page: list[T] = []
    room = _MAX_PAGE
    for item in items[:_MAX_ITEMS]:
        room -= size(item)
        if page and room < 0:
            break
        page.append(item)
    return page


def _size_of(message: Message) -> int:
    """Return the characters of a message's content, and bytes of its metadata."""
    return len(message.content) + (len(orjson.dumps(message.metadata)) if message.metadata else 0)
