"""Hands what was committed to every lane."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

import trio

from observatory.abc import Adopt
from observatory.delivery.dead_letters import DeadLetters
from observatory.delivery.lane import Lane
from observatory.delivery.parcel import Holding, Parcel, Recall, Wanted
from observatory.delivery.trail import Trail
from observatory.entries import Forgotten, Settled
from observatory.errors import UnknownNameError
from observatory.jobs import Post, Retraction
from observatory.messages import DeadLetter, Delivery, DeliveryRecord


class Dispatcher:
    """All lanes of an Observatory.

    Args:
        lanes: one per delivery channel.
        dead_letters: where the lanes put what they give up.
        trail: the way of the latest messages.
    """

    def __init__(self, lanes: Sequence[Lane], dead_letters: DeadLetters, trail: Trail) -> None:
        self.lanes = {lane.name: lane for lane in lanes}
        self.dead_letters = dead_letters
        self.trail = trail
        self.required = frozenset(lane.name for lane in lanes if lane.required)
        """Names of the delivery channels that a send waits for."""
        self.recovering = frozenset(lane.name for lane in lanes if lane.channel.recovers)
        """Names of the delivery channels that can find earlier messages."""
        self._queued = {lane.name: Delivery(lane.name, "queued") for lane in lanes}

    @property
    def undelivered(self) -> int:
        """How many jobs all lanes hold and owe together."""
        return sum(lane.undelivered for lane in self.lanes.values())

    def new_deliveries(self) -> dict[str, Delivery]:
        """Return what a receipt says before any lane has reported."""
        return dict(self._queued)

    def await_also(self, names: Collection[str]) -> frozenset[str]:
        """Return the required delivery channels and these.

        Raises:
            UnknownNameError: there is no delivery channel of that name.
        """
        if not names:
            return self.required
        for name in names:
            if name not in self.lanes:
                raise UnknownNameError("delivery channel", name, self.lanes)
        return self.required.union(names)

    async def wait_for_room(self, count: int) -> None:
        """Wait until every required lane takes `count` more jobs."""
        for name in self.required:
            await self.lanes[name].wait_for_room(count)

    def offer(self, parcels: Sequence[Parcel]) -> None:
        """Give parcels to every lane; never waits."""
        for lane in self.lanes.values():
            lane.offer(parcels)

    def offer_live(self, parcels: Sequence[Parcel]) -> None:
        """Give parcels to the lanes that keep nothing: what others have kept is not kept again."""
        for lane in self.lanes.values():
            if lane.name not in self.recovering:
                lane.offer(parcels)

    def retractions(self, to: str, ids: Sequence[str], holding: Holding) -> list[Parcel]:
        """Return the jobs that take messages back everywhere; their dead letters are forgotten at once."""
        if not self.lanes:
            return []
        self.dead_letters.discard(ids, self.lanes)
        return [Recall(Retraction(to, id), self.required, self.recovering, holding) for id in ids]

    def retract_again(self, messages: Iterable[tuple[str, str]], holding: Holding) -> None:
        """Let the delivery channels that recover take back what nobody waits for.

        Args:
            messages: recipient and id of each.
            holding: told when they have.
        """
        parcels = [Recall(Retraction(*each), frozenset(), self.recovering, holding) for each in messages]
        for name in self.recovering if parcels else ():
            self.lanes[name].offer(parcels)

    def look_again(self, unread: Mapping[tuple[str, str], Wanted]) -> None:
        """Let every post under way look at the table that is the table now.

        Args:
            unread: every message that is unread there, by recipient and id.
        """
        under_way = [lane.parcels() for lane in self.lanes.values()]
        for parcel in chain(*under_way, self.dead_letters.parcels()):
            if isinstance(parcel.job, Post):
                parcel.wanted = unread.get((parcel.to, parcel.id), parcel.wanted)

    def redeliver(self, ids: Collection[str] | None) -> int:
        """Give dead letters to their lanes again, as far as there is room; return how many. What is owed is tried."""
        count = 0
        wanted = None if ids is None else frozenset(ids)
        for name, lane in self.lanes.items():
            parcels = self.dead_letters.take(name, wanted, max(lane.room, 0))
            lane.offer(parcels)
            lane.retry_owed()
            count += len(parcels)
        return count

    def deliveries(self, id: str) -> tuple[DeliveryRecord, ...]:
        """Return what the lanes know of a message."""
        return tuple(record for lane in self.lanes.values() if (record := lane.delivery(id)))

    def load(self, record: DeliveryRecord) -> None:
        """Take a delivery record that storage has replayed."""
        lane = self.lanes.get(record.delivery.channel)
        if lane is not None:
            lane.ledger.load(record)

    def noted(self, id: str) -> dict[str, Delivery]:
        """Return what the ledger says of a message, by delivery channel; what it does not know has not been tried."""
        records = {name: lane.ledger.get(id) for name, lane in self.lanes.items()}
        return {name: record.delivery if record else self._queued[name] for name, record in records.items()}

    def untold(self, limit: int) -> list[DeliveryRecord | Forgotten | DeadLetter | Settled]:
        """Return what storage has not been told of deliveries, of each lane up to `limit` records."""
        entries: list[DeliveryRecord | Forgotten | DeadLetter | Settled] = []
        gone: dict[str, None] = {}
        ledgers = [lane.ledger for lane in self.lanes.values()]
        for ledger in ledgers:
            records, forgotten = ledger.changes(limit)
            entries += records
            gone.update(dict.fromkeys(forgotten))
        ids = tuple(id for id in gone if not any(ledger.get(id) for ledger in ledgers))
        if ids:
            entries.append(Forgotten(records=ids))
        return [*entries, *self.dead_letters.untold()]

    def told(self, entries: Sequence[DeliveryRecord | Forgotten | DeadLetter | Settled]) -> None:
        """Note what storage has been told."""
        forgotten = [id for entry in entries if isinstance(entry, Forgotten) for id in entry.records]
        records = [entry for entry in entries if isinstance(entry, DeliveryRecord)]
        for name, lane in self.lanes.items():
            lane.ledger.told([record for record in records if record.delivery.channel == name], forgotten)
        self.dead_letters.told(entry for entry in entries if isinstance(entry, DeadLetter | Settled))

    def restore(self, parcels: Sequence[Parcel]) -> None:
        """Give parcels to the delivery channels that recover: they must come to agree with the table.

        What is a dead letter there stays one.
        """
        for name in self.recovering:
            self.lanes[name].offer([parcel for parcel in parcels if not self.dead_letters.holds(name, parcel.id)])

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Let every delivery channel that can find earlier messages do so."""
        for name, lane in self.lanes.items():
            if name in self.recovering:
                await lane.recover(agents, adopt)

    async def drain(self) -> None:
        """Wait until every lane holds nothing; what they owe is tried once more."""
        for lane in self.lanes.values():
            lane.retry_owed()
        for lane in self.lanes.values():
            await lane.drain()

    async def aclose(self) -> None:
        """Close every delivery channel, all at once."""
        async with trio.open_nursery() as nursery:
            for lane in self.lanes.values():
                nursery.start_soon(lane.aclose)
