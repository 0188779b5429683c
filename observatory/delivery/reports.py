"""What a lane tells of its jobs: to those who wait for them, among the dead letters, in its figures."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from observatory.clock import Clock
from observatory.delivery.dead_letters import DeadLetters
from observatory.delivery.ledger import Ledger
from observatory.delivery.parcel import Parcel
from observatory.jobs import Done, Failed, Post, Skipped
from observatory.messages import DeadLetter, Delivery, Message

_log = logging.getLogger("observatory.delivery")

_CLOSED = "Observatory was closed before it was delivered"


class Reports:
    """The reports of one lane.

    Args:
        name: the delivery channel's.
        clock: tells when something was given up.
        dead_letters: where that is kept.
        ledger: where every report on a message is kept.
    """

    def __init__(self, name: str, clock: Clock, dead_letters: DeadLetters, ledger: Ledger) -> None:
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
        self._ledger = ledger
        self._now = clock.now()
        self._retracted = Delivery(name, "dropped", error="acknowledged before it was delivered")
        self._overflown = Delivery(name, "dropped", error="the lane was full")
        self._found = Delivery(name, "written")
        self._done = Done("sent"), Delivery(name, "sent", 1)  # the last outcome and what was reported of it

    def begin(self) -> None:
        """Look at the clock: for what is reported until the next time."""
        self._now = self._clock.now()

    def report(self, parcel: Parcel, delivery: Delivery) -> None:
        """Tell who waits, and the ledger."""
        job = parcel.job
        if isinstance(job, Post):
            self._ledger.note(job.message.id, delivery, self._now)
        parcel.report(delivery)

    def found(self, messages: Iterable[Message]) -> None:
        """Note that the delivery channel has messages that were delivered earlier, and not reported on to the end."""
        self._ledger.found([message.id for message in messages], self._found, self._now)

    def done(self, parcel: Parcel, outcome: Done, attempts: int) -> None:
        """Report that a job was carried out."""
        self.delivered += 1
        known, delivery = self._done
        if outcome is not known or attempts != delivery.attempts:
            delivery = Delivery(self._name, outcome.state, attempts, outcome.durability)
            self._done = outcome, delivery
        self.report(parcel, delivery)

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
        delivery = Delivery(self._name, "retrying", attempts, error=error)
        for parcel in parcels:
            self.report(parcel, delivery)

    def closed(self, parcel: Parcel) -> None:
        """Let go whoever still waits for an outcome."""
        self.report(parcel, self.queued(_CLOSED))

    def retracted(self, parcel: Parcel) -> None:
        """Report that a post was dropped, since nobody wants it any more."""
        self.dropped += 1
        self.report(parcel, self._retracted)

    def skipped(self, parcel: Parcel, outcome: Skipped) -> None:
        """Report that there was nobody to take it."""
        self.dropped += 1
        self.report(parcel, Delivery(self._name, "dropped", error=outcome.reason))

    def overflown(self, parcel: Parcel) -> None:
        """Report that a post was dropped for want of room."""
        self.dropped += 1
        self.report(parcel, self._overflown)

    def given_up(self, parcel: Parcel, error: str, attempts: int) -> None:
        """Report that a post is a dead letter, unless nobody wants it any more."""
        job = parcel.job
        if parcel.retracted or not isinstance(job, Post):
            self.retracted(parcel)
            return
        self.dead += 1
        letter = DeadLetter(job.message, job.sequence, self._name, attempts, error, self._now)
        self._dead_letters.add(letter, parcel)
        self.report(parcel, Delivery(self._name, "dead", attempts, error=error))

    def owed(self, parcels: Sequence[Parcel], error: str, *, new: bool) -> None:
        """Report that messages of one recipient cannot be taken back yet; the log hears of the first ones."""
        if new:
            _log.warning("%s cannot take back messages of %r yet: %s", self._name, parcels[0].to, error)
        self.retrying(parcels, error, 1)
