"""Fan-out: connections that keep up with a topic are written to in one go, by the task of one of them for all."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol
from weakref import WeakValueDictionary

import trio

from observatory import Subscription
from observatory_websocket.server.feeds import Feeds, Piece, take_some

_TURNS = 4
"""Turns of the loop in which nothing more has come, after which what there is is written: the next request, if it was
sent already, is carried out by then."""

_MOMENT = 0.001
"""Seconds for which events are collected at most, as long as more of them come."""

_ENOUGH = 256
"""Events that are not collected any further."""


class Member(Protocol):
    """Somebody who keeps up, as far as it is known."""

    subscription: Subscription
    """What it reads."""

    @property
    def ready(self) -> bool:
        """Whether the connection has taken everything."""

    def take(self, pieces: Iterable[Piece]) -> bool:
        """Write what comes next at once, as `write_nowait` does; the subscription has gone past it."""

    def write_nowait(self) -> bool:
        """Write what waits as far as the connection takes it at once; return whether that was everything."""


class FanOut:
    """Those who keep up with one topic or pattern.

    One of them leads: its task waits for events, and writes them to every connection, which saves the others waking
    up. Each has a subscription of its own, so whoever falls behind goes on alone, with nothing lost and nothing twice.

    Args:
        topic: the topic or pattern.
        feeds: makes frames of events.
    """

    def __init__(self, topic: str, feeds: Feeds) -> None:
        self._topic = topic
        self._feeds = feeds
        self._leader: Member | None = None
        self._members: dict[Member, trio.Event] = {}  # what wakes its task: it is to lead, or to go on alone

    async def keep_up(self, member: Member) -> None:
        """Write to a member what is published, until its connection does not take everything at once.

        Args:
            member: somebody for whom nothing waits.

        Raises:
            ClosedError: its subscription is closed, and everything was written.
        """
        self._members[member] = trio.Event()
        try:
            while member in self._members:
                if self._leader is None:
                    self._leader = member
                if self._leader is member:
                    await self._lead(member)
                else:
                    await self._members[member].wait()
        finally:
            self.dismiss(member)

    def dismiss(self, member: Member) -> None:
        """Let somebody go on alone."""
        woken = self._members.pop(member, None)
        if woken is not None:
            woken.set()
        if self._leader is member:
            self._leader = next(iter(self._members), None)
            if self._leader is not None:
                self._members[self._leader].set()

    async def _lead(self, leader: Member) -> None:
        """Wait for events, and a moment for those that follow, so that all are one write to each connection."""
        await leader.subscription.wait()
        until = trio.current_time() + _MOMENT
        before, waiting = 0, leader.subscription.backlog().events
        while before < waiting < _ENOUGH and trio.current_time() <= until:
            for _ in range(_TURNS):
                await trio.lowlevel.checkpoint()
            before, waiting = waiting, leader.subscription.backlog().events
        self._write(leader)

    def _write(self, leader: Member) -> None:
        for member in tuple(self._members):
            if not member.ready:
                self.dismiss(member)
        if leader not in self._members:
            return
        events = take_some(leader.subscription)
        pieces = tuple(self._feeds.writes(self._topic, events))
        for member in tuple(self._members):
            whole = False
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # its own task finds out, too
                if member is leader or member.subscription.skip(events):
                    whole = member.take(pieces)
                else:
                    whole = member.write_nowait()
            if not whole:
                self.dismiss(member)


class FanOuts:
    """The fan-outs of all topics and patterns, each for as long as somebody has it.

    Args:
        feeds: makes frames of events.
    """

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._by_topic: WeakValueDictionary[str, FanOut] = WeakValueDictionary()

    def of(self, topic: str) -> FanOut:
        """Return that of a topic or pattern."""
        fan_out = self._by_topic.get(topic)
        if fan_out is None:
            fan_out = self._by_topic[topic] = FanOut(topic, self._feeds)
        return fan_out
