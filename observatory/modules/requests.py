"""What the Mailbox's task is asked to do, kind by kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar, TypeVar

from observatory.delivery.parcel import Parcel
from observatory.entries import Cleared, Entry, Key, Read, Sent
from observatory.errors import MailboxFullError, ObservatoryError, UnknownMessageError
from observatory.jobs import Post
from observatory.makers import maker
from observatory.messages import (
    NO_DELIVERIES,
    MailboxCleared,
    Message,
    MessagesRead,
    Receipt,
)
from observatory.modules.box import Entry as TableEntry
from observatory.modules.recipients import Nearest
from observatory.modules.request import Office, Request
from observatory.modules.table import Table

T = TypeVar("T")

_make_receipt = maker(Receipt)


class Send(Request[Receipt]):
    """Send one message."""

    rank: ClassVar[int] = 4
    _evicted: Sequence[TableEntry] = ()
    _receipt: Receipt

    def __init__(
        self,
        message: Message,
        size: int,
        awaited: frozenset[str],
        expires_at: datetime | None = None,
        key: Key | None = None,
        verified: bool = False,
        nearest: Nearest = None,
    ) -> None:
        self._entry = message if expires_at is None and key is None else Sent(message, expires_at, key)
        self._expires_at = expires_at
        self._message = message
        self._size = size
        self._awaited = awaited
        self._verified = verified
        self._nearest = nearest

    def weight(self, table: Table) -> int:
        return 1

    def plan(self, table: Table) -> Sequence[Entry]:
        message = self._message
        try:
            evicted = table.make_room(message.to, self._size)
        except MailboxFullError as error:
            self.fail(error)
            return ()
        if not evicted:
            return (self._entry,)
        self._evicted = evicted
        return *table.leaving.departing(message.to, evicted), self._entry

    def undo(self, table: Table) -> None:
        table.undo(self._message.to, self._size, self._evicted)

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        message = self._message
        if self._evicted:
            office.table.remove(message.to, self._evicted)
        number = next(numbers)
        entry = office.table.add(message, number, self._size, self._expires_at)
        verified = self._verified
        office.announce(entry, None, verified)
        dispatcher = office.dispatcher
        expires_at, nearest = self._expires_at, self._nearest
        if not dispatcher.lanes:
            self.answer(
                _make_receipt(message, number, office.durability, NO_DELIVERIES, expires_at, False, verified, nearest)
            )
            return ()
        deliveries = dispatcher.new_deliveries()
        receipt = _make_receipt(message, number, office.durability, deliveries, expires_at, False, verified, nearest)
        if not self._awaited:
            self.answer(receipt)
            return (Parcel(Post(message, number), deliveries, wanted=entry),)
        self._receipt = receipt
        return (Parcel(Post(message, number), deliveries, self._awaited, entry, self),)

    def settled(self, parcel: Parcel) -> None:
        """Answer, now that the awaited lanes have reported: the receipt holds the parcel's deliveries."""
        self.answer(self._receipt)


class Broadcast(Request[list[Receipt | ObservatoryError]]):
    """Send messages, each to its recipient, in one commit."""

    rank: ClassVar[int] = 4

    def __init__(
        self,
        messages: Sequence[tuple[Message, int, Nearest]],
        awaited: frozenset[str],
        verified: bool,
    ) -> None:
        self._sends = [_Copy(self, message, size, awaited, verified, nearest) for message, size, nearest in messages]
        self._left = len(self._sends)

    def weight(self, table: Table) -> int:
        return len(self._sends)

    def plan(self, table: Table) -> Sequence[Entry]:
        return [entry for send in self._sends for entry in send.plan(table)]

    def undo(self, table: Table) -> None:
        for send in reversed(self._sends):
            if not send.answered:
                send.undo(table)

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        return [parcel for send in self._sends if not send.answered for parcel in send.apply(office, numbers)]

    def copy_answered(self) -> None:
        """Answer when every copy has its outcome."""
        self._left -= 1
        if not self._left:
            self.answer([send.outcome() for send in self._sends])


class _Copy(Send):
    """One message of a broadcast."""

    def __init__(
        self,
        broadcast: Broadcast,
        message: Message,
        size: int,
        awaited: frozenset[str],
        verified: bool,
        nearest: Nearest,
    ) -> None:
        super().__init__(message, size, awaited, verified=verified, nearest=nearest)
        self._broadcast = broadcast

    def outcome(self) -> Receipt | ObservatoryError:
        """Return the receipt, or the error in its place."""
        return self._error or self.result()

    def _wake(self) -> None:
        self.answered = self.settling = True
        self._broadcast.copy_answered()


class _Retracting(Request[T]):
    """A request after which messages are taken back from the lanes; answered when the required ones have tried."""

    def answer_after(self, agent: str, ids: Sequence[str], table: Table, result: T) -> None:
        """Answer with `result` after the first outcomes of whatever takes these messages back, whoever asked for it."""
        self._result = result
        self._left = table.leaving.follow(agent, ids, self)
        self.settling = True  # these outcomes are certain to come
        if not self._left:
            self.answer(result)

    def settled(self, parcel: Parcel) -> None:
        """Take the first outcomes of one retraction."""
        self._left -= 1
        if not self._left:
            self.answer(self._result)


class Acknowledge(_Retracting[tuple[Message, ...]]):
    """Mark messages of one mailbox as read."""

    rank: ClassVar[int] = 1

    def __init__(self, agent: str, ids: Sequence[str]) -> None:
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
            self.answer_after(self._agent, self._ids, table, self._messages())
            return ()
        return (Read(self._agent, unread),)

    def undo(self, table: Table) -> None:
        pass

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        mailbox = office.table.mailboxes[self._agent]
        marked = []
        for entry in self._entries:
            if entry.live:  # the same id may stand twice in one request, or in two of one batch
                mailbox.mark_read(entry)
                marked.append(entry.message.id)
        if marked:
            office.tell(MessagesRead(self._agent, tuple(marked)), marked, "acknowledged")
        parcels = office.retract(self._agent, marked)
        self.answer_after(self._agent, self._ids, office.table, self._messages())
        return parcels

    def _messages(self) -> tuple[Message, ...]:
        return tuple(entry.message for entry in self._entries)


class Clear(_Retracting[int]):
    """Remove everything from one mailbox."""

    rank: ClassVar[int] = 3

    def __init__(self, agent: str) -> None:
        self._agent = agent

    def weight(self, table: Table) -> int:
        mailbox = table.mailboxes.get(self._agent)
        return mailbox.unread if mailbox else 0

    def plan(self, table: Table) -> Sequence[Entry]:
        mailbox = table.mailboxes.get(self._agent)
        if mailbox is not None:
            return Cleared(self._agent), *table.leaving.retracting(self._agent, mailbox.by_id.values())
        self.answer(0)
        return ()

    def undo(self, table: Table) -> None:
        pass

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        entries = office.table.clear(self._agent)
        unread = [entry for entry in entries if entry.live]
        for entry in unread:
            entry.live = False
        ids = [entry.message.id for entry in entries]
        if entries:
            office.tell(MailboxCleared(self._agent, len(entries)), ids, "cleared")
        parcels = office.retract(self._agent, [entry.message.id for entry in unread])
        self.answer_after(self._agent, ids, office.table, len(entries))
        return parcels
