"""How far each delivery channel has come with each message: bounded, queryable, and handed to storage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeAlias

import attrs

from observatory.messages import Delivery, DeliveryRecord

_Line: TypeAlias = tuple[Delivery, datetime, datetime]
"""A delivery, when it was first reported, and when last; shared by all messages of a batch that fared alike."""


class Ledger:
    """The ledger of one lane.

    Messages stand in two halves by age. When the younger one is full, the older one is forgotten as a whole and they
    change places: so nothing has to be moved or searched to stay within the bound.

    Args:
        capacity: messages that are remembered, at the most; half of them at the least.
        stored: whether changes are kept until storage was told.
    """

    def __init__(self, capacity: int, *, stored: bool) -> None:
        self._half = max(capacity // 2, 1)
        self._stored = stored
        self._young: dict[str, _Line] = {}
        self._old: dict[str, _Line] = {}
        self._changed: dict[str, None] = {}
        self._forgotten: dict[str, None] = {}

    def note(self, ids: Sequence[str], delivery: Delivery, now: datetime) -> None:
        """Keep the latest report on messages that fared alike."""
        line = delivery, now, now
        if (
            len(self._young) + len(ids) <= self._half
            and self._young.keys().isdisjoint(ids)
            and self._old.keys().isdisjoint(ids)
        ):  # nearly always, and the loop takes three times as long
            self._young.update(dict.fromkeys(ids, line))
            if self._stored:
                self._changed.update(dict.fromkeys(ids))
            return
        for id in ids:
            known = self._young.get(id) or self._old.get(id)
            self._young[id] = (delivery, known[1], now) if known else line
            if self._stored:
                self._changed[id] = None
            if len(self._young) > self._half:
                self._turn()

    def found(self, ids: Iterable[str], delivery: Delivery, now: datetime) -> None:
        """Note a delivery of messages of which nothing better is known: it was carried out, and a crash came then."""
        new: list[str] = []
        for id in ids:
            known = self._young.get(id) or self._old.get(id)
            if known is None:
                new.append(id)
            elif known[0].state in ("queued", "retrying"):
                self.note((id,), attrs.evolve(delivery, attempts=known[0].attempts), now)
        self.note(new, delivery, now)

    def load(self, record: DeliveryRecord) -> None:
        """Take what storage remembers, before anything is noted."""
        self._young[record.id] = record.delivery, record.since, record.at
        if len(self._young) > self._half:
            self._turn()

    def get(self, id: str) -> DeliveryRecord | None:
        """Return what is known of a message, or None."""
        line = self._young.get(id) or self._old.get(id)
        return DeliveryRecord(id, *line) if line else None

    def changes(self, limit: int) -> tuple[list[DeliveryRecord], list[str]]:
        """Return up to `limit` records that storage has not been told, and the ids of messages that were forgotten."""
        changed = islice(self._changed, limit)
        return [record for id in changed if (record := self.get(id))], list(self._forgotten)

    def told(self, records: Iterable[DeliveryRecord], forgotten: Iterable[str]) -> None:
        """Note what storage has been told."""
        for record in records:
            if self.get(record.id) == record:
                self._changed.pop(record.id, None)
        for id in forgotten:
            self._forgotten.pop(id, None)

    def _turn(self) -> None:
        gone = [id for id in self._old if id not in self._young] if self._stored else ()
        self._old, self._young = self._young, {}
        for id in gone:
            self._changed.pop(id, None)
            self._forgotten[id] = None
