"""ProtocolTracker: the way of the latest messages, from being accepted to being acknowledged."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import ClassVar

import trio

from observatory.abc import Context, Module
from observatory.arguments import check_name
from observatory.delivery.dispatcher import Dispatcher
from observatory.delivery.trail import Track
from observatory.errors import ClosedError
from observatory.messages import HookEvent
from observatory.modules.checks import check_id, check_ids, check_limit
from observatory.modules.hook_events import EVENTS, agent_of
from observatory.modules.mailbox import Mailbox
from observatory.modules.surfacing import Surfacing
from observatory.security import Identity
from observatory.settings import TracesSettings
from observatory.traces import Hop, Surfaced, Trace, TraceStatistics, latencies

TOPIC = "protocols:update"

INTERVAL = 5.0
"""Seconds between two statistics."""

_MAX_EVENTS = 100
"""Events of one agent that are kept, for the traces of what it is sent."""

_MAX_AGENTS = 200
"""Agents whose events are kept: those that were heard of last."""

_LONGEST = 200
"""Characters of an event's name that are kept."""

_SIZE = 300
"""Bytes that each line of the figures is counted for."""

_ENDS = ("acknowledged", "cleared", "expired")


class ProtocolTracker(Module):
    """Traces of the latest messages: figures of them every 5 s on topic `protocols:update`.

    Args:
        context: what every module is handed.
        settings: how many hops a trace may have.
        mailbox: whose messages they are.
        dispatcher: holds the trail that their way has left, and what the delivery channels report.
    """

    exposes: ClassVar = ("get_traces", "get_trace", "get_statistics", "note_surfaced", "get_surfaced")

    def __init__(self, context: Context, *, settings: TracesSettings, mailbox: Mailbox, dispatcher: Dispatcher) -> None:
        self._clock = context.clock
        self._pubsub = context.pubsub
        self._max_hops = settings.max_hops
        self._mailbox = mailbox
        self._dispatcher = dispatcher
        self._trail = dispatcher.trail
        self._surfacing = Surfacing(mailbox, context.clock)
        self._events: OrderedDict[str, deque[Hop]] = OrderedDict()  # by agent, the one heard of last at the end

    def get_traces(self, agent: str | None = None, *, limit: int = 50, identity: Identity | None = None) -> list[Trace]:
        """Return the traces of the latest messages, newest first.

        Args:
            agent: only of those that it has sent or is sent.
            limit: how many.
            identity: who asks; an agent sees its own.

        Raises:
            InvalidInputError: an argument is not allowed.
            ForbiddenError: an agent asks for another's, over a door.
        """
        check_limit(limit)
        tracks = islice(self._tracks(self._whose(agent, identity)), limit)
        return [self._trace(id, track) for id, track in tracks]

    def get_trace(self, id: str, *, identity: Identity | None = None) -> Trace | None:
        """Return the trace of a message; None for one that is not among the latest, or not for who asks.

        Raises:
            InvalidInputError: it is no id of a message.
        """
        check_id("id", id)
        track = self._trail.get(id)
        name = identity.name if identity else None
        if track is None or (name is not None and name not in (track.from_, track.to)):
            return None
        return self._trace(id, track)

    def get_statistics(self) -> TraceStatistics:
        """Return figures of all that is traced."""
        traces = [self._trace(id, track, joined=False) for id, track in self._tracks(None)]
        return TraceStatistics(
            traces=len(traces),
            by_type=dict(Counter([trace.type for trace in traces])),
            unread=self._mailbox.total_unread(),
            queued={name: lane.in_use for name, lane in self._dispatcher.lanes.items()},
            latencies=latencies(traces),
        )

    def note_surfaced(self, ids: Sequence[str], by: str, *, identity: Identity | None = None) -> None:
        """Note that messages were put before their recipient, whole, such as into the context of a model.

        Args:
            ids: of the messages; of one that is not among the latest, traces do not tell it.
            by: the name of what has done so, such as `mcp`.
            identity: who says so; an agent can say it of what it was sent. Where nobody is named, nothing is noted at
                all of a message that is not among the latest.

        Raises:
            InvalidInputError: they are no ids of messages, or that is no name.
        """
        check_name("by", by)
        name = identity.name if identity else None
        by_recipient: defaultdict[str, list[str]] = defaultdict(list)
        for id in check_ids("ids", ids):
            track = self._trail.get(id)
            to = track.to if track else name
            if to is not None and name in (None, to):
                by_recipient[to].append(id)
        for to, theirs in by_recipient.items():
            self._trail.surfaced(theirs, by)
            self._surfacing.note(to, theirs, by)

    def get_surfaced(
        self, agent: str, *, not_by: str | None = None, after: str | None = None, identity: Identity | None = None
    ) -> Surfaced:
        """Return which messages were put into an agent's present context; it may have acknowledged some since.

        Args:
            agent: whose context.
            not_by: the name of what has put there what is left out.
            after: the id of one of them: only what was put there later. Is it none of them, all are returned.
            identity: who asks; an agent sees its own.

        Raises:
            InvalidInputError: an argument is not allowed.
            ForbiddenError: an agent asks for another's.
        """
        check_name("agent", agent)
        if not_by is not None:
            check_name("not_by", not_by)
        if after is not None:
            check_id("after", after)
        if identity is not None:
            identity.check_acts_as(agent)
        return self._surfacing.get(agent, not_by=not_by, after=after)

    def begin_context(self, agent: str) -> None:
        """Note that an agent has a context in which nothing stands yet: what is unread may all be put there.

        Args:
            agent: whose program says so.

        Raises:
            InvalidInputError: that is no name.
        """
        check_name("agent", agent)
        self._surfacing.begin(agent)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hear of events, and tell figures, until cancelled."""
        async with self._pubsub.subscribe(EVENTS) as events, trio.open_nursery() as nursery:
            nursery.start_soon(self._tell)
            task_status.started()
            with suppress(ClosedError):
                while True:
                    for event in await events.receive_batch():  # there may be very many
                        if isinstance(event.payload, HookEvent):
                            self._hear(event.payload)

    async def _tell(self) -> None:
        while True:
            await trio.sleep(INTERVAL)
            figures = self.get_statistics()
            lines = len(figures.by_type) + len(figures.queued) + len(figures.latencies)
            self._pubsub.publish(TOPIC, figures, size=_SIZE * lines)

    def _hear(self, event: HookEvent) -> None:
        agent = agent_of(event)
        if agent is None:
            return
        at = event.timestamp
        if not isinstance(at, datetime) or at.tzinfo is None:
            at = self._clock.now()  # what else would not compare
        hop = Hop("event", at, None, str(event.name)[:_LONGEST])
        self._events.setdefault(agent, deque(maxlen=_MAX_EVENTS)).append(hop)
        self._events.move_to_end(agent)
        if len(self._events) > _MAX_AGENTS:
            self._events.popitem(last=False)

    def _whose(self, agent: str | None, identity: Identity | None) -> str | None:
        if agent is not None:
            check_name("agent", agent)
        if identity is None or identity.name is None:
            return agent
        identity.check_acts_as(agent or identity.name)
        return identity.name

    def _tracks(self, whose: str | None) -> Iterator[tuple[str, Track]]:
        for id in reversed(list(self._trail)):
            track = self._trail.get(id)
            if track is not None and (whose is None or whose in (track.from_, track.to)):
                yield id, track

    def _trace(self, id: str, track: Track, *, joined: bool = True) -> Trace:
        """Put a trace together; with what its recipient has told meanwhile, as far as the other hops leave room."""
        committed, published = map(self._clock.moment, track.turn)
        hops = [Hop("accepted", track.accepted), Hop("committed", committed), Hop("published", published)]
        hops += [Hop(name, at, channel, detail) for at, name, channel, detail in self._trail.steps(id)]
        records = [record for lane in self._dispatcher.lanes.values() if (record := lane.ledger.get(id))]
        hops += [Hop(one.delivery.state, one.at, one.delivery.channel) for one in records if not one.delivery.error]
        end = next((hop.at for hop in hops if hop.name in _ENDS), None)
        room = self._max_hops - len(hops)
        if joined and room > 0:
            hops += self._events_of(track.to, published, end)[-room:]
        first = 0 if track.origin is None else 1  # that was by another clock
        hops[first:] = sorted(hops[first:], key=attrgetter("at"))  # what came at the same time stays in this order
        kept = tuple(hops[-self._max_hops :])
        return Trace(id, track.from_, track.to, track.type, track.sequence, track.origin, track.accepted, kept)

    def _events_of(self, agent: str, start: datetime, end: datetime | None) -> list[Hop]:
        """Return what an agent's program has told while a message was in its mailbox."""
        events = self._events.get(agent, ())
        return [event for event in events if start <= event.at and (end is None or event.at <= end)]
