"""What one can do with the modules of an Observatory from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from observatory.errors import ObservatoryError
from observatory.messages import (
    MailboxStats,
    Message,
    Note,
    Receipt,
)
from observatory.swarm.values import StoppedStatus, SwarmState, SwarmTask
from observatory.traces import Surfaced, Trace, TraceStatistics

if TYPE_CHECKING:
    from observatory.presence.values import Agent, Lease


class MailboxClient(ABC):
    """`Mailbox`, from outside. Errors are those of its methods, and `ClosedError` once the client is closed.

    A value of a class that is not allowed at all may be refused in other words than the library's.
    """

    @abstractmethod
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
        """Send one message."""

    @abstractmethod
    async def broadcast_to_many(
        self,
        names: Iterable[str],
        from_: str,
        content: str,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
    ) -> list[Receipt | ObservatoryError]:
        """Send independent copies to many recipients, in one commit."""

    @abstractmethod
    async def request(
        self, to: str, from_: str, content: str, *, type: str = "text", metadata: Mapping[str, Any] | None = None
    ) -> Message:
        """Send a message, wait for the reply to it, and acknowledge that."""

    @abstractmethod
    async def reply(
        self, message: Message, content: str, *, type: str = "text", metadata: Mapping[str, Any] | None = None
    ) -> Receipt:
        """Answer a message."""

    @abstractmethod
    async def receive(self, agent: str, *, after: str | None = None) -> Message:
        """Wait for an agent's oldest unread message."""

    @abstractmethod
    async def get_messages(
        self, agent: str, *, limit: int = 100, before: str | None = None, unread_only: bool = False
    ) -> list[Message]:
        """Return an agent's messages, newest first."""

    @abstractmethod
    async def mark_read(self, agent: str, *ids: str) -> tuple[Message, ...]:
        """Acknowledge messages."""

    @abstractmethod
    async def clear_messages(self, agent: str) -> int:
        """Remove every message of a mailbox."""

    @abstractmethod
    async def unread_count(self, agent: str) -> int:
        """Return how many of an agent's messages are not acknowledged."""

    @abstractmethod
    async def agent_stats(self, agent: str) -> MailboxStats:
        """Return the figures of one mailbox."""

    @abstractmethod
    async def get_stats(self) -> dict[str, MailboxStats]:
        """Return the figures of every mailbox that is not empty, by agent."""


class NotesClient(ABC):
    """`Notes`, from outside."""

    @abstractmethod
    async def add_note(self, key: str, text: str) -> Note:
        """Write the note of a key."""

    @abstractmethod
    async def delete_note(self, key: str) -> bool:
        """Delete the note of a key; return whether there was one."""

    @abstractmethod
    async def get_note(self, key: str) -> Note | None:
        """Return the note of a key."""

    @abstractmethod
    async def list_notes(self) -> list[Note]:
        """Return every note, newest first."""


class SwarmClient(ABC):
    """`SwarmMonitor`, from outside. Actions name a project, or are about the one that is active there."""

    @abstractmethod
    async def get_state(self) -> SwarmState:
        """Look at everything now, and return how it stands."""

    @abstractmethod
    async def add_project(self, path: str) -> str:
        """Look after the tasks of a project; return what it is known by."""

    @abstractmethod
    async def set_active_project(self, path: str | None) -> str | None:
        """Say which project actions are about that name none; return what it is known by."""

    @abstractmethod
    async def heal_task(self, id: str, *, project: str | None = None) -> SwarmTask:
        """Let a task that does not go on begin again."""

    @abstractmethod
    async def reassign_task(self, id: str, owner: str, *, project: str | None = None) -> SwarmTask:
        """Give a task to somebody else."""

    @abstractmethod
    async def reset_all_stale(
        self, threshold: float | None = None, *, project: str | None = None
    ) -> tuple[SwarmTask, ...]:
        """Let every task in progress begin again of which nothing was heard for so long."""

    @abstractmethod
    async def claim_task(self, id: str, owner: str, *, project: str | None = None) -> SwarmTask:
        """Take a task that is pending and waits for nothing."""

    @abstractmethod
    async def complete_task(self, id: str, owner: str | None = None, *, project: str | None = None) -> SwarmTask:
        """Mark a task in progress as done."""

    @abstractmethod
    async def stop_task(
        self, id: str, status: StoppedStatus, owner: str | None = None, *, project: str | None = None
    ) -> SwarmTask:
        """Say that a task in progress does not go on: it has `failed`, or is `blocked`."""

    @abstractmethod
    async def collect_garbage(self) -> tuple[str, ...]:
        """Put teams aside that are done; return their names."""


class TracesClient(ABC):
    """`ProtocolTracker`, from outside."""

    @abstractmethod
    async def get_traces(self, agent: str | None = None, *, limit: int = 50) -> list[Trace]:
        """Return the traces of the latest messages, newest first."""

    @abstractmethod
    async def get_trace(self, id: str) -> Trace | None:
        """Return the trace of a message; None for one that is not among the latest."""

    @abstractmethod
    async def get_statistics(self) -> TraceStatistics:
        """Return figures of all that is traced."""

    @abstractmethod
    async def note_surfaced(self, ids: Sequence[str], by: str) -> None:
        """Note that messages were put before their recipient, such as into a model's context; `by` says by what."""

    @abstractmethod
    async def get_surfaced(self, agent: str, *, not_by: str | None = None, after: str | None = None) -> Surfaced:
        """Return which messages were put into an agent's present context."""


class PresenceClient(ABC):
    """`Presence`, from outside."""

    @abstractmethod
    async def list_agents(self) -> list[Agent]:
        """Return the agents that are known, by name."""

    @abstractmethod
    async def get_agent(self, name: str) -> Agent | None:
        """Return an agent; None when nobody has heard of it."""

    @abstractmethod
    async def list_leases(self) -> list[Lease]:
        """Return the leases that there are, by resource."""

    @abstractmethod
    async def acquire_lease(self, agent: str, resource: str) -> Lease:
        """Take a lease, which has to be renewed."""

    @abstractmethod
    async def renew_lease(self, id: str) -> Lease:
        """Let a lease last from now on."""

    @abstractmethod
    async def release_lease(self, id: str) -> bool:
        """Give a lease back; return False when there is none any more."""

    @abstractmethod
    def lease(self, agent: str, resource: str) -> AbstractAsyncContextManager[Lease]:
        """Hold a lease for the time of a block, which is cancelled, and raises `LeaseLostError`, when it is lost."""
