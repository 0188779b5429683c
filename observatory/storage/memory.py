"""The storage backend that keeps nothing beyond the process: messages live for as long as Observatory does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

import attrs
import trio

from observatory.abc import StorageBackend
from observatory.entries import (
    Cleared,
    Entry,
    Expired,
    Forgotten,
    Read,
    Retracting,
    Sent,
    Settled,
    Stored,
    StoredKey,
    StoredMessage,
)
from observatory.messages import DeadLetter, DeliveryRecord, Durability, Message

_MAX_NUMBERS = 200_000
"""Recipients without messages whose last number is remembered."""


class MemoryStorage(StorageBackend):
    """Live messages in dictionaries, one per recipient, by number."""

    durability: ClassVar[Durability] = "memory"

    def __init__(self) -> None:
        self._live: defaultdict[str, dict[int, Message]] = defaultdict(dict)
        self._expiry: dict[tuple[str, int], datetime] = {}
        self._last: dict[str, int] = {}
        self._floor = 0  # no forgotten recipient had a number above this
        self._keys: dict[tuple[str, str], StoredKey] = {}
        self._records: dict[str, dict[str, DeliveryRecord]] = {}  # by message and delivery channel
        self._letters: dict[tuple[str, str], DeadLetter] = {}  # by delivery channel and message
        self._retractions: dict[tuple[str, str], Retracting] = {}  # by recipient and message

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit a batch; cancelled before it begins, or not at all."""
        # No turn of the run loop, which every sender would pay for: the Mailbox's task waits between batches anyway.
        await trio.lowlevel.checkpoint_if_cancelled()
        numbers: list[int] = []
        for entry in batch:
            if isinstance(entry, Message):
                numbers.append(self._add(entry))
            elif isinstance(entry, Sent):
                numbers.append(self._add_sent(entry))
            elif isinstance(entry, Read | Expired | Cleared):
                self._change(entry)
            else:
                self._note(entry)
        return numbers

    async def replay(self, apply: Callable[[Sequence[Stored]], None]) -> None:
        """Hand over one batch per recipient, and what there is beside the messages."""
        for to, messages in list(self._live.items()):
            expiry = self._expiry
            apply([StoredMessage(message, number, expiry.get((to, number))) for number, message in messages.items()])
            await trio.lowlevel.checkpoint()
        records = [record for by_channel in self._records.values() for record in by_channel.values()]
        beside: list[Stored] = [*self._keys.values(), *self._retractions.values(), *records, *self._letters.values()]
        if beside:
            apply(beside)
        await trio.lowlevel.checkpoint()

    def _add(self, message: Message) -> int:
        to = message.to
        number = self._last[to] = self._last.get(to, self._floor) + 1
        self._live[to][number] = message
        return number

    def _add_sent(self, sent: Sent) -> int:
        message, key = sent.message, sent.key
        number = self._add(message)
        if sent.expires_at is not None:
            self._expiry[message.to, number] = sent.expires_at
        if key is not None:
            self._keys.pop((key.sender, key.key), None)  # in the order of commits
            stored = StoredKey(key, message.to, message.id, number, message.timestamp, sent.expires_at)
            self._keys[key.sender, key.key] = stored
        return number

    def _change(self, entry: Read | Expired | Cleared) -> None:
        to = entry.to
        live = self._live.get(to, {})
        if isinstance(entry, Read):
            for number in entry.sequences:
                live[number] = attrs.evolve(live[number], read=True)
        else:
            for number in entry.sequences if isinstance(entry, Expired) else tuple(live):
                del live[number]
                self._expiry.pop((to, number), None)
        if not live:
            self._live.pop(to, None)
            self._forget_numbers()

    def _note(self, entry: Retracting | DeliveryRecord | DeadLetter | Settled | Forgotten) -> None:
        if isinstance(entry, DeliveryRecord):
            self._records.setdefault(entry.id, {})[entry.delivery.channel] = entry
        elif isinstance(entry, DeadLetter):
            self._letters[entry.channel, entry.message.id] = entry
        elif isinstance(entry, Retracting):
            self._retractions[entry.to, entry.id] = entry
        elif isinstance(entry, Settled):
            for id in entry.ids:
                self._letters.pop((entry.channel, id), None)
        else:
            for key in entry.keys:
                self._keys.pop(key, None)
            for id in entry.records:
                self._records.pop(id, None)
            for retraction in entry.retractions:
                self._retractions.pop(retraction, None)

    def _forget_numbers(self) -> None:
        """Keep the memory of recipients that come and go bounded, without ever using a number again."""
        if len(self._last) > len(self._live) + _MAX_NUMBERS:
            self._floor = max(self._last.values())
            self._last = {to: self._last[to] for to in self._live}
