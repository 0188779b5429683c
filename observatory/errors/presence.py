"""Errors about who is there, and who holds what."""

from __future__ import annotations

from datetime import datetime

from observatory.errors.tree import ObservatoryError


class UnknownRecipientError(ObservatoryError):
    """Raised when a message is for somebody of whom nobody has heard, and such are refused; nothing has happened.

    Attributes:
        to: the recipient.
        nearest: names that are known and near that, the nearest first; perhaps none.
    """

    to: str
    nearest: tuple[str, ...]

    def __init__(self, to: str, nearest: tuple[str, ...]) -> None:
        names = " or ".join([repr(name) for name in nearest])
        hint = f"; did you mean {names}?" if nearest else ""
        super().__init__(f'nobody has heard of {to!r}, and [mailbox] unknown_recipients is "refuse"{hint}')
        self.to = to
        self.nearest = nearest


class LeaseTakenError(ObservatoryError):
    """Raised when something is held already; nothing has happened.

    Attributes:
        resource: what was asked for.
        holder: the agent that holds it.
        expires_at: when its lease is over unless it is renewed: aware, UTC.
    """

    resource: str
    holder: str
    expires_at: datetime

    def __init__(self, resource: str, holder: str, expires_at: datetime) -> None:
        until = f"until {expires_at:%H:%M:%S} UTC, unless that is renewed"
        super().__init__(f"{resource!r:.200} is held by {holder!r} {until}; wait, or ask {holder!r}")
        self.resource = resource
        self.holder = holder
        self.expires_at = expires_at


class LeaseLostError(ObservatoryError):
    """Raised when there is no such lease any more: it was released, was not renewed in time, or its holder has ended.

    Attributes:
        id: the lease's id.
    """

    id: str

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no lease {id!r:.80} any more; what it was of may be somebody else's: take it anew")
        self.id = id


class LeaseLimitError(ObservatoryError):
    """Raised when there are as many leases as there may be; nothing has happened.

    Attributes:
        holder: who asked for one more.
        limit: the setting whose cap is reached, `presence.max_leases` or `presence.max_leases_each`.
    """

    holder: str
    limit: str

    def __init__(self, holder: str, limit: str, cap: int) -> None:
        super().__init__(f"{holder!r} cannot hold one more: {limit} is {cap}; release others, or raise the setting")
        self.holder = holder
        self.limit = limit
