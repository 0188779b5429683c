"""Sending under an idempotency key: the same is sent once, however often and however concurrently it is asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import attrs

from observatory.delivery.dispatcher import Dispatcher
from observatory.delivery.parcel import Parcel
from observatory.entries import Entry, Forgotten, Key, StoredKey
from observatory.errors import IdempotencyError, ObservatoryError, UnknownMessageError, UnknownRecipientError
from observatory.messages import Durability, Message, Receipt
from observatory.modules.keys import Keys, Name
from observatory.modules.recipients import Nearest
from observatory.modules.request import Office
from observatory.modules.requests import Send
from observatory.modules.table import Table


class KeyedSend(Send):
    """Send one message, unless it was sent under this key before."""

    def __init__(
        self,
        message: Message,
        size: int,
        awaited: frozenset[str],
        expires_at: datetime | None,
        key: Key,
        verified: bool,
        nearest: Nearest,
        admit: Callable[[], None],
        dispatcher: Dispatcher,
        durability: Durability,
    ) -> None:
        super().__init__(message, size, awaited, expires_at, key, verified, nearest)
        self._admit = admit
        self._key = key
        self._keys: Keys | None = None  # where this one is under way
        self._surplus: Sequence[StoredKey] = ()
        self._twins: list[KeyedSend] = []
        self._dispatcher = dispatcher
        self._durability = durability

    def plan(self, table: Table) -> Sequence[Entry]:
        keys = table.keys
        first = keys.under_way.get(self._name)
        if first is not None:
            if self._same(first._key):
                first._twins.append(self)
                self.settling = True  # its answer comes with the first one's
            return ()
        known = keys.find(self._key, self._message.timestamp)
        if known is None:
            return self._plan_first(table)
        if self._same(known.key):
            self.answer(self._receipt_again(table, known))
        return ()

    def undo(self, table: Table) -> None:
        table.keys.put_back(self._surplus)
        super().undo(table)

    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        message, number = self._message, next(numbers)
        stored = StoredKey(self._key, message.to, message.id, number, message.timestamp, self._expires_at)
        office.table.keys.add(stored)
        return super().apply(office, iter((number,)))

    def answer(self, value: Receipt) -> None:
        """Give their answer to the waiting task and to all that asked for the same."""
        super().answer(value)
        for twin in self._leave():
            twin.answer(attrs.evolve(value, duplicate=True, verified=twin._verified))

    def fail(self, error: ObservatoryError) -> None:
        """Give an error to the waiting task and to all that asked for the same, each its own."""
        super().fail(error)
        for twin in self._leave():
            twin.fail(copy.copy(error))

    @property
    def _name(self) -> Name:
        return self._key.sender, self._key.key

    def _same(self, key: Key) -> bool:
        if key.digest == self._key.digest:
            return True
        self.fail(IdempotencyError(key.sender, key.key))
        return False

    def _plan_first(self, table: Table) -> Sequence[Entry]:
        try:
            self._admit()
        except UnknownRecipientError as error:
            self.fail(error)
            return ()
        entries = super().plan(table)
        if not entries:
            return ()
        keys = self._keys = table.keys
        self._surplus = keys.take_surplus(self._message.timestamp)
        keys.under_way[self._name] = self
        names = tuple((stored.key.sender, stored.key.key) for stored in self._surplus)
        return (Forgotten(keys=names), *entries) if names else entries

    def _leave(self) -> Sequence[KeyedSend]:
        if self._keys is not None:
            self._keys.under_way.pop(self._name, None)
        twins, self._twins = self._twins, []
        return twins

    def _receipt_again(self, table: Table, known: StoredKey) -> Receipt:
        try:
            message = table.find(known.to, known.id).message
        except UnknownMessageError:  # it has left the mailbox: it was the same but for these
            message = attrs.evolve(self._message, id=known.id, timestamp=known.timestamp)
        deliveries = self._dispatcher.noted(known.id)
        return Receipt(
            message,
            known.sequence,
            self._durability,
            deliveries,
            known.expires_at,
            True,
            self._verified,
            self._nearest,
        )
