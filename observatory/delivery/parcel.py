"""One job on its way through the lanes, and who waits for its first outcomes."""

from __future__ import annotations

from operator import attrgetter
from typing import ClassVar, Protocol

from observatory.jobs import Post, Retraction
from observatory.messages import Delivery


class Wanted(Protocol):
    """Tells whether a message is still unread in its mailbox; what is not is no longer delivered."""

    live: bool


class _Always:
    """What stays wanted whatever becomes of any message."""

    live = True


_ALWAYS = _Always()


class Waiter(Protocol):
    """Whoever waits for a parcel's first outcomes."""

    def settled(self, parcel: Parcel) -> None:
        """Called once, when every awaited lane has reported."""


class Holding(Waiter, Protocol):
    """Whoever keeps account of messages that are not wanted any more, and that delivery channels may still hold."""

    def held(self, to: str, id: str) -> None:
        """Called when a message begins to be taken back."""

    def taken_back(self, to: str, id: str) -> None:
        """Called when no delivery channel holds the message any longer."""


class Parcel:
    """A post or a retraction, shared by all lanes.

    Args:
        job: what the delivery channels are asked to do.
        deliveries: state per delivery channel, to begin with; becomes the receipt's.
        awaited: the delivery channels whose first outcome the waiter waits for.
        wanted: whether the message is still unread; None for a retraction, which is always wanted.
        waiter: who waits, or None.
    """

    __slots__ = ("_awaited", "_waiter", "deliveries", "job", "wanted")

    turn: ClassVar[int] = 1
    """When it comes in a batch: after whatever has a lower one."""

    def __init__(
        self,
        job: Post | Retraction,
        deliveries: dict[str, Delivery],
        awaited: frozenset[str] = frozenset(),
        wanted: Wanted | None = None,
        waiter: Waiter | None = None,
    ) -> None:
        self.job = job
        self.deliveries = deliveries
        self.wanted: Wanted = _ALWAYS if wanted is None else wanted
        self._awaited = awaited
        self._waiter = waiter if awaited else None  # else it would be held for as long as the parcel is

    @property
    def to(self) -> str:
        """The recipient."""
        return self.job.message.to if isinstance(self.job, Post) else self.job.to

    @property
    def id(self) -> str:
        """The message's id."""
        return self.job.message.id if isinstance(self.job, Post) else self.job.id

    @property
    def retracted(self) -> bool:
        """Whether its message was acknowledged or removed meanwhile."""
        return not self.wanted.live

    def report(self, delivery: Delivery) -> None:
        """Take a lane's report; once the waiter is gone, what it was given changes no more."""
        waiter = self._waiter
        if waiter is None:
            return
        channel, awaited = delivery.channel, self._awaited
        self.deliveries[channel] = delivery
        if channel not in awaited:
            return
        if len(awaited) > 1:
            self._awaited = awaited - {channel}
        else:
            self._waiter = None
            waiter.settled(self)


class Recall(Parcel):
    """A retraction that is over when the last of those delivery channels that may hold the message has carried it out.

    Args:
        job: which message.
        awaited: the delivery channels whose first outcome is waited for.
        holders: those that may hold it.
        holding: waits for the first outcomes, and for the end.
    """

    __slots__ = ("_holders", "_holding")

    turn: ClassVar[int] = 0

    def __init__(self, job: Retraction, awaited: frozenset[str], holders: frozenset[str], holding: Holding) -> None:
        super().__init__(job, {}, awaited, waiter=holding)
        self._holders = holders
        self._holding = holding
        if holders:
            holding.held(job.to, job.id)

    def report(self, delivery: Delivery) -> None:
        """Take a lane's report."""
        super().report(delivery)
        if delivery.channel in self._holders and delivery.state in ("written", "sent"):
            self._holders -= {delivery.channel}
            if not self._holders:
                self._holding.taken_back(self.to, self.id)


by_turn = attrgetter("turn")
"""Key to sort the parcels of a batch by."""
