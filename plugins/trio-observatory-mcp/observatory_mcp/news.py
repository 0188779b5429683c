"""What changes, told to those who have subscribed to resources, on both revisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import trio
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
)

from observatory import Client, Gap, SubscriptionOverflowError, to_wire
from observatory_mcp import places

_STREAMS = 64
"""Streams of one agent at a time."""


class News:
    """Follows the topics that an agent's resources depend on, from when somebody first asks for that.

    Args:
        client: of the Observatory.
        agent: whose inbox it is.

    Attributes:
        listen: answers `subscriptions/listen`, once it has begun.
        subscribed: by 2025-11-25, the session that wants to hear of a resource, by the address of that.
    """

    def __init__(self, client: Client, agent: str) -> None:
        self._client = client
        self._topics: dict[str, Callable[[Any], Iterator[ServerEvent]]] = {
            f"agent:{agent}": lambda _: iter((ResourceUpdated(places.inbox(agent)),)),
            "notes:update": _of_note,
            "swarm:update": lambda _: iter((ResourceUpdated(places.SWARM),)),
            "skills:update": _of_skills,
        }
        self._bus = InMemorySubscriptionBus()
        self.listen = ListenHandler(self._bus, max_subscriptions=_STREAMS)
        self.subscribed: dict[str, ServerSession] = {}
        self._wanted = trio.Event()
        self._begun = trio.Event()

    async def begin(self) -> None:
        """Begin to follow, unless that has been done: every change from now on is told."""
        self._wanted.set()
        await self._begun.wait()

    async def run(self) -> None:
        """Tell of changes, once that is wanted, until cancelled."""
        await self._wanted.wait()
        async with trio.open_nursery() as nursery:
            for topic in self._topics:
                await nursery.start(self._follow, topic)
            self._begun.set()

    async def _follow(  # noqa: ASYNC114 -- started in a nursery, by `start`
        self, topic: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        changes = self._topics[topic]
        missed: tuple[Any, ...] = ()
        while True:
            async with await self._client.subscribe(topic) as events:
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await self._tell(missed, changes)
                try:
                    async for event in events:
                        await self._tell((event.payload,), changes)
                    return
                except SubscriptionOverflowError as error:
                    missed = (Gap(error.missed),)

    async def _tell(self, payloads: tuple[Any, ...], changes: Callable[[Any], Iterator[ServerEvent]]) -> None:
        for payload in payloads:
            for change in changes(payload):
                await self._tell_of(change)

    async def _tell_of(self, change: ServerEvent) -> None:
        await self._bus.publish(change)
        if isinstance(change, ResourceUpdated) and change.uri in self.subscribed:
            await self.subscribed[change.uri].send_resource_updated(change.uri)


def _of_note(payload: Any) -> Iterator[ServerEvent]:
    yield ResourceUpdated(places.NOTES)
    key = getattr(payload, "key", None)  # a gap has none
    if key is not None:
        yield ResourceUpdated(places.note(key))


def _of_skills(payload: Any) -> Iterator[ServerEvent]:
    yield ResourceUpdated(places.SKILLS)
    yield ResourcesListChanged()
    yield PromptsListChanged()
    update = to_wire(payload)  # of another plugin: a value here, JSON from a service
    for what in ("added", "changed", "removed"):
        for name in update.get(what, ()):
            yield ResourceUpdated(places.skill(name))
