"""A simple model of the Mailbox, and an Observatory in a thread of its own that is fed with steps."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import attrs
import pytest
import trio
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    MESSAGE_OVERHEAD,
    Adopt,
    DeliverySettings,
    Entry,
    Failed,
    Job,
    MailboxCleared,
    MailboxSettings,
    MemoryStorage,
    Message,
    MessagesExpired,
    MessagesRead,
    Observatory,
    Outcome,
    Retraction,
    Settings,
    StorageError,
    StorageSettings,
    Subscription,
    TrioClock,
    open_observatory,
)
from observatory.testing import DurableStorage, RecordingChannel, observatory_plugin

T = TypeVar("T")

LIMITS = MailboxSettings(max_messages=4, max_bytes=2_600, max_total_bytes=6_000, max_mailboxes=3)
DAY = timedelta(days=1)


@attrs.define
class Item:
    """A message as the model knows it."""

    marker: str
    size: int
    sequence: int
    read: bool = False
    id: str = ""
    timestamp: datetime | None = None
    expires_at: datetime | None = None


class Model:
    """What the Mailbox should be, written down as simply as possible."""

    def __init__(self) -> None:
        self.boxes: dict[str, list[Item]] = {}  # oldest first
        self._last: Counter[str] = Counter()

    def bytes_of(self, agents: Collection[str]) -> int:
        """Return the bytes of some mailboxes."""
        return sum(item.size for agent in agents for item in self.boxes.get(agent, ()))

    def unread(self, agent: str) -> list[Item]:
        """Return what is unread, oldest first."""
        return [item for item in self.boxes.get(agent, ()) if not item.read]

    def send(self, agent: str, marker: str, size: int) -> Item | None:
        """Add a message with so much content, and let read ones go for it; None when there is no room."""
        size += MESSAGE_OVERHEAD
        if agent not in self.boxes and len(self.boxes) >= LIMITS.max_mailboxes:
            return None
        box = list(self.boxes.get(agent, ()))
        others = self.bytes_of(self.boxes.keys() - {agent})
        while (
            len(box) >= LIMITS.max_messages
            or sum(item.size for item in box) + size > LIMITS.max_bytes
            or others + sum(item.size for item in box) + size > LIMITS.max_total_bytes
        ):
            oldest = next((item for item in box if item.read), None)
            if oldest is None:
                return None
            box.remove(oldest)
        self._last[agent] += 1
        item = Item(marker, size, self._last[agent])
        self.boxes[agent] = [*box, item]
        return item

    def clean_up(self, now: datetime) -> None:
        """Remove what is read and older than a day."""
        for agent, box in list(self.boxes.items()):
            left = [item for item in box if not (item.read and item.timestamp and item.timestamp < now - DAY)]
            if left:
                self.boxes[agent] = left
            else:
                del self.boxes[agent]


class MoodyStorage(MemoryStorage):
    """Fails at the next commit in the way it is told to; outlives the Observatory."""

    def __init__(self) -> None:
        super().__init__()
        self.mood = "good"
        self.commits = 0

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit, or not, or both."""
        self.commits += 1
        if self.mood == "refuses":
            raise StorageError("planned by the test")
        if self.mood == "breaks before":
            raise RuntimeError("planned by the test")
        numbers = await super().append(batch)
        if self.mood == "breaks after":
            raise RuntimeError("planned by the test")
        return numbers


class LastingStorage(MoodyStorage, DurableStorage):
    """Says that it outlives the Observatory, and so is told of deliveries, too."""


class FolderChannel(RecordingChannel):
    """A delivery channel whose messages outlive the Observatory; while it is stubborn it takes none back."""

    recovers: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.stubborn = False

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Carry out what it likes to."""
        refused = [self.stubborn and isinstance(job, Retraction) for job in batch]
        outcomes = iter(await super().deliver([job for job, no in zip(batch, refused, strict=True) if not no]))
        return [Failed("planned by the test") if no else next(outcomes) for no in refused]

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Hand over what is there."""
        await adopt(list(self.delivered))


class Swarm:
    """An Observatory under a mock clock in a thread of its own, fed with steps from another one."""

    def __init__(self, root: Path) -> None:
        self.storage = MoodyStorage()  # another one is in use once it was opened again
        self.folder = FolderChannel()
        self.clock = TrioClock()
        self.told: set[str] = set()  # ids of unread messages, as a subscriber knows them
        self.obs: Observatory
        self._subscription: Subscription
        self._root = root
        self._mock = MockClock()
        self._ended = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._run,), kwargs={"clock": self._mock})
        self._thread.start()
        assert self._ready.wait(10)

    def do(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run a step and wait for it."""
        return trio.from_thread.run(function, *arguments, trio_token=self._token)

    def reopen(self, *, end: bool = False) -> None:
        """Close the Observatory, and open another one in its place."""
        self._ended = end
        self._ready.clear()
        self.do(self._leave)
        if end:
            self._thread.join(10)
            assert not self._thread.is_alive()
        else:
            assert self._ready.wait(10)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and everything happen that was due."""
        await wait_all_tasks_blocked()
        self._mock.jump(seconds)
        await wait_all_tasks_blocked()

    async def hear(self) -> None:
        """Take notice of what was published."""
        if not self._subscription.statistics().pending:
            return
        for event in await self._subscription.receive_batch():
            if isinstance(event.payload, Message):
                self.told.add(event.payload.id)
            elif isinstance(event.payload, MessagesRead | MessagesExpired):
                self.told.difference_update(event.payload.ids)
            else:
                assert isinstance(event.payload, MailboxCleared)
                self.told.difference_update(self.known[event.payload.to])

    known: dict[str, set[str]]
    """Ids of every message by recipient; the machine keeps it."""

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        plugin = observatory_plugin(
            "test", storage={"test": lambda _: self.storage}, channels={"folder": lambda _: self.folder}
        )
        own = Settings(
            root=self._root,
            mailbox=LIMITS,
            delivery=DeliverySettings(required=("folder",)),
            storage=StorageSettings(backend="test"),
            disabled_plugins=tuple(found.name for found in entry_points(group="observatory")),
        )
        while not self._ended:
            async with open_observatory(own, plugins=[plugin], clock=self.clock) as self.obs:
                self._subscription = self.obs.pubsub.subscribe("agent:*")
                self._left = trio.Event()
                self._ready.set()
                await self._left.wait()

    async def _leave(self) -> None:
        await wait_all_tasks_blocked()
        self._left.set()


@pytest.fixture
def make_swarm(tmp_path: Path) -> Callable[[], Swarm]:
    """Return what starts one more Observatory, with a root of its own."""
    numbers = itertools.count()
    return lambda: Swarm(tmp_path / str(next(numbers)))


@pytest.fixture
def run_machine(make_swarm: Callable[[], Swarm]) -> Callable[..., None]:
    """Return what runs a kind of machine, so many times for so many steps, each beside a model of its own."""

    def run_machine(kind: Callable[[Swarm, Model], RuleBasedStateMachine], *, times: int, steps: int) -> None:
        fresh: Any = lambda: kind(make_swarm(), Model())  # noqa: E731  # its type asks for a class; any callable will do
        run_state_machine_as_test(
            fresh,
            settings=settings(
                max_examples=times,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )

    return run_machine


@pytest.fixture
def lasting_storage() -> type[LastingStorage]:
    """Return the class of a storage backend that is told of deliveries."""
    return LastingStorage
