"""The storage backend that keeps nothing beyond the process: messages live for as long as Observatory does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import attrs
import trio

from observatory.abc import StorageBackend
from observatory.entries import Cleared, Entry, Expired, Read, StoredMessage
from observatory.messages import Durability, Message

_MAX_NUMBERS = 200_000
"""Recipients without messages whose last number is remembered."""


class MemoryStorage(StorageBackend):
    """Live messages in dictionaries, one per recipient, by number."""

    durability: ClassVar[Durability] = "memory"

    def __init__(self) -> None:
        self._live: dict[str, dict[int, Message]] = {}
        self._last: dict[str, int] = {}
        self._floor = 0  # no forgotten recipient had a number above this

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit a batch; cancelled before it begins, or not at all."""
        # No turn of the run loop, which every sender would pay for: the Mailbox's task waits between batches anyway.
        await trio.lowlevel.checkpoint_if_cancelled()
        numbers: list[int] = []
        for entry in batch:
            if isinstance(entry, Message):
                numbers.append(self._add(entry))
            else:
                self._change(entry)
        return numbers

    async def replay(self, apply: Callable[[Sequence[StoredMessage]], None]) -> None:
        """Hand over one batch per recipient."""
        for messages in list(self._live.values()):
            apply([StoredMessage(message, number) for number, message in messages.items()])
            await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()

    def _add(self, message: Message) -> int:
        to = message.to
        number = self._last.get(to, self._floor) + 1
        self._last[to] = number
        live = self._live.get(to)
        if live is None:
            live = self._live[to] = {}
        live[number] = message
        return number

    def _change(self, entry: Read | Expired | Cleared) -> None:
        live = self._live.get(entry.to, {})
        if isinstance(entry, Read):
            for number in entry.sequences:
                live[number] = attrs.evolve(live[number], read=True)
        elif isinstance(entry, Expired):
            for number in entry.sequences:
                del live[number]
        else:
            live.clear()
        if not live:
            self._live.pop(entry.to, None)
            self._forget_numbers()

    def _forget_numbers(self) -> None:
        """Keep the memory of recipients that come and go bounded, without ever using a number again."""
        if len(self._last) > len(self._live) + _MAX_NUMBERS:
            self._floor = max(self._last.values())
            self._last = {to: self._last[to] for to in self._live}
