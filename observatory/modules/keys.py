"""Idempotency keys: what was sent under which, for a day."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from observatory.entries import Key, StoredKey

if TYPE_CHECKING:
    from observatory.modules.keyed import KeyedSend

Name: TypeAlias = tuple[str, str]
"""A sender, and a key of its choice."""

_LIFETIME = timedelta(hours=24)
_CAPACITY = 100_000
"""Keys that are remembered; then the oldest goes, although its time is not over."""

_SURPLUS = 2
"""Old keys that go when a new one comes: more than one, so that they become fewer, and few, so that nobody waits."""


def digest_of(to: str, content: str, type: str, metadata: Mapping[str, Any]) -> str:
    """Return what tells whether a sender asks for the same again; the order of metadata makes no difference."""
    text = json.dumps([to, content, type, dict(metadata)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Keys:
    """The keys of the last 24 hours, in the order of their messages."""

    def __init__(self) -> None:
        self._stored: OrderedDict[Name, StoredKey] = OrderedDict()
        self.under_way: dict[Name, KeyedSend] = {}
        """Sends under a key that have not been answered yet."""

    def find(self, key: Key, now: datetime) -> StoredKey | None:
        """Return what was sent under a key, unless its time is over."""
        stored = self._stored.get((key.sender, key.key))
        return stored if stored is not None and stored.timestamp > now - _LIFETIME else None

    def add(self, stored: StoredKey) -> None:
        """Remember what was sent under a key."""
        name = stored.key.sender, stored.key.key
        self._stored[name] = stored
        self._stored.move_to_end(name)

    def take_surplus(self, now: datetime) -> list[StoredKey]:
        """Forget the keys that go when one more comes, oldest first; return them."""
        surplus: list[StoredKey] = []
        while self._stored and len(surplus) < _SURPLUS:
            oldest = next(iter(self._stored.values()))
            full = len(self._stored) + len(self.under_way) >= _CAPACITY
            if not full and oldest.timestamp > now - _LIFETIME:
                break
            surplus.append(self._stored.popitem(last=False)[1])
        return surplus

    def put_back(self, surplus: Sequence[StoredKey]) -> None:
        """Remember keys again that were to go."""
        for stored in reversed(surplus):
            self.add(stored)
            self._stored.move_to_end((stored.key.sender, stored.key.key), last=False)
