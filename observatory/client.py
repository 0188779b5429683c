"""What one can do with an Observatory from outside: the same whether it runs in another process or in this one.

A client's methods are those of the library, under the same names and with the same errors, and all of them wait: also
what is a plain read where the table is at hand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Self, TypeAlias

from observatory.errors import ObservatoryError
from observatory.messages import (
    DeadLetter,
    DeliveryRecord,
    Event,
    Health,
    MailboxStats,
    Message,
    Note,
    Receipt,
)
from observatory.overview import PluginInfo, Statistics
from observatory.swarm.values import SwarmState, SwarmTask
from observatory.traces import Trace, TraceStatistics


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


Connector: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Client]]
"""What opens a client for the service that runs on a root, through the door that it is registered under.

The service may be started again while the client is open; `read_service` tells where it is then.
"""
