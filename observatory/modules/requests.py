"""What the Mailbox's task is asked to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from observatory.delivery.dispatcher import Dispatcher
from observatory.delivery.parcel import Parcel
from observatory.errors import MailboxFullError, ObservatoryError, UnknownMessageError
from observatory.messages import (
    Cleared,
    Entry,
    Expired,
    MailboxCleared,
    Message,
    MessagesRead,
    Post,
    Read,
    Receipt,
    Retraction,
)
from observatory.modules.request import Office, Request
from observatory.modules.table import Entry as TableEntry
from observatory.modules.table import Table

T = TypeVar("T")


class Send(Request[list[Receipt | ObservatoryError]]):
    """Send messages, each to its recipient, in one commit."""

    __slots__ = ("_awaited", "_left", "_messages", "_planned", "_results")

    def __init__(self, messages: Sequence[tuple[Message, int]], awaited: frozenset[str]) -> None:
        super().__init__()
        self._messages = messages
        self._awaited = awaited
        self._results: list[Any] = [None] * len(messages)
        self._planned: list[tuple[int, list[TableEntry]]] = []
        self._left = 0

    def weight(self, table: Table) -> int:
        return len(self._messages)

    def plan(self, table: Table) -> Sequence[Entry]:
        log: list[Entry] = []
        for position, (message, size) in enumerate(self._messages):
            try:
                evicted = table.make_room(message.to, size)
            except MailboxFullError as error:
                self._results[position] = error
                continue
            self._planned.append((position, evicted))
            if evicted:
                log.append(Expired(message.to, tuple(entry.sequence for entry in evicted)))
            log.append(message)
        if not self._planned:
            self.answer(self._results)
        return log

    def undo(self, table: Table) -> None:
        for position, evicted in self._planned:
            message, size = self._messages[position]
            table.undo(message.to, size, evicted)

    def apply(self, office: Office, numbers: Iterator[int]) -> list[Parcel]:
        parcels: list[Parcel] = []
        dispatcher = office.dispatcher
        waiter = self if self._awaited else None
        self._left = len(self._planned) if waiter else 0
        for position, evicted in self._planned:
            message, size = self._messages[position]
            if evicted:
                office.table.remove(message.to, evicted)
            number = next(numbers)
            entry = office.table.add(message, number, size)
            deliveries = dispatcher.new_deliveries()
            self._results[position] = Receipt(message, number, office.durability, deliveries)
            if deliveries:
                parcels.append(Parcel(Post(message, number), deliveries, self._awaited, entry, waiter, position))
            office.publish(message.to, message, size)
        if waiter is None:
            self.answer(self._results)
        return parcels

    def settled(self, parcel: Parcel) -> None:
        """Take the first outcomes of one message; the receipt holds the parcel's deliveries."""
        self._left -= 1
        if not self._left:
            self.answer(self._results)


class _Retracting(Request[T]):
    """A request after which messages are taken back from the lanes; answered when the required ones have tried."""

    __slots__ = ("_left", "_result")

    def retract(self, agent: str, ids: Sequence[str], dispatcher: Dispatcher, result: T) -> list[Parcel]:
        """Return the jobs, and answer with `result` after their first outcomes."""
        self._result = result
        self._left = len(ids)
        if not ids or not dispatcher.required:
            self.answer(result)
        if not dispatcher.lanes:
            return []
        required = dispatcher.required
        return [Parcel(Retraction(agent, id), dispatcher.new_deliveries(), required, waiter=self) for id in ids]

    def settled(self, parcel: Parcel) -> None:
        """Take the first outcomes of one retraction."""
        self._left -= 1
        if not self._left:
            self.answer(self._result)


class Acknowledge(_Retracting[tuple[Message, ...]]):
    """Mark messages of one mailbox as read."""

    __slots__ = ("_agent", "_entries", "_ids")

    def __init__(self, agent: str, ids: Sequence[str]) -> None:
        super().__init__()
        self._agent = agent
        self._ids = ids
        self._entries: list[TableEntry] = []

    def weight(self, table: Table) -> int:
        return len(self._ids)

    def plan(self, table: Table) -> Sequence[Entry]:
        try:
            self._entries = [table.find(self._agent, message_id) for message_id in self._ids]
        except UnknownMessageError as error:
            self.fail(error)
            return ()
        unread = tuple(entry.sequence for entry in self._entries if entry.live)
        if not unread:
            self.answer(self._messages())
            return ()
        return (Read(self._agent, unread),)

    def undo(self, table: Table) -> None:
        pass

    def apply(self, office: Office, numbers: Iterator[int]) -> list[Parcel]:
        mailbox = office.table.mailboxes[self._agent]
        marked = []
        for entry in self._entries:
            if entry.live:  # the same id may stand twice in one request, or in two of one batch
                mailbox.mark_read(entry)
                marked.append(entry.message.id)
        if marked:
            office.publish(self._agent, MessagesRead(self._agent, tuple(marked)), 0)
        return self.retract(self._agent, marked, office.dispatcher, self._messages())

    def _messages(self) -> tuple[Message, ...]:
        return tuple(entry.message for entry in self._entries)


class Clear(_Retracting[int]):
    """Remove everything from one mailbox."""

    __slots__ = ("_agent",)

    def __init__(self, agent: str) -> None:
        super().__init__()
        self._agent = agent

    def weight(self, table: Table) -> int:
        mailbox = table.mailboxes.get(self._agent)
        return mailbox.unread if mailbox else 0

    def plan(self, table: Table) -> Sequence[Entry]:
        if self._agent in table.mailboxes:
            return (Cleared(self._agent),)
        self.answer(0)
        return ()

    def undo(self, table: Table) -> None:
        pass

    def apply(self, office: Office, numbers: Iterator[int]) -> list[Parcel]:
        entries = office.table.clear(self._agent)
        unread = [entry for entry in entries if entry.live]
        for entry in unread:
            entry.live = False
        if entries:
            office.publish(self._agent, MailboxCleared(self._agent, len(entries)), 0)
        ids = [entry.message.id for entry in unread]
        return self.retract(self._agent, ids, office.dispatcher, len(entries))


class CleanUp(Request[int]):
    """Remove messages that were read and are older than the horizon."""

    __slots__ = ("_horizon", "_limit", "_taken")

    def __init__(self, horizon: datetime, limit: int) -> None:
        super().__init__()
        self._horizon = horizon
        self._limit = limit
        self._taken: dict[str, list[TableEntry]] = {}

    def weight(self, table: Table) -> int:
        return 0  # the files of read messages are gone already

    def plan(self, table: Table) -> Sequence[Entry]:
        self._taken = table.take_old(self._horizon.timestamp(), self._limit)
        if not self._taken:
            self.answer(0)
        return [Expired(to, tuple(entry.sequence for entry in entries)) for to, entries in self._taken.items()]

    def undo(self, table: Table) -> None:
        for to, entries in self._taken.items():
            table.put_back(to, entries)

    def apply(self, office: Office, numbers: Iterator[int]) -> list[Parcel]:
        for to, entries in self._taken.items():
            office.table.remove(to, entries)
        self.answer(sum(map(len, self._taken.values())))
        return []
