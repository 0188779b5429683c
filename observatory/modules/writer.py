"""The Mailbox's task: the table's only writer. It takes all waiting requests as one batch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

import trio

from observatory.abc import StorageBackend
from observatory.clock import Clock
from observatory.delivery.dispatcher import Dispatcher
from observatory.delivery.parcel import Parcel
from observatory.entries import Entry, Sent
from observatory.errors import ClosedError, ObservatoryError, OutcomeUnknownError, PluginError, StorageError
from observatory.garbage import NoSearchForGarbage
from observatory.messages import Message
from observatory.modules.arrivals import Arrivals
from observatory.modules.foreign import AdoptForeign
from observatory.modules.recovery import Recovery
from observatory.modules.request import Office, Request
from observatory.modules.table import Table
from observatory.modules.upkeep import CleanUp, Expire, Record
from observatory.pubsub import PubSub
from observatory.settings import MailboxSettings

T = TypeVar("T")

_rank = attrgetter("rank")
_NUMBERED = Message, Sent  # what storage gives a number to; a union would be made anew for each
_CLEANUP_BATCH = 1_000
_EXPIRY_BATCH = 100
_RECORD_BATCH = 1_000
_RECORD_INTERVAL = 1.0  # seconds; what a crash takes of the ledger is found out again by recovery


class Writer:
    """Serves requests, in batches.

    Args:
        table: what is written.
        settings: how many requests may wait, and when to clean up.
        storage: where a batch is committed.
        dispatcher: the lanes that get what was committed.
        recover: whose messages the delivery channels are asked for; None for everybody's.
        pubsub: where it is published.
        arrivals: who waits for a message.
        clock: tells what is old.
    """

    def __init__(
        self,
        table: Table,
        *,
        settings: MailboxSettings,
        storage: StorageBackend,
        dispatcher: Dispatcher,
        recover: Collection[str] | None,
        pubsub: PubSub,
        arrivals: Arrivals,
        clock: Clock,
    ) -> None:
        self._table = table
        self._settings = settings
        self._storage = storage
        self._dispatcher = dispatcher
        self._recover = recover
        self._clock = clock
        self._office = Office(table, dispatcher, storage.durability, pubsub, arrivals)
        self._loaded = False  # the table has been filled, and delivery channels have been asked
        self._sound = False  # nothing has happened since that could make the table differ from storage
        self._closing = False
        self._ended = False
        self._waiting = 0  # requests that were taken and are not served yet
        self._served = trio.lowlevel.ParkingLot()
        self._requests_in, self._requests = trio.open_memory_channel[Request[Any]](settings.max_requests)
        self.left_behind = 0
        """Messages found at recovery that had no room or were not allowed."""

    async def submit(self, request: Request[T], *, while_closing: bool = False) -> T:
        """Hand a request to the task and wait for its answer; senders are held back while too many wait.

        Args:
            request: the request.
            while_closing: whether it is taken as long as the task serves at all.

        Raises:
            ClosedError: when no request is taken any more.
        """
        if self._closing and not while_closing:
            raise ClosedError("this Observatory is closing; nothing is accepted any more")
        if self._ended:
            raise ClosedError("this Observatory is closed")
        try:
            self._requests_in.send_nowait(request)
        except trio.WouldBlock:
            await self._requests_in.send(request)
        self._waiting += 1
        if not request.answered:
            request.expect(trio.lowlevel.current_task())
            await trio.lowlevel.wait_task_rescheduled(request.withdraw)
        return request.result()

    async def adopt(self, messages: Sequence[Message], origin: str) -> None:
        """Take messages in that another process has delivered through a delivery channel of this name."""
        request = AdoptForeign(messages, origin, self._clock.now(), self._dispatcher.dead_letters)
        left_behind = await self.submit(request)
        self.left_behind += left_behind
        self._dispatcher.retract_again(request.unwanted, self._table.leaving)

    async def record(self) -> None:
        """Let storage know what has become of deliveries; also while closing, when the last ones are carried out."""
        await trio.lowlevel.checkpoint()
        if self._storage.durability != "memory":
            await self._tell()

    async def _tell(self) -> None:
        while await self.submit(Record(self._dispatcher, _RECORD_BATCH), while_closing=True):
            pass

    async def close(self) -> None:
        """Take no more requests, and wait until those that were taken are served."""
        self._closing = True
        while self._waiting > 0:
            await self._served.park()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Fill the table, then serve until cancelled."""
        await self._fill_table()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._clean_up_regularly)
            nursery.start_soon(self._record_regularly)
            nursery.start_soon(self._expire)
            task_status.started()
            while True:
                await self._serve([await self._requests.receive(), *self._take_waiting()])

    def end(self) -> None:
        """Let everybody go who waits, and accept nothing any more: `run` will not be called again."""
        self._closing = self._ended = True
        waiting = self._take_waiting()
        for request in waiting:
            request.fail(ClosedError("this Observatory was closed before its turn came; nothing has happened"))
        self._note_served(len(waiting))

    async def _fill_table(self) -> None:
        """Start with what is remembered; after a failure go on with the table where it is sound."""
        if self._sound and self._table.audit():
            return
        self._sound = False
        fresh = Table(self._settings, self._table.leaving)
        recovery = Recovery(fresh, self._storage, self._dispatcher, self._clock.now())
        with NoSearchForGarbage():
            await recovery.from_storage()
            if self._loaded:
                recovery.catch_up(self._table, self._office)
            else:
                recovery.deliveries()
                await recovery.from_channels(self._recover)
                self.left_behind = recovery.left_behind
        self._table.replace(fresh)
        self._loaded = self._sound = True

    def _take_waiting(self) -> list[Request[Any]]:
        batch: list[Request[Any]] = []
        receive_nowait = self._requests.receive_nowait
        try:
            while True:
                batch.append(receive_nowait())
        except trio.WouldBlock:
            return batch

    def _note_served(self, count: int) -> None:
        self._waiting -= count
        self._served.unpark_all()

    async def _serve(self, batch: list[Request[Any]]) -> None:
        try:
            for _, requests in groupby(sorted(batch, key=_rank), key=_rank):
                await self._commit(list(requests))
        except BaseException:
            self._sound = False  # whether it was committed is for storage to say
            for request in batch:
                if not request.settling:
                    request.fail(OutcomeUnknownError("the Mailbox's task ended with this request in hand"))
            raise
        finally:
            self._note_served(len(batch))

    async def _commit(self, requests: list[Request[Any]]) -> None:
        if self._dispatcher.required:
            await self._dispatcher.wait_for_room(sum([request.weight(self._table) for request in requests]))
        planned: list[Request[Any]] = []
        log: list[Entry] = []
        for request in requests:
            if request.withdrawn:
                request.settling = True
            elif entries := request.plan(self._table):
                planned.append(request)
                log.extend(entries)
        if not planned:
            return
        try:
            numbers = await self._storage.append(log)
        except StorageError as error:
            self._refuse(planned, error)
            return
        expected = sum([isinstance(entry, _NUMBERED) for entry in log])
        if len(numbers) != expected:  # nothing is applied then, and the table is filled again
            raise PluginError("storage", f"the backend gave {len(numbers)} numbers for {expected} messages")
        parcels: list[Parcel] = []
        in_order = iter(numbers)
        trail = self._dispatcher.trail
        trail.begin_turn()
        try:
            for request in planned:
                parcels += request.apply(self._office, in_order)
                request.settling = True
            trail.end_turn()
        finally:  # those that were applied are answered when their parcels are
            if parcels:
                self._dispatcher.offer(parcels)
        leaving = self._table.leaving
        self._dispatcher.retract_again(leaving.doubted(), leaving)

    def _refuse(self, requests: list[Request[Any]], cause: StorageError) -> None:
        """Nothing was committed, so nothing has happened; each waiting task gets an error of its own."""
        for request in reversed(requests):
            request.undo(self._table)
            error = StorageError(str(cause))
            error.__cause__ = cause
            request.fail(error)

    async def _clean_up_regularly(self) -> None:
        while True:
            await trio.sleep(self._settings.cleanup_interval)
            with suppress(ObservatoryError):  # the next one will do
                await self._clean_up()
                await self._tell()  # storage in memory, too, lets go of what expired and is forgotten

    async def _record_regularly(self) -> None:
        while self._storage.durability != "memory":
            await trio.sleep(_RECORD_INTERVAL)
            with suppress(ObservatoryError):
                await self.record()

    async def _expire(self) -> None:
        while True:
            await self._table.expiries.wait(self._clock)
            try:
                await self.submit(Expire(self._clock.now(), _EXPIRY_BATCH))
            except ObservatoryError:
                await trio.sleep(_RECORD_INTERVAL)

    async def _clean_up(self) -> None:
        horizon = self._clock.now().timestamp() - self._settings.cleanup_age  # no datetime: an age may mean "never"
        removed = first = await self.submit(CleanUp(horizon, _CLEANUP_BATCH))
        while removed == _CLEANUP_BATCH:
            removed = await self.submit(CleanUp(horizon, _CLEANUP_BATCH))
        if first:
            await self._storage.compact()
