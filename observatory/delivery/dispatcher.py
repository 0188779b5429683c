"""Hands what was committed to every lane."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

import trio

from observatory.abc import Adopt
from observatory.delivery.dead_letters import DeadLetters
from observatory.delivery.lane import Lane
from observatory.delivery.parcel import Parcel, Waiter, Wanted
from observatory.errors import UnknownNameError
from observatory.jobs import Post, Retraction
from observatory.messages import Delivery


class Dispatcher:
    """All lanes of an Observatory.

    Args:
        lanes: one per delivery channel.
        dead_letters: where the lanes put what they give up.
    """

    def __init__(self, lanes: Sequence[Lane], dead_letters: DeadLetters) -> None:
        self.lanes = {lane.name: lane for lane in lanes}
        self.dead_letters = dead_letters
        self.required = frozenset(lane.name for lane in lanes if lane.required)
        """Names of the delivery channels that a send waits for."""
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

    def retractions(self, to: str, ids: Sequence[str], waiter: Waiter) -> list[Parcel]:
        """Return the jobs that take messages back everywhere; their dead letters are forgotten at once."""
        if not self.lanes:
            return []
        self.dead_letters.discard(ids, self.lanes)
        return [Parcel(Retraction(to, id), {}, self.required, waiter=waiter) for id in ids]

    def look_again(self, unread: Mapping[tuple[str, str], Wanted]) -> None:
        """Let every post under way look at the table that is the table now.

        Args:
            unread: every message that is unread there, by recipient and id.
        """
        under_way = [lane.parcels() for lane in self.lanes.values()]
        for parcel in chain(*under_way, self.dead_letters.parcels()):
            job = parcel.job
            if isinstance(job, Post):
                parcel.wanted = unread.get((parcel.to, job.message.id), parcel.wanted)

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

    def restore(self, parcels: Sequence[Parcel]) -> None:
        """Give parcels to the delivery channels that recover: they must come to agree with the table."""
        for lane in self.lanes.values():
            if lane.channel.recovers:
                lane.offer(parcels)

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Let every delivery channel that can find earlier messages do so."""
        for lane in self.lanes.values():
            if lane.channel.recovers:
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
