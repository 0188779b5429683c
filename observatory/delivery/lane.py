"""One delivery channel's bounded buffer, its task and its statistics."""

from __future__ import annotations

import logging
import math
import random
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

import trio

from observatory.abc import Adopt, DeliveryChannel
from observatory.clock import Clock
from observatory.delivery.dead_letters import DeadLetters
from observatory.delivery.owed import Owed
from observatory.delivery.parcel import Parcel
from observatory.delivery.recipients import Recipient, Recipients
from observatory.delivery.statistics import LaneStatistics
from observatory.errors import PluginError, one_line
from observatory.jobs import Done, Dropped, Failed, Job, Outcome, Post
from observatory.messages import DeadLetter, Delivery
from observatory.settings import DeliverySettings

_log = logging.getLogger("observatory.delivery")

_CLOSED = "Observatory was closed before it was delivered"


class Lane:
    """Brings parcels to one delivery channel, in batches, in order, again where it fails.

    A lane that is required makes the Mailbox wait for room; one that is not drops its oldest.
    """

    def __init__(
        self,
        name: str,
        channel: DeliveryChannel,
        *,
        required: bool,
        settings: DeliverySettings,
        clock: Clock,
        dead_letters: DeadLetters,
        chance: random.Random,
    ) -> None:
        self.name = name
        self.channel = channel
        self.required = required
        self._settings = settings
        self._clock = clock
        self._dead_letters = dead_letters
        self._queue: deque[Parcel] = deque()
        self._in_hand: list[Parcel] = []
        self._due: dict[str, int] = {}  # recipients tried again with the batch in hand, and their attempts so far
        self._recipients = Recipients(settings, chance)
        self._owed = Owed(settings.dead_letters, settings.retry_total)
        self._unmarked = 0  # dropped posts that the delivery channel has not been told of
        self._opened = False
        self._work = trio.Event()
        self._progress = trio.lowlevel.ParkingLot()
        self._delivered = self._failures = self._dropped = self._dead = 0
        self._error: str | None = None
        self._retracted = Delivery(name, "dropped", error="acknowledged before it was delivered")
        self._overflown = Delivery(name, "dropped", error="the lane was full")
        self._done = Done("sent"), Delivery(name, "sent", 1)  # the last outcome and what was reported of it

    @property
    def in_use(self) -> int:
        """How many jobs it holds."""
        return len(self._queue) + len(self._in_hand) + len(self._recipients)

    @property
    def room(self) -> int:
        """How many more jobs it takes."""
        return self._settings.lane_capacity - self.in_use

    @property
    def undelivered(self) -> int:
        """How many jobs it holds, with the retractions that it owes."""
        return self.in_use + len(self._owed)

    def statistics(self) -> LaneStatistics:
        """Return the lane's figures."""
        return LaneStatistics(
            required=self.required,
            capacity=self._settings.lane_capacity,
            queued=len(self._queue) + len(self._in_hand),
            backing_off=len(self._recipients),
            delivered=self._delivered,
            failures=self._failures,
            dropped=self._dropped,
            dead=self._dead,
            owed=len(self._owed),
            forgotten=self._owed.forgotten,
            error=self._error,
        )

    def parcels(self) -> Iterator[Parcel]:
        """Go through everything it holds."""
        return chain(self._in_hand, self._queue, self._recipients.parcels())

    def offer(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels; never waits. One that is not required drops its oldest when full."""
        self._queue.extend(parcels)
        if not self.required:
            self._drop_overflow()
        self._work.set()

    async def wait_for_room(self, count: int) -> None:
        """Wait until it takes `count` more jobs, or has nothing left to do but to try again.

        What is more than it could ever hold would else wait for recipients that back off, and everybody with it.
        """
        while self.room < count and (self._queue or self._in_hand):
            await self._progress.park()

    def retry_owed(self) -> None:
        """Try the retractions again that failed for a whole schedule."""
        self.offer(self._owed.take_any(max(self.room, 0)))

    async def drain(self) -> None:
        """Wait until it holds nothing; what it owes is tried once more."""
        self.retry_owed()
        while self.in_use:
            await self._progress.park()

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Let the delivery channel find what was delivered earlier and not acknowledged."""
        await self._open()
        await self.channel.recover(agents, adopt)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Deliver until cancelled."""
        task_status.started()
        while True:
            await self._wait_for_work()
            self._take_batch()
            outcomes = await self._attempt([parcel.job for parcel in self._in_hand]) if self._in_hand else ()
            self._settle(outcomes)
            self._progress.unpark_all()

    async def aclose(self) -> None:
        """Close the delivery channel, and let go whoever still waits for an outcome."""
        for parcel in (*self._in_hand, *self._queue):
            parcel.report(Delivery(self.name, "queued", error=_CLOSED))
        if self._opened:
            self._opened = False
            try:
                await self.channel.aclose()
            except Exception as error:  # noqa: BLE001 -- the same edge: what is closed cannot fail anybody any more
                _log.warning("delivery channel %s could not be closed", self.name, exc_info=error)

    async def _open(self) -> None:
        if not self._opened:
            await self.channel.start()
            self._opened = True

    async def _wait_for_work(self) -> None:
        if not self._queue and not self._in_hand:  # a batch in hand is one that an earlier run failed with
            self._work = trio.Event()
            deadline = min(self._recipients.next_deadline(), self._owed.deadline)
            if deadline == math.inf:
                await self._work.wait()
            else:
                with trio.move_on_at(deadline):
                    await self._work.wait()

    def _take_batch(self) -> None:
        size = self._settings.batch_size
        batch = self._in_hand
        now = trio.current_time()
        self._queue.extend(self._owed.take_due(now))
        backing_off = self._recipients.by_name
        for parcel in self._recipients.take_due(now, size - len(batch)):
            self._due.setdefault(parcel.to, backing_off[parcel.to].attempts)
            self._take(parcel)
        queue = self._queue
        while queue and len(batch) < size:
            parcel = queue.popleft()
            if backing_off and parcel.to in backing_off:
                self._wait_behind(backing_off[parcel.to], parcel)
            else:
                self._take(parcel)

    def _take(self, parcel: Parcel) -> None:
        wanted = parcel.wanted
        if wanted is None or wanted.live:
            self._in_hand.append(parcel)
        else:
            self._drop(parcel, self._retracted)

    def _wait_behind(self, recipient: Recipient, parcel: Parcel) -> None:
        if self._recipients.wait(recipient, parcel):
            parcel.report(recipient.queued)
        else:
            self._give_up(parcel, f"too many deliveries wait for this recipient: {recipient.queued.error}", 0)

    def _drop_overflow(self) -> None:
        for _ in range(-self.room):
            parcel = self._queue.popleft()
            if isinstance(parcel.job, Post):
                self._drop(parcel, self._overflown)
                self._unmarked += 1
            else:
                self._owe(parcel, self._overflown)

    def _drop(self, parcel: Parcel, report: Delivery) -> None:
        self._dropped += 1
        parcel.report(report)

    async def _attempt(self, jobs: list[Job]) -> Sequence[Outcome]:
        marker = [Dropped(self._unmarked)] if self._unmarked else []
        try:
            await self._open()
            outcomes = await self.channel.deliver(marker + jobs)
            if len(outcomes) != len(marker) + len(jobs):
                raise PluginError(self.name, f"gave {len(outcomes)} outcomes for {len(marker) + len(jobs)} jobs")
            if marker and isinstance(outcomes[0], Done):
                self._unmarked -= marker[0].count
            return outcomes[len(marker) :]
        except Exception as error:  # noqa: BLE001 -- one of the four edges: a failure is an outcome
            reason = one_line(error)
            again = reason == self._error
            _log.warning("delivery channel %s failed: %s", self.name, reason, exc_info=None if again else error)
            return [Failed(reason)] * len(jobs)

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        batch, self._in_hand = self._in_hand, []
        due, self._due = self._due, {}
        failed: dict[str, list[Parcel]] = {}
        errors: dict[str, str] = {}
        failures = self._failures
        for parcel, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Done):
                parcel.report(self._report_of(outcome, due.get(parcel.to, 0) + 1 if due else 1))
                continue
            if not isinstance(outcome, Failed):
                outcome = Failed(f"{self.name} gave a {type(outcome).__name__} for an outcome")
            self._failures += 1
            self._error = outcome.error
            if outcome.permanent:
                self._give_up(parcel, outcome.error, due.get(parcel.to, 0) + 1)
            else:
                failed.setdefault(parcel.to, []).append(parcel)
                errors.setdefault(parcel.to, outcome.error)
        self._delivered += len(batch) - (self._failures - failures)
        for name, parcels in failed.items():
            self._retry_later(name, parcels, errors[name])
        for name in due.keys() - failed.keys():
            self._recipients.settle(name, trio.current_time())
        if self._owed:
            reached = {parcel.to for parcel, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, Done)}
            for name in reached:
                self._queue.extend(self._owed.take(name, max(self.room, 0)))

    def _report_of(self, outcome: Done, attempts: int) -> Delivery:
        known, delivery = self._done
        if outcome is not known or attempts != delivery.attempts:
            delivery = Delivery(self.name, outcome.state, attempts, outcome.durability)
            self._done = outcome, delivery
        return delivery

    def _retry_later(self, name: str, parcels: list[Parcel], error: str) -> None:
        now = trio.current_time()
        recipient = self._recipients.fail(name, Delivery(self.name, "queued", error=error), now)
        excess = self._recipients.put_back(recipient, parcels)
        for parcel in excess:
            self._give_up(parcel, f"too many deliveries wait for this recipient: {error}", recipient.attempts)
        if self._recipients.exhausted(recipient, now):
            for parcel in self._recipients.forget(recipient):
                self._give_up(parcel, error, recipient.attempts)
        else:
            retrying = Delivery(self.name, "retrying", recipient.attempts, error=error)
            for parcel in parcels[: len(parcels) - len(excess)]:
                parcel.report(retrying)

    def _give_up(self, parcel: Parcel, error: str, attempts: int) -> None:
        if parcel.retracted:
            self._drop(parcel, self._retracted)
            return
        job = parcel.job
        delivery = Delivery(self.name, "dead", attempts, error=error)
        if not isinstance(job, Post):
            _log.warning("%s could not take back message %s of %r yet: %s", self.name, job.id, job.to, error)
            self._owe(parcel, delivery)
            return
        self._dead += 1
        letter = DeadLetter(job.message, job.sequence, self.name, attempts, error, self._clock.now())
        self._dead_letters.add(letter, parcel)
        parcel.report(delivery)

    def _owe(self, parcel: Parcel, report: Delivery) -> None:
        self._owed.add(parcel, trio.current_time())
        parcel.report(report)
