"""What an Observatory tells of itself as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, Protocol

import attrs

from observatory.messages import DeadLetter, DeliveryRecord, Health, MailboxTotals
from observatory.pubsub import PubSubStatistics


@attrs.frozen
class LaneStatistics:
    """Figures of one lane."""

    required: bool
    """Whether sends wait for it."""
    capacity: int
    """Jobs it holds."""
    queued: int
    """Jobs that wait for their first attempt, the batch in hand included."""
    backing_off: int
    """Jobs that wait for another attempt, or behind one."""
    delivered: int
    """Jobs carried out."""
    failures: int
    """Jobs that failed at an attempt, each attempt counted."""
    dropped: int
    """Jobs that were dropped: the lane was full, the message was acknowledged first, or nobody was there to take it."""
    dead: int
    """Deliveries given up."""
    owed: int
    """Retractions that could not be carried out yet; they are tried again for as long as Observatory runs."""
    forgotten: int
    """Owed retractions that had to go at the bound: what they should take back may stay where it is."""
    error: str | None
    """The last failure, one line, or None."""


@attrs.frozen
class Statistics:
    """Figures of a whole Observatory."""

    mailbox: MailboxTotals
    """All mailboxes together."""
    pubsub: PubSubStatistics
    """All topics together."""
    lanes: Mapping[str, LaneStatistics]
    """Each lane, by delivery channel."""
    channels: Mapping[str, Mapping[str, Any]]
    """What each delivery channel tells of itself."""
    services: Mapping[str, Mapping[str, Any]]
    """What each service tells of itself."""
    restarts: Mapping[str, int]
    """How often each module, lane and service was started again, by its name in `Health`."""
    rate_limited: int
    """Requests that were refused at doors, since their identity had asked for more than it may."""
    forgotten_dead_letters: int
    """Dead letters that had to go at their bound."""


@attrs.frozen
class PluginInfo:
    """What is known of one plugin."""

    name: str
    """Its name: that of the entry point."""
    distribution: str | None
    """The distribution it comes from; None for one that was handed to `open_observatory`."""
    version: str | None
    """The version of the distribution."""
    state: Literal["loaded", "broken", "disabled"]
    """Whether it takes part."""
    reason: str | None
    """Why it does not, in one line."""
    registered: tuple[str, ...]
    """What it registered, such as `delivery channel inbox`."""


class Overview(Protocol):
    """Whoever can tell all that: an Observatory."""

    def health(self) -> Health:
        """Return the state of every module, lane and service."""

    def statistics(self) -> Statistics:
        """Return the figures of everything."""

    def plugins(self) -> tuple[PluginInfo, ...]:
        """Return what is known of every plugin."""

    def deliveries(self, message_id: str) -> tuple[DeliveryRecord, ...]:
        """Return how far each delivery channel has come with a message."""

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the deliveries that were given up."""

    async def redeliver(self, ids: Collection[str] | None = None) -> int:
        """Try dead letters again; return how many."""
