"""What one can do with the modules of an Observatory in this process, as somebody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import trio

from observatory.client import MailboxClient, NotesClient, PresenceClient, SwarmClient, TracesClient
from observatory.errors import ObservatoryError
from observatory.messages import MailboxStats, Message, Note, Receipt
from observatory.modules.mailbox import Mailbox
from observatory.modules.notes import Notes
from observatory.modules.swarm_monitor import SwarmMonitor
from observatory.security import Identity
from observatory.swarm.values import StoppedStatus, SwarmState, SwarmTask
from observatory.traces import Surfaced, Trace, TraceStatistics

if TYPE_CHECKING:
    from observatory.modules.presence import Presence
    from observatory.modules.protocol_tracker import ProtocolTracker
    from observatory.presence.values import Agent, Lease


class EmbeddedMailbox(MailboxClient):
    """Messages.

    Args:
        mailbox: the module.
        identity: who asks.
    """

    def __init__(self, mailbox: Mailbox, identity: Identity) -> None:
        self._mailbox = mailbox
        self._identity = identity

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
        self._identity.check_acts_as(from_)
        return await self._mailbox.send_message(
            to,
            from_,
            content,
            type=type,
            metadata=metadata,
            require=require,
            expires_in=expires_in,
            idempotency_key=idempotency_key,
            verified=self._identity.verified,
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
        self._identity.check_acts_as(from_)
        verified = self._identity.verified
        return await self._mailbox.broadcast_to_many(
            names, from_, content, type=type, metadata=metadata, verified=verified
        )

    async def request(
        self, to: str, from_: str, content: str, *, type: str = "text", metadata: Mapping[str, Any] | None = None
    ) -> Message:
        self._identity.check_acts_as(from_)
        verified = self._identity.verified
        return await self._mailbox.request(to, from_, content, type=type, metadata=metadata, verified=verified)

    async def reply(
        self, message: Message, content: str, *, type: str = "text", metadata: Mapping[str, Any] | None = None
    ) -> Receipt:
        if isinstance(message, Message):  # or else the library says what it is
            self._identity.check_acts_as(message.to)
        verified = self._identity.verified
        return await self._mailbox.reply(message, content, type=type, metadata=metadata, verified=verified)

    async def receive(self, agent: str, *, after: str | None = None) -> Message:
        self._identity.check_acts_as(agent)
        return await self._mailbox.receive(agent, after=after)

    async def get_messages(
        self, agent: str, *, limit: int = 100, before: str | None = None, unread_only: bool = False
    ) -> list[Message]:
        await trio.lowlevel.checkpoint()
        return self._mailbox.get_messages(agent, limit=limit, before=before, unread_only=unread_only)

    async def mark_read(self, agent: str, *ids: str) -> tuple[Message, ...]:
        self._identity.check_acts_as(agent)
        return await self._mailbox.mark_read(agent, *ids)

    async def clear_messages(self, agent: str) -> int:
        self._identity.check_acts_as(agent)
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


class EmbeddedNotes(NotesClient):
    """Notes, which are everybody's.

    Args:
        notes: the module.
    """

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


class EmbeddedSwarm(SwarmClient):
    """Tasks.

    Args:
        monitor: the module.
        identity: who asks.
    """

    def __init__(self, monitor: SwarmMonitor, identity: Identity) -> None:
        self._monitor = monitor
        self._identity = identity

    async def get_state(self) -> SwarmState:
        return await self._monitor.refresh()

    async def add_project(self, path: str) -> str:
        return await self._monitor.add_project(path, identity=self._identity)

    async def set_active_project(self, path: str | None) -> str | None:
        return await self._monitor.set_active_project(path, identity=self._identity)

    async def heal_task(self, id: str, *, project: str | None = None) -> SwarmTask:
        return await self._monitor.heal_task(id, project=project, identity=self._identity)

    async def reassign_task(self, id: str, owner: str, *, project: str | None = None) -> SwarmTask:
        return await self._monitor.reassign_task(id, owner, project=project, identity=self._identity)

    async def reset_all_stale(
        self, threshold: float | None = None, *, project: str | None = None
    ) -> tuple[SwarmTask, ...]:
        return await self._monitor.reset_all_stale(threshold, project=project, identity=self._identity)

    async def claim_task(self, id: str, owner: str, *, project: str | None = None) -> SwarmTask:
        return await self._monitor.claim_task(id, owner, project=project, identity=self._identity)

    async def complete_task(self, id: str, owner: str | None = None, *, project: str | None = None) -> SwarmTask:
        return await self._monitor.complete_task(id, owner, project=project, identity=self._identity)

    async def stop_task(
        self, id: str, status: StoppedStatus, owner: str | None = None, *, project: str | None = None
    ) -> SwarmTask:
        return await self._monitor.stop_task(id, status, owner, project=project, identity=self._identity)

    async def collect_garbage(self) -> tuple[str, ...]:
        return await self._monitor.collect_garbage(identity=self._identity)


class EmbeddedTraces(TracesClient):
    """Ways of messages.

    Args:
        tracker: the module.
        identity: who asks.
    """

    def __init__(self, tracker: ProtocolTracker, identity: Identity) -> None:
        self._tracker = tracker
        self._identity = identity

    async def get_traces(self, agent: str | None = None, *, limit: int = 50) -> list[Trace]:
        await trio.lowlevel.checkpoint()
        return self._tracker.get_traces(agent, limit=limit, identity=self._identity)

    async def get_trace(self, id: str) -> Trace | None:
        await trio.lowlevel.checkpoint()
        return self._tracker.get_trace(id, identity=self._identity)

    async def get_statistics(self) -> TraceStatistics:
        await trio.lowlevel.checkpoint()
        return self._tracker.get_statistics()

    async def note_surfaced(self, ids: Sequence[str], by: str) -> None:
        await trio.lowlevel.checkpoint()
        self._tracker.note_surfaced(ids, by, identity=self._identity)

    async def get_surfaced(self, agent: str, *, not_by: str | None = None, after: str | None = None) -> Surfaced:
        await trio.lowlevel.checkpoint()
        return self._tracker.get_surfaced(agent, not_by=not_by, after=after, identity=self._identity)


class EmbeddedPresence(PresenceClient):
    """Who is there, and who holds what.

    Args:
        presence: the module.
        identity: who asks.
    """

    def __init__(self, presence: Presence, identity: Identity) -> None:
        self._presence = presence
        self._identity = identity

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
        return self._presence.acquire_lease(agent, resource, identity=self._identity)

    async def renew_lease(self, id: str) -> Lease:
        await trio.lowlevel.checkpoint()
        return self._presence.renew_lease(id, identity=self._identity)

    async def release_lease(self, id: str) -> bool:
        await trio.lowlevel.checkpoint()
        return self._presence.release_lease(id, identity=self._identity)

    def lease(self, agent: str, resource: str) -> AbstractAsyncContextManager[Lease]:
        self._identity.check_acts_as(agent)
        return self._presence.lease(agent, resource)
