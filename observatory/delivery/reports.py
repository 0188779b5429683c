"""What a lane tells of its jobs: to those who wait for them, among the dead letters, in its figures."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache

from observatory.clock import Clock
from observatory.delivery.dead_letters import DeadLetters
from observatory.delivery.ledger import Ledger
from observatory.delivery.parcel import Parcel
from observatory.delivery.trail import Trail
from observatory.jobs import Failed, Post, Skipped
from observatory.messages import DeadLetter, Delivery, DeliveryState, Durability, Message

_log = logging.getLogger("observatory.delivery")

_REMEMBERED = 16
"""Ways in which jobs were carried out whose `Delivery` is kept: the ledger holds thousands that fared alike."""

_CLOSED = "Observatory was closed before it was delivered"


class Reports:
    """The reports of one lane.

    Args:
        name: the delivery channel's.
        clock: tells when something was given up.
        dead_letters: where that is kept.
        ledger: where every report on a message is kept.
        trail: the way of the latest messages.
    """

    def __init__(self, name: str, clock: Clock, dead_letters: DeadLetters, ledger: Ledger, trail: Trail) -> None:
        self.delivered = 0
        """Jobs carried out."""
        self.failures = 0
        """Failed attempts."""
        self.dropped = 0
        """Posts that were dropped."""
        self.dead = 0
        """Deliveries given up."""
        self.error: str | None = None
        """The last failure."""
        self._name = name
        self._clock = clock
        self._dead_letters = dead_letters
        self.ledger = ledger
        """What the latest report on each message was."""
        self._trail = trail
        self._now = clock.now()
        self._retracted = Delivery(name, "dropped", error="acknowledged before it was delivered")
        self._overflown = Delivery(name, "dropped", error="the lane was full")
        self._found = Delivery(name, "written")
        self._delivery = lru_cache(_REMEMBERED)(Delivery)

    def begin(self) -> None:
        """Look at the clock: for what is reported until the next time."""
        self._now = self._clock.now()

    def report(self, parcels: Sequence[Parcel], delivery: Delivery) -> None:
        """Tell the ledger, the trail, and who waits."""
        posts = [job.message.id for parcel in parcels if isinstance(job := parcel.job, Post)]
        self.ledger.note(posts, delivery, self._now)
        if delivery.error is not None:
            self._trail.reported(posts, delivery, self._now)
        for parcel in parcels:
            parcel.report(delivery)

    def found(self, messages: Iterable[Message]) -> None:
        """Note that the delivery channel has messages that were delivered earlier, and not reported on to the end."""
        self.ledger.found([message.id for message in messages], self._found, self._now)

    def done(self, parcels: Sequence[Parcel], state: DeliveryState, attempts: int, level: Durability | None) -> None:
        """Report that jobs were carried out, all with the same outcome."""
        self.delivered += len(parcels)
        self.report(parcels, self._delivery(self._name, state, attempts, level))

    def failure(self, outcome: object) -> Failed:
        """Count a failed attempt, or an outcome that is none."""
        if not isinstance(outcome, Failed):
            outcome = Failed(f"{self._name} gave a {type(outcome).__name__} for an outcome")
        self.failures += 1
        self.error = outcome.error
        return outcome

    def queued(self, error: str) -> Delivery:
        """Return what is told of those that come while their recipient is backing off."""
        return Delivery(self._name, "queued", error=error)

    def retrying(self, parcels: Sequence[Parcel], error: str, attempts: int) -> None:
        """Report that jobs failed and are tried again."""
        self.report(parcels, Delivery(self._name, "retrying", attempts, error=error))

    def closed(self, parcels: Sequence[Parcel]) -> None:
        """Let go whoever still waits for an outcome."""
        self.report(parcels, self.queued(_CLOSED))

    def retracted(self, parcel: Parcel) -> None:
        """Report that a post was dropped, since nobody wants it any more."""
        self.dropped += 1
        self.report([parcel], self._retracted)

    def skipped(self, parcel: Parcel, outcome: Skipped) -> None:
        """Report that there was nobody to take it."""
        self.dropped += 1
        self.report([parcel], Delivery(self._name, "dropped", error=outcome.reason))

    def overflown(self, parcels: Sequence[Parcel]) -> None:
        """Report that posts were dropped for want of room."""
        self.dropped += len(parcels)
        self.report(parcels, self._overflown)

    def given_up(self, parcel: Parcel, error: str, attempts: int) -> None:
        """Report that a post is a dead letter, unless nobody wants it any more."""
        job = parcel.job
        if parcel.retracted or not isinstance(job, Post):
            self.retracted(parcel)
            return
        self.dead += 1
        letter = DeadLetter(job.message, job.sequence, self._name, attempts, error, self._now)
        self._dead_letters.add(letter, parcel)
        self.report([parcel], Delivery(self._name, "dead", attempts, error=error))

    def owed(self, parcels: Sequence[Parcel], error: str, *, new: bool) -> None:
        """Report that messages of one recipient cannot be taken back yet; the log hears of the first ones."""
        if new:
            _log.warning("%s cannot take back messages of %r yet: %s", self._name, parcels[0].to, error)
        self.retrying(parcels, error, 1)
