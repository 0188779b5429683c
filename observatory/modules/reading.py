"""Reading the mailboxes: plain functions on the table, which never queue behind writes."""

from __future__ import annotations

import sys
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import trio

from observatory.arguments import check_name
from observatory.clock import Clock
from observatory.messages import MailboxStats, Message
from observatory.modules.arrivals import Arrivals
from observatory.modules.checks import check_id, check_limit
from observatory.modules.table import Table

if TYPE_CHECKING:
    from observatory.modules.presence import Presence


class Reading:
    """The part of the Mailbox that changes nothing.

    Args:
        table: what is read.
        arrivals: tells of new messages.
        clock: tells how old they are.
        presence: is told who waits.
    """

    def __init__(self, table: Table, arrivals: Arrivals, clock: Clock, presence: Presence) -> None:
        self._table = table
        self._arrivals = arrivals
        self._clock = clock
        self._presence = presence

    async def receive(self, agent: str, *, after: str | None = None) -> Message:
        """Wait for an agent's oldest unread message. It stays unread until it is acknowledged.

        Args:
            agent: whose mailbox.
            after: the id of a message in it: only what is newer counts. It need not stay there while this waits.

        Raises:
            InvalidInputError: an argument is not allowed.
            UnknownMessageError: the mailbox does not hold `after`.
            ClosedError: Observatory is closing and nothing is there.
        """
        check_name("agent", agent)
        if after is not None:
            check_id("after", after)
        await trio.lowlevel.checkpoint()
        self._presence.hear(agent, "message")
        message = self._table.next_unread(agent, after)
        if message is not None:
            return message
        number = self._table.newest(agent)
        with self._presence.staying(agent, "message"):
            while message is None:
                await self._arrivals.wait(agent)
                message = self._table.arrived_since(agent, number)
        return message

    def total_unread(self) -> int:
        """Return how many messages of all mailboxes are not acknowledged."""
        return sum([box.unread for box in self._table.mailboxes.values()])

    def get_messages(
        self, agent: str, *, limit: int = 100, before: str | None = None, unread_only: bool = False
    ) -> list[Message]:
        """Return an agent's messages, newest first.

        Args:
            agent: whose mailbox.
            limit: at most so many.
            before: the id of a message in it: only older ones.
            unread_only: leave out what was acknowledged.

        Raises:
            InvalidInputError: an argument is not allowed.
            UnknownMessageError: the mailbox does not hold `before`.
        """
        check_name("agent", agent)
        check_limit(limit)
        if before is not None:
            check_id("before", before)
        return list(islice(self._table.walk(agent, before, unread_only), min(limit, sys.maxsize)))

    def unread_count(self, agent: str) -> int:
        """Return how many of an agent's messages are not acknowledged.

        Raises:
            InvalidInputError: the name is not allowed.
        """
        check_name("agent", agent)
        mailbox = self._table.mailboxes.get(agent)
        return mailbox.unread if mailbox else 0

    def is_unread(self, agent: str, id: str) -> bool:
        """Tell whether an agent's mailbox holds a message that is not acknowledged.

        Raises:
            InvalidInputError: an argument is not allowed.
        """
        check_name("agent", agent)
        check_id("id", id)
        return self._table.find_unread(agent, id) is not None

    def agent_stats(self, agent: str) -> MailboxStats:
        """Return the figures of one mailbox.

        Raises:
            InvalidInputError: the name is not allowed.
        """
        check_name("agent", agent)
        mailbox = self._table.mailboxes.get(agent)
        return mailbox.stats(self._clock.now()) if mailbox else MailboxStats(0, 0, None)

    def get_stats(self) -> dict[str, MailboxStats]:
        """Return the figures of every mailbox that is not empty, by agent."""
        now = self._clock.now()
        return {agent: mailbox.stats(now) for agent, mailbox in self._table.mailboxes.items() if mailbox.by_id}

    def senders(self) -> dict[str, datetime]:
        """Return who has sent the messages that are held, or read one, and when of each was the latest."""
        latest: dict[str, datetime] = {}
        for owner, mailbox in self._table.mailboxes.items():
            read = [entry.since for entry in mailbox.by_id.values() if not entry.live]
            if read:
                latest[owner] = max([*read, *filter(None, [latest.get(owner)])])
            for entry in mailbox.by_id.values():
                name, at = entry.message.from_, entry.since
                if name not in latest or at > latest[name]:
                    latest[name] = at
        return latest
