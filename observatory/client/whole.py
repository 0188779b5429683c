"""An Observatory as it can be reached from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Self, TypeAlias

from observatory.client.parts import MailboxClient, NotesClient, PresenceClient, SwarmClient, TracesClient
from observatory.messages import DeadLetter, DeliveryRecord, Event, Health
from observatory.overview import PluginInfo, Statistics


class ClientSubscription(ABC):
    """An asynchronous iterator over events, and a context manager; one task at a time may read."""

    topic: str
    """The topic or pattern."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> Event:
        """Return the next event; `StopAsyncIteration` when there will be none, or the error that is the reason."""

    @abstractmethod
    async def aclose(self) -> None:
        """Unsubscribe."""


class Client(ABC):
    """An Observatory, from outside.

    Laws:
        - Every method gives what the library gives, as values of the same classes.
        - What is not allowed, and what fails, raises the library's error, with the same attributes.
        - What is sent one after another by one task is carried out in that order.
        - A subscription has begun when `subscribe` returns: every event from then on comes once, and in order.
        - With `since` comes first what was missed, or an event with a `Gap`.
        - A subscription ends by being closed, and the topic can be subscribed to again.
        - Cancelling a read loses no event; a second reader gets `trio.BusyResourceError`.
        - Every method can be cancelled at any point: nothing of it is left, and the client goes on working.
        - Closing the client gives back everything: sockets, files, tasks.
    """

    mailbox: MailboxClient
    """Messages."""
    notes: NotesClient
    """Notes."""
    swarm: SwarmClient
    """The tasks of the swarm."""
    traces: TracesClient
    """The way of the latest messages."""
    presence: PresenceClient
    """Who is there, and who holds what."""

    @abstractmethod
    async def health(self) -> Health:
        """Return the state of every module, lane and service."""

    @abstractmethod
    async def statistics(self) -> Statistics:
        """Return the figures of everything."""

    @abstractmethod
    async def plugins(self) -> tuple[PluginInfo, ...]:
        """Return what is known of every plugin."""

    @abstractmethod
    async def deliveries(self, message_id: str) -> tuple[DeliveryRecord, ...]:
        """Return how far each delivery channel has come with a message."""

    @abstractmethod
    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the deliveries that were given up, oldest first."""

    @abstractmethod
    async def redeliver(self, ids: Collection[str] | None = None) -> int:
        """Try dead letters again: those of these messages, or all; return how many were handed to their lanes."""

    @abstractmethod
    async def subscribe(self, topic: str, *, since: int | None = None, epoch: str | None = None) -> ClientSubscription:
        """Subscribe to a topic or a pattern; the subscription has begun when this returns."""

    @abstractmethod
    async def call_module(self, module: str, method: str, /, **params: Any) -> Any:
        """Call a method that a module exposes; parameters and result are as JSON says them."""

    @abstractmethod
    async def call_service(self, service: str, method: str, /, **params: Any) -> Any:
        """Call a method that a service exposes; parameters and result are as JSON says them."""


Connector: TypeAlias = Callable[[Path, str | None], AbstractAsyncContextManager[Client]]
"""What opens a client for the service that runs on a root, through the door that it is registered under.

With an agent's name the client is that agent, and nobody else; else whoever the environment says, or the owner.

The service may be started again while the client is open; `read_service` tells where it is then.
"""
