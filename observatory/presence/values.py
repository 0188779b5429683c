"""Who is there, and who holds what: frozen values without behaviour."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import attrs

Status: TypeAlias = Literal["active", "idle", "gone"]
"""`active` was heard of a short while ago, `idle` not, and `gone` not for long, or it has said that it ends."""

Source: TypeAlias = Literal["message", "team", "event", "connection", "lease"]
"""What tells of an agent: mail that it sends, waits for or acknowledges; a team's config; a hook event of its program;
a connection that says who it is; a lease."""

Ending: TypeAlias = Literal["released", "expired", "ended"]
"""Why a lease is over: it was given back, not renewed in time, or its holder's session has ended."""


@attrs.frozen(weakref_slot=False)
class Agent:
    """An agent that was heard of."""

    name: str
    """Its name; of a member of a team `name@team`."""
    status: Status
    """Whether it is there. One that is connected, waits for mail or holds a lease is never `gone`."""
    last_seen: datetime | None
    """When it was heard of last: aware, UTC; None for one of which only a team's config tells."""
    joined: datetime
    """Since when it is known here: aware, UTC."""
    sources: tuple[Source, ...]
    """What has told of it, in the order in which that did."""
    teams: tuple[str, ...] = ()
    """The teams that it is a member of, as their configs say."""


@attrs.frozen(weakref_slot=False)
class Lease:
    """That an agent alone holds something, for as long as it renews that."""

    id: str
    """What it is renewed and released by: 16 lowercase hexadecimal digits."""
    resource: str
    """What is held: a path, a topic, or whatever agents agree on; 1 to 1,024 printable characters."""
    holder: str
    """The agent that holds it."""
    taken_at: datetime
    """When it was taken: aware, UTC."""
    expires_at: datetime
    """When it is over unless it is renewed: aware, UTC."""
    seconds: float
    """How long it lasts from when it is taken or renewed."""


@attrs.frozen
class ReleasedLease:
    """A lease that is over."""

    lease: Lease
    """As it was."""
    reason: Ending
    """Why."""


@attrs.frozen
class PresenceUpdate:
    """Payload on `presence:update`: what has changed. Times of agents and renewals are not told."""

    joined: tuple[Agent, ...] = ()
    """Agents that are there and were not before."""
    changed: tuple[Agent, ...] = ()
    """Agents that are still there, with another status, another team, or more that tells of them."""
    left: tuple[Agent, ...] = ()
    """Agents that are gone."""
    forgotten: tuple[str, ...] = ()
    """Names of agents that are not known any more."""
    taken: tuple[Lease, ...] = ()
    """Leases that were taken."""
    released: tuple[ReleasedLease, ...] = ()
    """Leases that are over."""
