"""What a lane hands to a delivery channel, and what it hears back."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs
from attrs.validators import in_, instance_of

from observatory.messages import Durability, Message


@attrs.frozen(weakref_slot=False)
class Post:
    """Job for a delivery channel: deliver this message."""

    message: Message
    """The message."""
    sequence: int
    """Its number in the recipient's mailbox."""


@attrs.frozen
class Retraction:
    """Job for a delivery channel: this message was acknowledged or removed; take it back where one can."""

    to: str
    """The recipient."""
    id: str
    """The message's id."""


@attrs.frozen
class Dropped:
    """Job for a delivery channel that is not required: its lane was full, and this many posts are missing here."""

    count: int
    """How many posts were dropped."""


Job: TypeAlias = Post | Retraction | Dropped
"""One item of a batch that a delivery channel is given."""


@attrs.frozen
class Done:
    """Outcome of a job: it was carried out."""

    state: Literal["written", "sent"] = attrs.field(validator=in_(("written", "sent")))
    """`written` when it is kept somewhere, `sent` when it went out to whoever listens."""
    durability: Durability | None = attrs.field(default=None, validator=in_((None, "memory", "flushed", "fsynced")))
    """The level reached, for what is kept; None for what is `sent`."""


@attrs.frozen
class Failed:
    """Outcome of a job: it was not carried out."""

    error: str = attrs.field(validator=instance_of(str))
    """One line: what went wrong and where."""
    permanent: bool = False
    """True when trying again cannot help, as with a name that is not allowed."""


@attrs.frozen
class Skipped:
    """Outcome of a job: nobody is there who would take it, and nothing has gone wrong. It is not tried again."""

    reason: str = attrs.field(validator=instance_of(str))
    """One line: who is missing."""


Outcome: TypeAlias = Done | Failed | Skipped
"""What became of one job."""
