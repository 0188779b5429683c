"""The values that travel through Observatory: frozen, comparable, without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, NoReturn, TypeAlias

import attrs

Durability: TypeAlias = Literal["memory", "flushed", "fsynced"]
"""What survives: `memory` nothing, `flushed` the end of this process, `fsynced` a power cut."""

DeliveryState: TypeAlias = Literal["queued", "written", "sent", "retrying", "dropped", "dead"]
"""How far one delivery channel has come with one message. A state never claims more than was done."""

MESSAGE_OVERHEAD = 560
"""Bytes that a message is counted for beside its content and metadata.

That is what it takes in memory once it was read; unread it takes 400 (tracemalloc, CPython 3.11).
"""


class Metadata(dict[str, Any]):
    """A JSON object that is read-only at the top level, and can be copied, pickled and written like any other."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the metadata of a message cannot be changed; change a copy of them: dict(metadata)")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return Metadata, (dict(self),)  # dict's own way fills it afterwards


NO_METADATA: Mapping[str, Any] = Metadata()


@attrs.frozen(weakref_slot=False)
class Message:
    """One message: exactly the eight fields of UC-0051, here and on the wire."""

    id: str
    """16 lowercase hexadecimal digits (64 random bits)."""
    from_: str
    """Who sent it; `from` on the wire."""
    to: str
    """The recipient: 1 to 128 characters of `A-Z a-z 0-9 . _ @ + -`, not starting with a dot."""
    content: str
    """The text, at most 1 MiB in UTF-8."""
    timestamp: datetime
    """When it was accepted: aware, UTC, strictly increasing within one Observatory."""
    type: str = "text"
    """What kind of message it is; free for applications to choose."""
    read: bool = False
    """Whether the recipient has acknowledged it."""
    metadata: Mapping[str, Any] = NO_METADATA
    """A JSON object; read-only at the top level."""


@attrs.frozen
class Draft:
    """A message that a policy may still change, before it has an id and a timestamp."""

    to: str
    """The recipient."""
    from_: str
    """The sender."""
    content: str
    """The text."""
    type: str = "text"
    """The kind of message."""
    metadata: Mapping[str, Any] = NO_METADATA
    """A JSON object."""


@attrs.frozen
class Delivery:
    """What one delivery channel has done with one message so far."""

    channel: str
    """The delivery channel's name."""
    state: DeliveryState
    """How far it has come."""
    attempts: int = 0
    """Attempts made so far."""
    durability: Durability | None = None
    """The level that was reached, for a channel that keeps things; None for what an earlier process has left there."""
    error: str | None = None
    """What went wrong at the last attempt, or None."""


NO_DELIVERIES: Mapping[str, Delivery] = MappingProxyType({})


@attrs.frozen(weakref_slot=False)
class Receipt:
    """What `send_message` returns: the message stands, and this is how far it has come."""

    message: Message
    """The message as committed."""
    sequence: int
    """Its number in the recipient's mailbox, counted from 1 by the storage backend."""
    durability: Durability
    """What the storage backend promises for it; `memory` does not survive a restart by itself."""
    deliveries: Mapping[str, Delivery]
    """The state per delivery channel, by the channel's name."""
    expires_at: datetime | None = None
    """When it leaves the mailbox, if nobody has acknowledged it by then."""
    duplicate: bool = False
    """Whether it was sent before, under the same idempotency key: this is the receipt of then."""
    verified: bool = False
    """Whether whoever called `send_message` has made sure that the sender is who it says."""
    nearest: tuple[str, ...] | None = None
    """None for a recipient that is known; where nobody has heard of it, known names that are near, if there are any."""


@attrs.frozen(weakref_slot=False)
class Event:
    """The envelope in which pub/sub hands a payload to subscribers."""

    topic: str
    """Such as `agent:agent-42`."""
    epoch: str
    """Changes at every start; sequence numbers compare within one epoch only."""
    sequence: int
    """The number within the topic, counted from 1 without a hole."""
    payload: Any
    """A value of this module, or what a plugin publishes."""
    origin: str | None = None
    """For a message of another process on the same root, the delivery channel where it was found."""
    position: int = 0
    """Its number among all events of this Observatory, counted from 1; 0 for a gap."""
    verified: bool = False
    """For a message, whether whoever sent it has made sure that the sender is who it says."""


@attrs.frozen
class Gap:
    """Payload of an event that stands for events the subscriber can no longer have."""

    missed: int | None
    """How many events are missing before the next one; None when nobody knows, as after a restart."""


@attrs.frozen
class MessagesRead:
    """Payload on `agent:{to}`: the recipient has acknowledged messages."""

    to: str
    """The recipient."""
    ids: tuple[str, ...]
    """The ids of the messages."""


@attrs.frozen
class MessagesExpired:
    """Payload on `agent:{to}`: messages have left the mailbox, since nobody acknowledged them in time."""

    to: str
    """The recipient."""
    ids: tuple[str, ...]
    """The ids of the messages."""


@attrs.frozen
class MailboxCleared:
    """Payload on `agent:{to}`: the owner has removed every message."""

    to: str
    """The recipient."""
    count: int
    """How many messages were removed."""


@attrs.frozen
class MailboxStats:
    """Figures of one mailbox."""

    total: int
    """Messages held, read ones included."""
    unread: int
    """Messages not yet acknowledged."""
    oldest_unread_age_sec: float | None
    """Seconds since the oldest unread message was accepted, or None."""


@attrs.frozen
class MailboxTotals:
    """Figures of all mailboxes together."""

    mailboxes: int
    """Mailboxes that are not empty."""
    messages: int
    """Messages held."""
    unread: int
    """Messages not yet acknowledged."""
    bytes: int
    """Bytes held: content, metadata, and `MESSAGE_OVERHEAD` for each message."""
    left_behind: int
    """Messages found at recovery that had no room or were not allowed; they stay where they are."""
    accepted: int
    """Messages that were accepted since the start."""


@attrs.frozen
class Note:
    """A note under a key."""

    key: str
    """What the note is about, such as an event's id; 1 to 256 characters."""
    text: str
    """At most 64 KiB in UTF-8."""
    timestamp: datetime
    """When it was written: aware, UTC."""


@attrs.frozen
class NoteDeleted:
    """Payload on `notes:update`: a note is gone."""

    key: str
    """The key of the note."""


@attrs.frozen
class HookEvent:
    """Payload on `events:stream`: an agent's program has told what it does, as the hooks of Claude Code do."""

    name: str
    """What happens, such as `PreToolUse`."""
    session_id: str
    """The session that it happens in."""
    timestamp: datetime
    """When it was heard of: aware, UTC."""
    agent: str | None = None
    """The agent whose program it is; None where only the session is known, whose id is then the agent's name."""
    data: Mapping[str, Any] = NO_METADATA
    """All that was told, as JSON can hold it."""


@attrs.frozen
class DeliveryRecord:
    """What the ledger keeps of one message and one delivery channel."""

    id: str
    """The message's id."""
    delivery: Delivery
    """How far the delivery channel has come with it."""
    since: datetime
    """When the delivery channel first reported on it: aware, UTC."""
    at: datetime
    """When it last did."""


@attrs.frozen
class DeadLetter:
    """A delivery that was given up; the message itself is still in its mailbox, unless it expired there."""

    message: Message
    """The message."""
    sequence: int
    """Its number in the recipient's mailbox."""
    channel: str
    """The delivery channel that gave up; `mailbox` for a message that nobody acknowledged in time."""
    attempts: int
    """Attempts made."""
    error: str
    """Why the last one failed."""
    timestamp: datetime
    """When it was given up: aware, UTC."""


@attrs.frozen
class ChildHealth:
    """The state of one supervised child."""

    name: str
    """Such as `module:Mailbox` or `lane:inbox`."""
    state: Literal["starting", "running", "backing-off", "failed", "finished"]
    """`failed` means: given up after too many failures; `finished`: it has returned, or Observatory is closed."""
    restarts: int
    """How often it was started again."""
    error: str | None
    """The last failure, one line, or None."""


@attrs.frozen
class Health:
    """The state of a whole Observatory; also the payload on `health:update`."""

    healthy: bool
    """True when it is not closed, no child has failed for good, and no plugin is broken."""
    children: tuple[ChildHealth, ...]
    """Every supervised child, in the order of their start."""
    broken_plugins: Mapping[str, str]
    """Plugins that were left out: name and reason."""
