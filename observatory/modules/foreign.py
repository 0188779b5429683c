"""What other processes do on the same root: a delivery channel that watches tells of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar

from observatory.delivery.dead_letters import EXPIRED, DeadLetters
from observatory.delivery.parcel import Parcel
from observatory.entries import Entry, Read
from observatory.errors import InvalidInputError, MailboxFullError
from observatory.jobs import Post
from observatory.messages import Message, MessagesRead
from observatory.modules.box import Entry as TableEntry
from observatory.modules.checks import size_of
from observatory.modules.request import Office, Request
from observatory.modules.table import Table

_log = logging.getLogger("observatory.mailbox")


class AdoptForeign(Request[int]):
    """Take messages in that another process has delivered; answered with how many had no room or were not allowed.

    They go to the delivery channels that keep nothing: those that do are where they come from.
    """

    rank: ClassVar[int] = 4

    def __init__(self, messages: Sequence[Message], origin: str, now: datetime, letters: DeadLetters) -> None:
        self._now = now
        self._letters = letters
        self.unwanted: list[tuple[str, str]] = []
        """Recipient and id of what was acknowledged, or has expired: somebody has written it again."""
        self._messages = messages
        self._origin = origin
        self._found: list[tuple[Message, int, list[TableEntry]]] = []
        self._left_behind = 0

    def weight(self, table: Table) -> int:
        return len(self._messages)

    def plan(self, table: Table) -> Sequence[Entry]:
        log: list[Entry] = []
        for message in self._messages:
            key = message.to, message.id
            if key in table.beyond:
                continue  # storage knows it already
            if table.holds(*key) or self._letters.holds(EXPIRED, message.id) or table.leaving.holds(*key):
                if table.find_unread(*key) is None and key not in table.arriving:
                    self.unwanted.append(key)
                continue
            try:
                size = size_of(message)
                evicted = table.make_room(message.to, size)
            except (MailboxFullError, InvalidInputError) as error:
                self._left_behind += 1
                _log.warning("message %r of %r is left where it is: %s", message.id, message.to, error)
                continue
            self._found.append((message, size, evicted))
            table.arriving.add(key)
            if evicted:
                log += table.leaving.departing(message.to, evicted)
            log.append(message)
        if not self._found:
            self.answer(self._left_behind)
        return log

    def undo(self, table: Table) -> None:
        for message, size, evicted in reversed(self._found):
            table.arriving.discard((message.to, message.id))
            table.undo(message.to, size, evicted)

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        parcels: list[Parcel] = []
        for message, size, evicted in self._found:
            if evicted:
                office.table.remove(message.to, evicted)
            number = next(numbers)
            office.table.arriving.discard((message.to, message.id))
            entry = office.table.add(message, number, size, now=self._now)
            office.announce(entry, self._origin)
            parcels.append(Parcel(Post(message, number), {}, wanted=entry))
        office.dispatcher.offer_live(parcels)
        self.answer(self._left_behind)
        return ()


class Taken(Request[None]):
    """Acknowledge messages that their recipient has taken from where they had been delivered."""

    rank: ClassVar[int] = 1

    def __init__(self, agent: str, ids: Sequence[str]) -> None:
        self._agent = agent
        self._ids = ids
        self._entries: list[TableEntry] = []

    def weight(self, table: Table) -> int:
        return len(self._ids)

    def plan(self, table: Table) -> Sequence[Entry]:
        box = table.mailboxes.get(self._agent)
        found = [box.by_id[id] for id in dict.fromkeys(self._ids) if id in box.by_id] if box else []
        self._entries = [entry for entry in found if entry.live]
        if not self._entries:
            self.answer(None)
            return ()
        return (Read(self._agent, tuple(entry.sequence for entry in self._entries)),)

    def undo(self, table: Table) -> None:
        pass

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        entries = [entry for entry in self._entries if entry.live]  # two of one batch may name the same
        mailbox = office.table.mailboxes[self._agent]
        for entry in entries:
            mailbox.mark_read(entry)
        ids = tuple(entry.message.id for entry in entries)
        if ids:
            office.tell(MessagesRead(self._agent, ids), ids, "acknowledged")
        self.answer(None)
        return office.retract(self._agent, ids)
