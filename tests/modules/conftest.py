"""An Observatory for each test: its storage and its delivery channels are the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    MESSAGE_OVERHEAD,
    Clock,
    ClosedError,
    Context,
    DeliveryChannel,
    DeliverySettings,
    Entry,
    Job,
    MailboxCleared,
    MailboxSettings,
    MemoryStorage,
    Message,
    MessagesRead,
    NotesSettings,
    Observatory,
    Outcome,
    Policy,
    Settings,
    StorageBackend,
    StorageError,
    StorageSettings,
    Stored,
    SwarmSettings,
    TracesSettings,
    TrioClock,
    open_observatory,
)
from observatory.testing import RecordingChannel, observatory_plugin

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


def pick(channel: DeliveryChannel, _: Context) -> DeliveryChannel:
    """Return the delivery channel that the test has made, as a factory does."""
    return channel


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root; missing at first."""
    return tmp_path / "root"


@pytest.fixture
def open_here(root: Path) -> Open:
    """Return what opens an Observatory on the root: in memory only, unless the test says otherwise."""

    def open_here(
        *,
        storage: StorageBackend | None = None,
        channels: Mapping[str, DeliveryChannel] | None = None,
        policies: Mapping[str, Policy] | None = None,
        installed: Collection[str] = (),
        clock: Clock | None = None,
        recover: Collection[str] | None = None,
        mailbox: Mapping[str, Any] | None = None,
        notes: Mapping[str, Any] | None = None,
        delivery: Mapping[str, Any] | None = None,
        traces: Mapping[str, Any] | None = None,
    ) -> AbstractAsyncContextManager[Observatory]:
        plugin = observatory_plugin(
            "test",
            storage={} if storage is None else {"test": lambda _: storage},
            channels={name: partial(pick, channel) for name, channel in (channels or {}).items()},
            policies=policies,
        )
        settings = Settings(
            root=root,
            mailbox=MailboxSettings(**(mailbox or {})),
            notes=NotesSettings(**(notes or {})),
            delivery=DeliverySettings(**(delivery or {})),
            storage=StorageSettings(backend="memory" if storage is None else "test"),
            swarm=SwarmSettings(follow=False),
            traces=TracesSettings(**(traces or {})),
            disabled_plugins=tuple(
                found.name for found in entry_points(group="observatory") if found.name not in installed
            ),
        )
        return open_observatory(settings, plugins=[plugin], clock=clock or TrioClock(), recover=recover)

    return open_here


@pytest.fixture
def fill() -> Callable[..., Awaitable[list[Message]]]:
    """Return what sends a message for each of some contents and acknowledges some by position; oldest first."""

    async def fill(obs: Observatory, contents: Iterable[str] = "0123", *read: int, to: str = "a") -> list[Message]:
        messages = [(await obs.mailbox.send_message(to, "x", content)).message for content in contents]
        if read:
            await obs.mailbox.mark_read(to, *(messages[position].id for position in read))
        return messages

    return fill


@pytest.fixture
def cancelled_while_waiting() -> Callable[..., Awaitable[bool]]:
    """Return what cancels a call once it waits, and tells whether that has ended it."""

    async def cancelled_while_waiting(function: Callable[..., Awaitable[object]], *arguments: Any) -> bool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(function, *arguments)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        return nursery.cancel_scope.cancelled_caught

    return cancelled_while_waiting


@pytest.fixture
def expect_closed() -> Callable[..., Awaitable[None]]:
    """Return what calls a function that must say that Observatory is closing."""

    async def expect_closed(function: Callable[..., Awaitable[object]], *arguments: Any) -> None:
        with pytest.raises(ClosedError, match="clos"):
            await function(*arguments)

    return expect_closed


class GatedStorage(MemoryStorage):
    """Commits only while its gate is open, and keeps what it was given at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = trio.Event()
        self.batches: list[list[Entry]] = []

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Wait at the gate, then commit."""
        self.batches.append(list(batch))
        await self.gate.wait()
        return await super().append(batch)


@pytest.fixture
def gated_storage() -> GatedStorage:
    """Return a storage backend whose gate is closed at first."""
    return GatedStorage()


class BrokenStorage(MemoryStorage):
    """Breaks with errors that no storage backend should raise; works until it is told to break."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = trio.Event()  # nothing is committed while it is closed
        self.gate.set()
        self.works = 0  # commits that succeed before the one that breaks
        self.breaks: str | None = None  # "before" or "after" the next commit
        self.compact_breaks = False
        self.replays_fail = 0  # how often reading fails half-way

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit, and break before or after that when it is to."""
        await self.gate.wait()
        if self.works:
            self.works -= 1
            return await super().append(batch)
        breaks, self.breaks = self.breaks, None
        if breaks == "before":
            raise RuntimeError("broken before the commit")
        numbers = await super().append(batch)
        if breaks == "after":
            raise RuntimeError("broken after the commit")
        return numbers

    async def replay(self, apply: Callable[[Sequence[Stored]], None]) -> None:
        """Replay what is live, or the first of each batch and then fail."""
        if self.replays_fail:
            self.replays_fail -= 1
            await super().replay(lambda batch: apply(batch[:1]))
            raise StorageError("cannot be read")
        await super().replay(apply)

    async def compact(self) -> None:
        """Do nothing, or break."""
        await super().compact()
        if self.compact_breaks:
            raise RuntimeError("broken while compacting")


@pytest.fixture
def broken_storage() -> BrokenStorage:
    """Return a storage backend that works until it is told to break."""
    return BrokenStorage()


class SlowChannel(RecordingChannel):
    """Takes a few steps for each batch, so that a call can be cancelled in the middle of them."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Deliver, slowly."""
        await trio.lowlevel.checkpoint()
        outcomes = await super().deliver(batch)
        await trio.lowlevel.checkpoint()
        return outcomes


class Bench:
    """An Observatory, and whatever else should agree with its table."""

    def __init__(self, obs: Observatory, storage: BrokenStorage, channel: RecordingChannel) -> None:
        self.obs = obs
        self.mailbox = obs.mailbox
        self.storage = storage
        self._channel = channel
        self._subscription = obs.pubsub.subscribe("agent:*", capacity=100_000)
        self._told: dict[str, Message] = {}  # unread messages, as a subscriber knows them

    @property
    def restarts(self) -> int:
        """How often the Mailbox was started again."""
        (child,) = (child for child in self.obs.health().children if child.name == "module:Mailbox")
        return child.restarts

    async def send(self, content: str = "hello", to: str = "a") -> Message:
        """Send a message."""
        return (await self.mailbox.send_message(to, "x", content)).message

    def contents(self, agent: str = "a", *, unread_only: bool = True) -> list[str]:
        """Return what a mailbox holds, oldest first."""
        found = self.mailbox.get_messages(agent, limit=100_000, unread_only=unread_only)
        return [message.content for message in reversed(found)]

    async def check(self) -> None:
        """See that everybody knows the same, and that the Mailbox still works."""
        await self.send("still there", to="probe")
        await self.mailbox.clear_messages("probe")
        await wait_all_tasks_blocked()
        stored: list[Any] = []
        await self.storage.replay(stored.extend)
        for agent in {each.message.to for each in stored} | set(self.mailbox.get_stats()):
            mine = [each.message for each in stored if each.message.to == agent]
            assert self.mailbox.get_messages(agent, limit=100_000) == mine[::-1]
            unread = [message.id for message in mine if not message.read]
            assert self._channel.ids(agent) == unread
            assert self.mailbox.agent_stats(agent).unread == len(unread)
        await self._read_events()
        assert set(self._told) == {each.message.id for each in stored if not each.message.read}
        assert self.obs.statistics().mailbox.bytes == sum(size_of(each.message) for each in stored)
        assert self.obs.health().healthy

    async def _read_events(self) -> None:
        for event in await self._subscription.receive_batch():
            if isinstance(event.payload, Message):
                self._told[event.payload.id] = event.payload
            elif isinstance(event.payload, MessagesRead):
                for id in event.payload.ids:
                    del self._told[id]
            else:
                assert isinstance(event.payload, MailboxCleared)
                owner = event.payload.to
                self._told = {id: message for id, message in self._told.items() if message.to != owner}


def size_of(message: Message) -> int:
    """Return what a message with texts in its metadata is counted for."""
    fields = [len(key) + 8 + len(text) for key, text in message.metadata.items()]
    return MESSAGE_OVERHEAD + len(message.content) + (8 + sum(fields) if fields else 0)


@pytest.fixture
def open_bench(open_here: Open, broken_storage: BrokenStorage) -> Callable[..., AbstractAsyncContextManager[Bench]]:
    """Return what opens a bench with a required delivery channel that takes its time."""

    @asynccontextmanager
    async def open_bench(**settings: Any) -> AsyncIterator[Bench]:
        channel = SlowChannel()
        delivery = {"required": ["files"]}
        async with open_here(storage=broken_storage, channels={"files": channel}, delivery=delivery, **settings) as obs:
            yield Bench(obs, broken_storage, channel)

    return open_bench


@pytest.fixture
async def bench(open_bench: Callable[..., AbstractAsyncContextManager[Bench]]) -> AsyncIterator[Bench]:
    """Return a bench on which nothing is to fail."""
    async with open_bench() as bench:
        yield bench
        assert bench.restarts == 0
