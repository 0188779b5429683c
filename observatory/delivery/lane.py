"""One delivery channel's bounded buffer, its task and its statistics."""

from __future__ import annotations

import logging
import math
import random
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

import trio

from observatory.abc import Adopt, DeliveryChannel, Gone
from observatory.delivery.owed import Owed
from observatory.delivery.parcel import Parcel, Recall, by_turn
from observatory.delivery.recipients import Recipient, Recipients
from observatory.delivery.reports import Reports
from observatory.errors import PluginError, one_line
from observatory.jobs import Done, Dropped, Failed, Job, Outcome, Post, Skipped
from observatory.messages import Delivery, DeliveryRecord, DeliveryState, Durability, Message
from observatory.overview import LaneStatistics
from observatory.settings import DeliverySettings

_log = logging.getLogger("observatory.delivery")
_TOO_MANY = "too many deliveries wait for this recipient: {}"


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
        reports: Reports,
        chance: random.Random,
    ) -> None:
        self.name = name
        self.channel = channel
        self.required = required
        self._settings = settings
        self.ledger = reports.ledger
        self._reports = reports
        self._queue: deque[Parcel] = deque()
        self._in_hand: list[Parcel] = []
        self._due: dict[str, int] = {}  # recipients tried again with the batch in hand, and their attempts so far
        self._recipients = Recipients(settings, chance)
        self._owed = Owed(settings, chance)
        self._unmarked = 0  # dropped posts that the delivery channel has not been told of
        self._opened = False
        self._opening = trio.Lock()
        self._work = trio.lowlevel.ParkingLot()
        self._progress = trio.lowlevel.ParkingLot()

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
            delivered=self._reports.delivered,
            failures=self._reports.failures,
            dropped=self._reports.dropped,
            dead=self._reports.dead,
            owed=len(self._owed),
            forgotten=self._owed.forgotten,
            error=self._reports.error,
        )

    def delivery(self, id: str) -> DeliveryRecord | None:
        """Return how far it has come with a message; None when it knows nothing of it."""
        record = self.ledger.get(id)
        if record is None:
            post = next((parcel.job for parcel in self.parcels() if parcel.id == id), None)
            if isinstance(post, Post):
                since = post.message.timestamp
                record = DeliveryRecord(id, Delivery(self.name, "queued"), since, since)
        return record

    def parcels(self) -> Iterator[Parcel]:
        """Go through everything it holds."""
        return chain(self._in_hand, self._queue, self._recipients.parcels())

    def offer(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels; never waits. One that is not required drops its oldest posts when full."""
        if self.required or len(parcels) <= self.room:
            self._queue.extend(parcels)
        else:
            self._queue.extend([parcel for parcel in parcels if not isinstance(parcel, Recall)])
            recalls = [parcel for parcel in parcels if isinstance(parcel, Recall)]  # no post goes for one of them
            self._drop(recalls + [self._queue.popleft() for _ in range(min(-self.room, len(self._queue)))])
        if self._queue:  # else what it holds waits for its time
            self._work.unpark_all()

    async def wait_for_room(self, count: int) -> None:
        """Wait until it takes `count` more jobs, or has nothing left to do but to try again.

        What is more than it could ever hold would else wait for recipients that back off, and everybody with it.
        """
        while self.room < count and (self._queue or self._in_hand):
            await self._progress.park()

    def retry_owed(self) -> None:
        """Try the retractions that it owes now."""
        self._owed.hurry(trio.current_time())
        self._work.unpark_all()

    async def drain(self) -> None:
        """Wait until it holds nothing, and owes nothing that is due."""
        while self.in_use or self._owed.next_deadline() <= trio.current_time():
            await self._progress.park()

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Let the delivery channel find what was delivered earlier and not acknowledged."""

        async def take(messages: Sequence[Message]) -> None:
            await adopt(messages)
            self._reports.found(messages)

        await self._open()
        self._reports.begin()
        await self.channel.recover(agents, take)

    async def watch(  # noqa: ASYNC128 -- the delivery channel says that it has started
        self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Let the delivery channel tell what other processes do where it keeps its own."""
        await self._open()
        await self.channel.watch(adopt, gone, task_status=task_status)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Deliver until cancelled."""
        task_status.started()
        while True:
            await self._wait_for_work()
            self._reports.begin()
            self._take_batch()
            outcomes = await self._attempt([parcel.job for parcel in self._in_hand]) if self._in_hand else ()
            self._reports.begin()
            self._settle(outcomes)
            self._progress.unpark_all()

    async def aclose(self) -> None:
        """Close the delivery channel, and let go whoever still waits for an outcome."""
        self._reports.closed([*self._in_hand, *self._queue])
        if self._opened:
            self._opened = False
            try:
                await self.channel.aclose()
            except Exception as error:  # noqa: BLE001 -- the same edge: what is closed cannot fail anybody any more
                _log.warning("delivery channel %s could not be closed", self.name, exc_info=error)

    async def _open(self) -> None:
        if self._opened:
            return
        async with self._opening:  # the Mailbox recovers, and the lane delivers
            if self._opened:
                return
            await self.channel.start()
            self._opened = True

    async def _wait_for_work(self) -> None:
        deadline = min(self._recipients.next_deadline(), self._owed.next_deadline())
        if self._queue or self._in_hand:  # a batch in hand is one that an earlier run failed with
            await trio.lowlevel.checkpoint()  # delivering needs not have been one
        elif deadline == math.inf:
            await self._work.park()
        else:
            with trio.move_on_at(deadline):
                await self._work.park()

    def _take_batch(self) -> None:
        batch, size = self._in_hand, self._settings.batch_size
        now = trio.current_time()
        backing_off = self._recipients.by_name
        due = self._recipients.take_due(now, size - len(batch))
        taken: list[Parcel] = []
        behind: defaultdict[Delivery, list[Parcel]] = defaultdict(list)
        room = size - len(batch) - len(due)
        while self._queue and len(taken) < room:
            parcel = self._queue.popleft()
            if backing_off and parcel.to in backing_off and not isinstance(parcel, Recall):
                self._wait_behind(backing_off[parcel.to], parcel, behind)
            else:
                taken.append(parcel)
        for queued, parcels in behind.items():
            self._reports.report(parcels, queued)
        self._due = {parcel.to: backing_off[parcel.to].attempts for parcel in due} | self._due
        # Retractions come first, since acknowledging waits for them, and a delivery channel does not try what follows a
        # failure for the same recipient. What they take back does not come after them: nobody wants it any more.
        for parcel in chain(sorted(taken, key=by_turn), due):
            if parcel.wanted.live:
                batch.append(parcel)
            else:
                self._reports.retracted(parcel)
        batch += self._owed.take_due(now, size - len(batch))

    def _wait_behind(self, recipient: Recipient, parcel: Parcel, behind: defaultdict[Delivery, list[Parcel]]) -> None:
        if self._recipients.wait(recipient, parcel):
            behind[recipient.queued].append(parcel)
        else:
            self._reports.given_up(parcel, _TOO_MANY.format(recipient.queued.error or ""), 0)

    def _drop(self, parcels: Sequence[Parcel]) -> None:
        self._reports.begin()
        for parcel in parcels:
            if isinstance(parcel, Recall):
                self._owe([parcel], "the lane was full")
                self._work.unpark_all()
        posts = [parcel for parcel in parcels if not isinstance(parcel, Recall)]
        self._reports.overflown(posts)
        self._unmarked += len(posts)

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
            again = reason == self._reports.error
            _log.warning("delivery channel %s failed: %s", self.name, reason, exc_info=None if again else error)
            return [Failed(reason)] * len(jobs)

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        batch, self._in_hand = self._in_hand, []
        due, self._due = self._due, {}
        failed: dict[str, list[Parcel]] = {}
        owed: dict[str, list[Recall]] = {}
        errors: dict[tuple[str, bool], str] = {}  # by recipient, and whether it is a retraction's
        done: defaultdict[tuple[DeliveryState, int, Durability | None], list[Parcel]] = defaultdict(list)
        for parcel, outcome in zip(batch, outcomes, strict=True):
            attempts = due.get(parcel.to, 0) + 1 if due else 1
            if isinstance(outcome, Done):
                done[outcome.state, attempts, outcome.durability].append(parcel)
            elif isinstance(outcome, Skipped):
                self._reports.skipped(parcel, outcome)
            else:
                failure = self._reports.failure(outcome)
                errors.setdefault((parcel.to, isinstance(parcel, Recall)), failure.error)
                if isinstance(parcel, Recall):
                    owed.setdefault(parcel.to, []).append(parcel)
                elif failure.permanent:
                    self._reports.given_up(parcel, failure.error, attempts)
                else:
                    failed.setdefault(parcel.to, []).append(parcel)
        for alike, parcels in done.items():
            self._reports.done(parcels, *alike)
        now = trio.current_time()
        for name, parcels in failed.items():
            self._retry_later(name, parcels, errors[name, False], now)
        for name in due.keys() - failed.keys():
            self._recipients.settle(name, now)
        for name, recalls in owed.items():
            self._owe(recalls, errors[name, True])
        self._owed.settle(owed.keys(), now)

    def _retry_later(self, name: str, parcels: list[Parcel], error: str, now: float) -> None:
        recipient = self._recipients.fail(name, self._reports.queued(error), now)
        excess = self._recipients.put_back(recipient, parcels)
        for parcel in excess:
            self._reports.given_up(parcel, _TOO_MANY.format(error), recipient.attempts)
        if self._recipients.exhausted(recipient, now):
            for parcel in self._recipients.forget(recipient):
                self._reports.given_up(parcel, error, recipient.attempts)
        else:
            self._reports.retrying(parcels[: len(parcels) - len(excess)], error, recipient.attempts)

    def _owe(self, recalls: list[Recall], error: str) -> None:
        new = self._owed.add(recalls, trio.current_time())
        self._reports.owed(recalls, error, new=new)
