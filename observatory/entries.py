"""What a storage backend keeps: the entries of the log behind the table.

A `Message` is itself the entry that says it was sent.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from observatory.messages import Message


@attrs.frozen
class Read:
    """Log entry: messages were acknowledged."""

    to: str
    """The recipient."""
    sequences: tuple[int, ...]
    """The numbers of the messages."""


@attrs.frozen
class Expired:
    """Log entry: messages left the mailbox by cleanup or at a cap."""

    to: str
    """The recipient."""
    sequences: tuple[int, ...]
    """The numbers of the messages."""


@attrs.frozen
class Cleared:
    """Log entry: the owner removed every message so far."""

    to: str
    """The recipient."""


Entry: TypeAlias = Message | Read | Expired | Cleared
"""One entry of the log behind the table."""


@attrs.frozen(weakref_slot=False)
class StoredMessage:
    """A live message as a storage backend replays it."""

    message: Message
    """The message, with `read` as it was left."""
    sequence: int
    """The number that was assigned to it."""
