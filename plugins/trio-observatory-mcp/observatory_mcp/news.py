"""What changes, told to those who have subscribed to resources, on both revisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
from mcp_types import PromptListChangedNotification, ResourceListChangedNotification

from observatory import Client, ClosedError, Gap, RateLimitError, SubscriptionOverflowError, to_wire
from observatory_mcp import places

_STREAMS = 64
"""Streams of one agent at a time."""

LISTS = "skills:update"
"""The topic on which it depends which resources and prompts there are."""


class News:
    """Follows the topics that an agent's resources depend on, each from when somebody first asks for that.

    Args:
        client: of the Observatory.
        agent: whose inbox it is.

    Attributes:
        listen: answers `subscriptions/listen`, once what it is about is followed.
        session: by 2025-11-25, the one of the connection: it hears when lists of resources and prompts change.
        subscribed: by 2025-11-25, the addresses of resources of which it hears.
    """

    def __init__(self, client: Client, agent: str) -> None:
        self._client = client
        self._topics: dict[str, Callable[[Any], Iterator[ServerEvent]]] = {
            f"agent:{agent}": lambda _: iter((ResourceUpdated(places.inbox(agent)),)),
            "notes:update": _of_note,
            "swarm:update": lambda _: iter((ResourceUpdated(places.SWARM),)),
            LISTS: _of_skills,
        }
        self._kinds = dict(zip(("inbox", "notes", "swarm", "skills"), self._topics, strict=True))
        self._bus = InMemorySubscriptionBus()
        self.listen = ListenHandler(self._bus, max_subscriptions=_STREAMS)
        self.session: ServerSession | None = None
        self.subscribed: set[str] = set()
        self._followed: dict[str, trio.Event] = {}
        self._wanted, self._asked = trio.open_memory_channel[str](len(self._topics))

    async def begin(self, uris: Iterable[str], *, lists: bool = False) -> None:
        """Begin to follow what resources depend on, unless that has been done: every change from now on is told.

        Args:
            uris: their addresses; one that nothing stands at never changes.
            lists: also on what it depends which there are.
        """
        kinds = {kind for uri in uris for kind in places.parts_of(uri)[:1]}
        topics = {self._kinds[kind] for kind in kinds if kind in self._kinds} | ({LISTS} if lists else set())
        for topic in topics:
            if topic not in self._followed:
                self._followed[topic] = trio.Event()
                self._wanted.send_nowait(topic)
        for topic in topics:
            await self._followed[topic].wait()

    async def run(self) -> None:
        """Tell of changes, once that is wanted, until cancelled."""
        async with trio.open_nursery() as nursery:
            async for topic in self._asked:
                nursery.start_soon(self._follow, topic)

    async def _follow(self, topic: str) -> None:
        changes = self._topics[topic]
        missed: tuple[Any, ...] = ()
        while True:
            try:
                subscription = await self._client.subscribe(topic)
            except ClosedError:  # it closes just now, and nothing changes any more
                return
            except RateLimitError as error:  # tools were called in haste, and all else goes on
                await trio.sleep(error.retry_after)
                continue
            async with subscription as events:
                self._followed[topic].set()
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
        if self.session is None:
            return
        if isinstance(change, ResourceUpdated):
            if change.uri in self.subscribed:
                await self.session.send_resource_updated(change.uri)
        elif isinstance(change, ResourcesListChanged):
            await self.session.send_notification(ResourceListChangedNotification())
        else:
            await self.session.send_notification(PromptListChangedNotification())


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
