"""What is known of the way of messages: values, and figures of many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import attrs

HopName: TypeAlias = Literal[
    "accepted",
    "committed",
    "published",
    "queued",
    "written",
    "sent",
    "retrying",
    "dropped",
    "dead",
    "surfaced",
    "acknowledged",
    "cleared",
    "expired",
    "event",
]
"""What can happen to a message.

`accepted`: somebody has sent it; `committed`: storage has it; `published`: subscribers have it; then what a delivery
channel has reported, a `DeliveryState`; `surfaced`: it was put before its recipient; `acknowledged`, `cleared` and
`expired`: it is read, or gone; `event`: meanwhile its recipient's program has told what it does.
"""


@attrs.frozen
class Hop:
    """One step on the way of a message."""

    name: HopName
    """What has happened."""
    at: datetime
    """When: aware, UTC."""
    channel: str | None = None
    """The delivery channel that has reported it; else None."""
    detail: str | None = None
    """What went wrong; of an event its name; by whom it was surfaced."""


@attrs.frozen
class Trace:
    """The way of one message."""

    id: str
    """The message's id."""
    from_: str
    """Who sent it."""
    to: str
    """The recipient."""
    type: str
    """The kind of message."""
    sequence: int
    """Its number in the recipient's mailbox."""
    origin: str | None
    """For a message of another process, the delivery channel where it was found; then it was accepted elsewhere."""
    accepted: datetime
    """When it was accepted: aware, UTC."""
    hops: tuple[Hop, ...]
    """What has happened to it, oldest first; the latest ones, where there are more than are kept."""


@attrs.frozen
class HopLatency:
    """How long after it was accepted a message comes to a hop."""

    hop: HopName
    """Which hop."""
    channel: str | None
    """By which delivery channel; else None."""
    count: int
    """How many messages have come there, of those whose way is kept."""
    p50: float
    """Seconds that half of them have taken at most."""
    p99: float
    """Seconds that all but one of a hundred have taken at most."""


@attrs.frozen
class TraceStatistics:
    """Figures of the messages whose way is kept; every 5 s also the payload on `protocols:update`."""

    traces: int
    """How many there are."""
    by_type: Mapping[str, int]
    """How many of each kind of message."""
    unread: int
    """Messages of all mailboxes that nobody has acknowledged."""
    queued: Mapping[str, int]
    """Jobs that wait in each lane, those that back off included, by delivery channel."""
    latencies: tuple[HopLatency, ...]
    """In the order in which a message comes to the hops. What another process has accepted does not count."""


@attrs.frozen
class Surfaced:
    """What was put into an agent's present context."""

    since: datetime | None
    """When that context began, aware, UTC; None where nobody has said so."""
    ids: tuple[str, ...]
    """Of the messages, the latest at the end."""
    latest: str | None
    """The id of the latest one, whoever has put it there: what to give as `after` to hear only of later ones."""


_ONCE: tuple[HopName, ...] = ("committed", "published", "written", "sent", "surfaced", "acknowledged")
"""Hops that a message comes to when all goes well, in order."""


def latencies(traces: Iterable[Trace]) -> tuple[HopLatency, ...]:
    """Return how long messages take to each hop that is on their way; the first time counts."""
    seconds: dict[tuple[int, str | None], list[float]] = {}
    for trace in traces:
        seen: set[tuple[int, str | None]] = set()
        for hop in trace.hops if trace.origin is None else ():
            if hop.name in _ONCE:
                key = _ONCE.index(hop.name), hop.channel
                if key not in seen:
                    seen.add(key)
                    seconds.setdefault(key, []).append((hop.at - trace.accepted).total_seconds())
    return tuple([_latency(*key, seconds[key]) for key in sorted(seconds, key=_in_order)])


def _in_order(key: tuple[int, str | None]) -> tuple[int, str]:
    return key[0], key[1] or ""


def _latency(place: int, channel: str | None, seconds: list[float]) -> HopLatency:
    seconds.sort()
    return HopLatency(_ONCE[place], channel, len(seconds), _rank(seconds, 0.5), _rank(seconds, 0.99))


def _rank(ordered: Sequence[float], share: float) -> float:
    """Return the nearest rank: one of the values, and no mean of two."""
    return ordered[math.ceil(len(ordered) * share) - 1]
