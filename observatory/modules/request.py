"""One request to the Mailbox's task: decided without I/O, applied after the commit, and waited for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import trio

from observatory.delivery.dispatcher import Dispatcher
from observatory.delivery.parcel import Parcel
from observatory.entries import Entry
from observatory.errors import ObservatoryError
from observatory.messages import MESSAGE_OVERHEAD, Durability, MailboxCleared, MessagesExpired, MessagesRead
from observatory.modules.arrivals import Arrivals
from observatory.modules.box import Entry as TableEntry
from observatory.modules.table import Table
from observatory.pubsub import PubSub

if TYPE_CHECKING:
    from observatory.traces import HopName

T = TypeVar("T")


class Office:
    """What a request is applied to.

    Args:
        table: the mailboxes.
        dispatcher: the lanes.
        durability: what the storage backend promises.
        pubsub: where it is published, on `agent:{to}`.
        arrivals: who waits for a message.
    """

    __slots__ = ("arrivals", "dispatcher", "durability", "pubsub", "table", "trail")

    def __init__(
        self, table: Table, dispatcher: Dispatcher, durability: Durability, pubsub: PubSub, arrivals: Arrivals
    ) -> None:
        self.table = table
        self.dispatcher = dispatcher
        self.trail = dispatcher.trail
        self.durability = durability
        self.pubsub = pubsub
        self.arrivals = arrivals

    def announce(self, entry: TableEntry, origin: str | None = None, verified: bool = False) -> None:
        """Tell subscribers, and whoever waits for it, of a message that is in the table now."""
        message = entry.message
        size = entry.size - MESSAGE_OVERHEAD
        self.pubsub.publish(f"agent:{message.to}", message, size=size, origin=origin, verified=verified)
        self.arrivals.announce(message)
        self.trail.published(message, entry.sequence, origin)

    def tell(self, payload: MessagesRead | MessagesExpired | MailboxCleared, ids: Iterable[str], what: HopName) -> None:
        """Tell subscribers what has become of messages of one mailbox, and let the trail know."""
        self.pubsub.publish(f"agent:{payload.to}", payload)
        self.trail.ended(ids, what)

    def retract(self, agent: str, ids: Sequence[str]) -> list[Parcel]:
        """Return the jobs that take messages back; whoever acknowledges them meanwhile can wait for that."""
        if self.dispatcher.required:
            self.table.leaving.add(agent, ids)
        return self.dispatcher.retractions(agent, ids, self.table.leaving)


class Request(ABC, Generic[T]):
    """One request, and the task that waits for its answer.

    Requests that wait together are concurrent, so those that make room are served first: by rank, and each rank is one
    commit. All that add messages have the same, so that numbers follow timestamps.
    """

    rank: ClassVar[int]

    # How each begins, kept here instead of set in each: every send makes one, and most of this never changes in it.
    withdrawn = False  # its sender was cancelled: before the commit that means nothing happens
    answered = False
    settling = False  # it was applied or answered: from here on its answer is certain to come
    _task: trio.lowlevel.Task | None = None
    _answer: T | None = None
    _error: ObservatoryError | None = None

    @abstractmethod
    def weight(self, table: Table) -> int:
        """Return how many jobs it has for each lane, at most."""

    @abstractmethod
    def plan(self, table: Table) -> Sequence[Entry]:
        """Decide, and return what must be committed; with nothing to commit it has answered itself."""

    @abstractmethod
    def undo(self, table: Table) -> None:
        """Take back what `plan` counted in: the commit failed."""

    @abstractmethod
    def apply(self, office: Office, numbers: Iterator[int]) -> Sequence[Parcel]:
        """Do what was committed, and return the jobs for the lanes."""

    def answer(self, value: T) -> None:
        """Give the waiting task its answer."""
        self._answer = value
        self._wake()

    def fail(self, error: ObservatoryError) -> None:
        """Give the waiting task an error."""
        self._error = error
        self._wake()

    def result(self) -> T:
        """Return the answer, or raise the error, that was given."""
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]  # T may itself be None

    def expect(self, task: trio.lowlevel.Task) -> None:
        """Note which task waits; it is rescheduled with the answer."""
        self._task = task

    def withdraw(self, _: object) -> trio.lowlevel.Abort:
        """Note that the waiting task was cancelled."""
        self.withdrawn = True
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake(self) -> None:
        self.answered = self.settling = True
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)
