"""A client of an Observatory in this very process, as a whole."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import trio

from observatory.application import Observatory
from observatory.client import Client, ClientSubscription
from observatory.embedded.parts import (
    EmbeddedMailbox,
    EmbeddedNotes,
    EmbeddedPresence,
    EmbeddedSwarm,
    EmbeddedTraces,
)
from observatory.errors import ForbiddenError
from observatory.messages import DeadLetter, DeliveryRecord, Event, Health
from observatory.operations import Exposed
from observatory.overview import PluginInfo, Statistics
from observatory.security import Identity
from observatory.subscriptions import Subscription


class EmbeddedClient(Client):
    """Hands everything on.

    Args:
        observatory: an open Observatory.
        identity: in whose name; by default the program's own, which may act as anybody. A door that knows who asks
            gives that: then the client can do what that agent may, and what it sends is verified.
    """

    def __init__(self, observatory: Observatory, identity: Identity | None = None) -> None:
        who = identity or Identity(None)
        self.mailbox = EmbeddedMailbox(observatory.mailbox, who)
        self.notes = EmbeddedNotes(observatory.notes)
        self.swarm = EmbeddedSwarm(observatory.swarm, who)
        self.traces = EmbeddedTraces(observatory.traces, who)
        self.presence = EmbeddedPresence(observatory.presence, who)
        self._observatory = observatory
        self._identity = identity
        self._modules = Exposed("module", observatory.module)
        self._services = Exposed("service", observatory.service)

    async def health(self) -> Health:
        """Return the state of every module, lane and service."""
        await trio.lowlevel.checkpoint()
        return self._observatory.health()

    async def statistics(self) -> Statistics:
        """Return the figures of everything."""
        await trio.lowlevel.checkpoint()
        return self._observatory.statistics()

    async def plugins(self) -> tuple[PluginInfo, ...]:
        """Return what is known of every plugin."""
        await trio.lowlevel.checkpoint()
        return self._observatory.plugins()

    async def deliveries(self, message_id: str) -> tuple[DeliveryRecord, ...]:
        """Return how far each delivery channel has come with a message."""
        await trio.lowlevel.checkpoint()
        return self._observatory.deliveries(message_id)

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the deliveries that were given up, oldest first."""
        await trio.lowlevel.checkpoint()
        return self._observatory.dead_letters()

    async def redeliver(self, ids: Collection[str] | None = None) -> int:
        """Try dead letters again."""
        if self._identity is not None and self._identity.name is not None:
            raise ForbiddenError(
                "an agent may not have dead letters delivered again; ask whoever runs this Observatory"
            )
        return await self._observatory.redeliver(ids)

    async def subscribe(self, topic: str, *, since: int | None = None, epoch: str | None = None) -> ClientSubscription:
        """Subscribe to a topic or a pattern."""
        await trio.lowlevel.checkpoint()
        return _Subscription(self._observatory.pubsub.subscribe(topic, since=since, epoch=epoch))

    async def call_module(self, module: str, method: str, /, **params: Any) -> Any:
        """Call a method that a module exposes."""
        return await self._modules.ask(module, method, params, identity=self._identity)

    async def call_service(self, service: str, method: str, /, **params: Any) -> Any:
        """Call a method that a service exposes."""
        return await self._services.ask(service, method, params, identity=self._identity)


class _Subscription(ClientSubscription):
    def __init__(self, subscription: Subscription) -> None:
        self.topic = subscription.topic
        self._subscription = subscription

    async def __anext__(self) -> Event:
        return await anext(self._subscription)

    async def aclose(self) -> None:
        await self._subscription.aclose()
