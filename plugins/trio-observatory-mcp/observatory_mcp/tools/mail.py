"""Tools for an agent's own mail."""

from __future__ import annotations

import sys

import trio

from observatory import InvalidInputError, Message
from observatory_mcp.desk import Call, Desk
from observatory_mcp.tools.texts import heading_of, mail_of, size_of
from observatory_mcp.values import Acknowledged, Arrival, Heading, Inbox, Mail
from observatory_mcp.wrapping import NOTICE

_PAGE = 100
"""Messages that are asked for at a time."""
_ENVELOPE = 100
"""Characters that a message has at least, as it is told."""
_HEADINGS = 50
"""Messages in a digest at most."""
_BETWEEN = 5.0
"""Seconds between two reports of progress."""


async def check_inbox(
    session_id: str | None = None, max_chars: int | None = None, again: bool = False, *, call: Call
) -> Inbox:
    """Return your unread messages, newest first, each with its text once: not those that hooks brought you whole.

    As many texts as `max_chars` allows; of the others a digest, and their texts with the next calls. `unread` counts
    also those that you were shown before. Acknowledge what you have dealt with, so that it is not unread any more.

    Args:
        session_id: Whose mailbox; only your own can be read, which it is when this is left out.
        max_chars: How many characters of text at most, 200 to 1,048,576.
        again: Also messages whose text you were shown before.
    """
    desk = call.desk
    desk.check_own(session_id)
    room = desk.room(max_chars)
    await desk.catch_up()  # also when asked again: it has to be known which context that is shown in
    mark = desk.shown.mark()
    inbox, is_all = await _look(desk, room=room, again=again)
    await desk.note_shown([mail.id for mail in inbox.messages])
    if is_all:
        desk.shown.settle(mark)
    return inbox


async def unread_of(desk: Desk, *, room: int) -> Inbox:
    """Return unread messages, newest first, as far as there is room: those that were shown before as well."""
    inbox, _ = await _look(desk, room=room, again=True)
    return inbox


async def _look(desk: Desk, *, room: int, again: bool) -> tuple[Inbox, bool]:
    """Return unread messages that were not shown, or all; and whether those are all, with their texts."""
    mails: list[Mail] = []
    digest: list[Heading] = []
    count = await desk.client.mailbox.unread_count(desk.agent)
    found, is_all = await _unread(desk, again=again, at_most=room // _ENVELOPE + _HEADINGS)
    for message in found:
        if not again and message.id in desk.shown:  # by another call, while this one waited for more of them
            continue
        mail = None if digest else mail_of(message, at_most=room)
        if mail and (not mails or (not mail.truncated and size_of(mail) <= room)):
            mails.append(mail)
            room = max(0, room - size_of(mail))
        elif len(digest) < _HEADINGS:
            digest.append(heading_of(message))
    return Inbox(desk.agent, NOTICE, tuple(mails), tuple(digest), count), is_all and not digest


async def _unread(desk: Desk, *, again: bool, at_most: int) -> tuple[list[Message], bool]:
    """Return unread messages, newest first: those that were not shown, or all; some more than asked for, perhaps.

    The second value is whether there are no others.
    """
    found: list[Message] = []
    before: str | None = None
    while len(found) < at_most:
        page = await desk.client.mailbox.get_messages(desk.agent, limit=_PAGE, before=before, unread_only=True)
        for message in page:
            if again or message.id not in desk.shown:
                found.append(message)
            elif desk.shown.is_settled(message.id):
                return found, True
        if len(page) < _PAGE:
            return found, True
        before = page[-1].id
    return found, False


async def acknowledge_message(message_ids: list[str], *, call: Call) -> Acknowledged:
    """Mark messages of yours as read; they are not returned as unread any more, and their files go.

    Args:
        message_ids: Their ids, as `check_inbox` returns them.
    """
    await call.desk.client.mailbox.mark_read(call.desk.agent, *message_ids)
    return Acknowledged(tuple(message_ids))


async def wait_for_message(max_seconds: float = 60.0, *, call: Call) -> Arrival:
    """Wait for the oldest unread message of yours whose text you were not shown yet, by a tool or a hook.

    How many are unread in all says `check_inbox`. It can be cancelled at any time, and nothing is lost then.

    Args:
        max_seconds: When none comes for so long, the result has none; at most 3600.
    """
    if not 0 <= max_seconds <= 3600:
        raise InvalidInputError("max_seconds", f"expected 0 to 3600, got {max_seconds:g}")
    desk, message, start = call.desk, None, trio.current_time()
    with trio.move_on_after(max_seconds):
        await desk.catch_up()
        while True:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_report, call, start)
                message = await _next(desk)
                nursery.cancel_scope.cancel()
            await desk.catch_up()
            if message.id not in desk.shown:  # by a hook meanwhile, or another call that has waited for the same one
                break
    if message is None or message.id in desk.shown:
        return Arrival(NOTICE, None)
    await desk.note_shown([message.id])
    return Arrival(NOTICE, mail_of(message, at_most=desk.settings.max_chars))


async def _next(desk: Desk) -> Message:
    """Wait for the oldest unread message that was not shown, as far as is known here."""
    mailbox = desk.client.mailbox
    message = await mailbox.receive(desk.agent)
    while message.id in desk.shown:  # and others may be: they are looked through a page at a time
        mark = desk.shown.mark()
        newest = await mailbox.get_messages(desk.agent, limit=1, unread_only=True)
        fresh, _ = await _unread(desk, again=False, at_most=sys.maxsize)
        if fresh:
            return fresh[-1]
        desk.shown.settle(mark)
        message = await mailbox.receive(desk.agent, after=newest[0].id if newest else None)
    return message


async def _report(call: Call, start: float) -> None:
    while True:
        await call.report(trio.current_time() - start, "no message yet")
        await trio.sleep(_BETWEEN)
