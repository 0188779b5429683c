"""What the Mailbox's task asks of itself: to clean up, to let messages expire, to keep the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar

from observatory.delivery.dead_letters import EXPIRED, DeadLetters, reopened
from observatory.delivery.dispatcher import Dispatcher
from observatory.delivery.parcel import Parcel
from observatory.entries import Entry, Forgotten, Settled
from observatory.errors import UnknownMessageError
from observatory.messages import DeadLetter, DeliveryRecord, Message, MessagesExpired
from observatory.modules.box import Entry as TableEntry
from observatory.modules.request import Office, Request
from observatory.modules.requests import Send
from observatory.modules.table import Table


class CleanUp(Request[int]):
    """Remove messages that were read and are older than the horizon."""

    rank: ClassVar[int] = 0

    def __init__(self, horizon: float, limit: int) -> None:
        self._horizon = horizon
        self._limit = limit
        self._taken: dict[str, list[TableEntry]] = {}

    def weight(self, table: Table) -> int:
        return 0  # the files of read messages are gone already

    def plan(self, table: Table) -> Sequence[Entry]:
        self._taken = table.take_old(self._horizon, self._limit)
        if not self._taken:
            self.answer(0)
        departing = table.leaving.departing
        return [entry for to, entries in self._taken.items() for entry in departing(to, entries)]

    def undo(self, table: Table) -> None:
        for to, entries in self._taken.items():
            table.put_back(to, entries)

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        for to, entries in self._taken.items():
            office.table.remove(to, entries)
        self.answer(sum(map(len, self._taken.values())))
        return []


class Record(Request[bool]):
    """Tell storage what has become of deliveries; answered with whether there may be more."""

    rank: ClassVar[int] = 5

    def __init__(self, dispatcher: Dispatcher, limit: int) -> None:
        self._dispatcher = dispatcher
        self._limit = limit
        self._entries: Sequence[DeliveryRecord | Forgotten | DeadLetter | Settled] = ()

    def weight(self, table: Table) -> int:
        return 0

    def plan(self, table: Table) -> Sequence[Entry]:
        over = table.leaving.untold(self._limit)
        self._more = sum(len(entry.retractions) for entry in over) >= self._limit
        self._entries = [*self._dispatcher.untold(self._limit), *over]
        if not self._entries:
            self.answer(False)
        return self._entries

    def undo(self, table: Table) -> None:
        pass

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        self._dispatcher.told(self._entries)
        office.table.leaving.told(self._entries)
        self.answer(self._more or len(self._entries) >= self._limit)
        return []


class Expire(Request[int]):
    """Let messages go that nobody has acknowledged in time: they become dead letters, and are taken back everywhere."""

    rank: ClassVar[int] = 2

    def __init__(self, now: datetime, limit: int) -> None:
        self._now = now
        self._limit = limit
        self._due: list[TableEntry] = []
        self._letters: list[DeadLetter] = []

    def weight(self, table: Table) -> int:
        return len(table.expired(self._now, self._limit))

    def plan(self, table: Table) -> Sequence[Entry]:
        self._due = table.expired(self._now, self._limit)
        if not self._due:
            self.answer(0)
        self._letters = [
            DeadLetter(entry.message, entry.sequence, EXPIRED, 0, "nobody acknowledged it in time", self._now)
            for entry in self._due
        ]
        departing = table.leaving.departing
        return [*(left for entry in self._due for left in departing(entry.message.to, (entry,))), *self._letters]

    def undo(self, table: Table) -> None:
        pass

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        parcels: list[Parcel] = []
        for entry, letter in zip(self._due, self._letters, strict=True):
            to, id = entry.message.to, entry.message.id
            office.table.expire(entry)
            office.tell(MessagesExpired(to, (id,)), (id,), "expired")
            parcels += office.retract(to, (id,))
            office.dispatcher.dead_letters.load(letter, reopened(letter, None))
        self.answer(len(self._due))
        return parcels


class Resend(Send):
    """Send a message that has expired again, as a new one, and settle its dead letter with the same commit."""

    def __init__(self, message: Message, size: int, awaited: frozenset[str], letter: str, letters: DeadLetters) -> None:
        super().__init__(message, size, awaited)
        self._letter = letter
        self._letters = letters

    def plan(self, table: Table) -> Sequence[Entry]:
        if not self._letters.holds(EXPIRED, self._letter):
            self.fail(UnknownMessageError(self._message.to, self._letter))
            return ()
        entries = super().plan(table)
        return (*entries, Settled(EXPIRED, (self._letter,))) if entries else ()

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        self._letters.drop(EXPIRED, self._letter)
        return super().apply(office, numbers)
