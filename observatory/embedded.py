"""A client of an Observatory in this very process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import trio

from observatory.application import Observatory
from observatory.client import (
    Client,
    ClientSubscription,
    MailboxClient,
    NotesClient,
    PresenceClient,
    SwarmClient,
    TracesClient,
)
from observatory.errors import ObservatoryError
from observatory.messages import DeadLetter, DeliveryRecord, Event, Health, MailboxStats, Message, Note, Receipt
from observatory.modules.mailbox import Mailbox
from observatory.modules.notes import Notes
from observatory.modules.swarm_monitor import SwarmMonitor
from observatory.operations import Exposed
from observatory.overview import PluginInfo, Statistics
from observatory.subscriptions import Subscription
from observatory.swarm.values import SwarmState, SwarmTask
from observatory.traces import Trace, TraceStatistics

if TYPE_CHECKING:
    from observatory.modules.presence import Presence
    from observatory.modules.protocol_tracker import ProtocolTracker
    from observatory.presence.values import Agent, Lease


class EmbeddedClient(Client):
    """Hands everything on.

    Args:
        observatory: an open Observatory.
    """

    def __init__(self, observatory: Observatory) -> None:
        self.mailbox = _Mailbox(observatory.mailbox)
        self.notes = _Notes(observatory.notes)
        self.swarm = _Swarm(observatory.swarm)
        self.traces = _Traces(observatory.traces)
        self.presence = _Presence(observatory.presence)
        self._observatory = observatory
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
        return await self._observatory.redeliver(ids)

    async def subscribe(self, topic: str, *, since: int | None = None, epoch: str | None = None) -> ClientSubscription:
        """Subscribe to a topic or a pattern."""
        await trio.lowlevel.checkpoint()
        return _Subscription(self._observatory.pubsub.subscribe(topic, since=since, epoch=epoch))

    async def call_module(self, module: str, method: str, /, **params: Any) -> Any:
        """Call a method that a module exposes."""
        return await self._modules.ask(module, method, params)

    async def call_service(self, service: str, method: str, /, **params: Any) -> Any:
        """Call a method that a service exposes."""
        return await self._services.ask(service, method, params)


class _Mailbox(MailboxClient):
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def send_message(
        self,
        to: str,
        from_: str,
        content: str,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        require: Iterable[str] = (),
        expires_in: float | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt:
        return await self._mailbox.send_message(
            to,
            from_,
            content,
            type=type,
            metadata=metadata,
            require=require,
            expires_in=expires_in,
            idempotency_key=idempotency_key,
        )

    async def broadcast_to_many(
        self,
        names: Iterable[str],
        from_: str,
        content: str,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
    ) -> list[Receipt | ObservatoryError]:
        return await self._mailbox.broadcast_to_many(names, from_, content, type=type, metadata=metadata)

    async def request(
        self, to: str, from_: str, content: str, *, type: str = "text", metadata: Mapping[str, Any] | None = None
    ) -> Message:
        return await self._mailbox.request(to, from_, content, type=type, metadata=metadata)

    async def reply(
        self, message: Message, content: str, *, type: str = "text", metadata: Mapping[str, Any] | None = None
    ) -> Receipt:
        return await self._mailbox.reply(message, content, type=type, metadata=metadata)

    async def receive(self, agent: str, *, after: str | None = None) -> Message:
        return await self._mailbox.receive(agent, after=after)

    async def get_messages(
        self, agent: str, *, limit: int = 100, before: str | None = None, unread_only: bool = False
    ) -> list[Message]:
        await trio.lowlevel.checkpoint()
        return self._mailbox.get_messages(agent, limit=limit, before=before, unread_only=unread_only)

    async def mark_read(self, agent: str, *ids: str) -> tuple[Message, ...]:
        return await self._mailbox.mark_read(agent, *ids)

    async def clear_messages(self, agent: str) -> int:
        return await self._mailbox.clear_messages(agent)

    async def unread_count(self, agent: str) -> int:
        await trio.lowlevel.checkpoint()
        return self._mailbox.unread_count(agent)

    async def agent_stats(self, agent: str) -> MailboxStats:
        await trio.lowlevel.checkpoint()
        return self._mailbox.agent_stats(agent)

    async def get_stats(self) -> dict[str, MailboxStats]:
        await trio.lowlevel.checkpoint()
        return self._mailbox.get_stats()


class _Notes(NotesClient):
    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def add_note(self, key: str, text: str) -> Note:
        return await self._notes.add_note(key, text)

    async def delete_note(self, key: str) -> bool:
        return await self._notes.delete_note(key)

    async def get_note(self, key: str) -> Note | None:
        await trio.lowlevel.checkpoint()
        return self._notes.get_note(key)

    async def list_notes(self) -> list[Note]:
        await trio.lowlevel.checkpoint()
        return self._notes.list_notes()


class _Swarm(SwarmClient):
    def __init__(self, monitor: SwarmMonitor) -> None:
        self._monitor = monitor

    async def get_state(self) -> SwarmState:
        return await self._monitor.refresh()

    async def add_project(self, path: str) -> str:
        return await self._monitor.add_project(path)

    async def set_active_project(self, path: str | None) -> str | None:
        return await self._monitor.set_active_project(path)

    async def heal_task(self, id: str, *, project: str | None = None) -> SwarmTask:
        return await self._monitor.heal_task(id, project=project)

    async def reassign_task(self, id: str, owner: str, *, project: str | None = None) -> SwarmTask:
        return await self._monitor.reassign_task(id, owner, project=project)

    async def reset_all_stale(
        self, threshold: float | None = None, *, project: str | None = None
    ) -> tuple[SwarmTask, ...]:
        return await self._monitor.reset_all_stale(threshold, project=project)

    async def claim_task(self, id: str, owner: str, *, project: str | None = None) -> SwarmTask:
        return await self._monitor.claim_task(id, owner, project=project)

    async def complete_task(self, id: str, owner: str | None = None, *, project: str | None = None) -> SwarmTask:
        return await self._monitor.complete_task(id, owner, project=project)

    async def collect_garbage(self) -> tuple[str, ...]:
        return await self._monitor.collect_garbage()


class _Traces(TracesClient):
    def __init__(self, tracker: ProtocolTracker) -> None:
        self._tracker = tracker

    async def get_traces(self, agent: str | None = None, *, limit: int = 50) -> list[Trace]:
        await trio.lowlevel.checkpoint()
        return self._tracker.get_traces(agent, limit=limit)

    async def get_trace(self, id: str) -> Trace | None:
        await trio.lowlevel.checkpoint()
        return self._tracker.get_trace(id)

    async def get_statistics(self) -> TraceStatistics:
        await trio.lowlevel.checkpoint()
        return self._tracker.get_statistics()


class _Presence(PresenceClient):
    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    async def list_agents(self) -> list[Agent]:
        await self._presence.look_at_teams()
        return self._presence.list_agents()

    async def get_agent(self, name: str) -> Agent | None:
        await self._presence.look_at_teams()
        return self._presence.get_agent(name)

    async def list_leases(self) -> list[Lease]:
        await trio.lowlevel.checkpoint()
        return self._presence.list_leases()

    async def acquire_lease(self, agent: str, resource: str) -> Lease:
        await trio.lowlevel.checkpoint()
        return self._presence.acquire_lease(agent, resource)

    async def renew_lease(self, id: str) -> Lease:
        await trio.lowlevel.checkpoint()
        return self._presence.renew_lease(id)

    async def release_lease(self, id: str) -> bool:
        await trio.lowlevel.checkpoint()
        return self._presence.release_lease(id)

    def lease(self, agent: str, resource: str) -> AbstractAsyncContextManager[Lease]:
        return self._presence.lease(agent, resource)


class _Subscription(ClientSubscription):
    def __init__(self, subscription: Subscription) -> None:
        self.topic = subscription.topic
        self._subscription = subscription

    async def __anext__(self) -> Event:
        return await anext(self._subscription)

    async def aclose(self) -> None:
        await self._subscription.aclose()
