"""What a storage backend keeps: the entries of the log behind the table, and what it replays.

A `Message` is itself the entry that says it was sent.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import attrs

from observatory.messages import DeadLetter, DeliveryRecord, Message


@attrs.frozen
class Key:
    """Under which idempotency key a message was sent."""

    sender: str
    """Whose key it is."""
    key: str
    """The key, as the sender chose it."""
    digest: str
    """Hexadecimal; tells whether the same is sent again."""


@attrs.frozen
class Sent:
    """Log entry: a message was sent, and there is more to keep of it than itself."""

    message: Message
    """The message."""
    expires_at: datetime | None = None
    """When it leaves the mailbox, if nobody has acknowledged it by then."""
    key: Key | None = None
    """The idempotency key it was sent under."""


@attrs.frozen
class Read:
    """Log entry: messages were acknowledged."""

    to: str
    """The recipient."""
    sequences: tuple[int, ...]
    """The numbers of the messages."""


@attrs.frozen
class Expired:
    """Log entry: messages left the mailbox by cleanup, at a cap, or because their time was over."""

    to: str
    """The recipient."""
    sequences: tuple[int, ...]
    """The numbers of the messages."""


@attrs.frozen
class Cleared:
    """Log entry: the owner removed every message so far."""

    to: str
    """The recipient."""


@attrs.frozen
class Retracting:
    """Log entry: a message has left the mailbox, and delivery channels have still to take it back."""

    to: str
    """The recipient."""
    id: str
    """The message's id."""


@attrs.frozen
class Settled:
    """Log entry: dead letters were delivered again, or their messages acknowledged."""

    channel: str
    """The delivery channel's name."""
    ids: tuple[str, ...]
    """The ids of the messages."""


@attrs.frozen
class Forgotten:
    """Log entry: what storage need not know any longer."""

    keys: tuple[tuple[str, str], ...] = ()
    """Sender and key of each idempotency key that is beyond the bounds."""
    records: tuple[str, ...] = ()
    """Ids of the messages whose delivery records are beyond the bounds."""
    retractions: tuple[tuple[str, str], ...] = ()
    """Recipient and id of each message that has been taken back."""


Entry: TypeAlias = (
    Message | Sent | Read | Expired | Cleared | Retracting | DeliveryRecord | DeadLetter | Settled | Forgotten
)
"""One entry of the log behind the table. A later `DeliveryRecord` or `DeadLetter` replaces an earlier one of the same
message and delivery channel."""


@attrs.frozen(weakref_slot=False)
class StoredMessage:
    """A live message as a storage backend replays it."""

    message: Message
    """The message, with `read` as it was left."""
    sequence: int
    """The number that was assigned to it."""
    expires_at: datetime | None = None
    """When it leaves the mailbox, if nobody has acknowledged it by then."""


@attrs.frozen
class StoredKey:
    """An idempotency key as a storage backend replays it; it outlives its message."""

    key: Key
    """The key."""
    to: str
    """The recipient of the message that was sent under it."""
    id: str
    """The message's id."""
    sequence: int
    """The message's number."""
    timestamp: datetime
    """The message's timestamp."""
    expires_at: datetime | None = None
    """When the message expires, or has expired, unless it was acknowledged."""


Stored: TypeAlias = StoredMessage | StoredKey | Retracting | DeliveryRecord | DeadLetter
"""What a storage backend replays."""
