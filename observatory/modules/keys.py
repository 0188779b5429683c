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

    def surplus(self, now: datetime) -> tuple[Name, ...]:
        """Return the keys that go when one more comes, oldest first."""
        names: list[Name] = []
        for name, stored in self._stored.items():
            full = len(self._stored) - len(names) >= _CAPACITY
            if len(names) == _SURPLUS or not (full or stored.timestamp <= now - _LIFETIME):
                break
            names.append(name)
        return tuple(names)

    def drop(self, names: Sequence[Name]) -> None:
        """Forget keys."""
        for name in names:
            self._stored.pop(name, None)
