"""A delivery channel on a root of its own, and jobs for it."""

from __future__ import annotations

import ctypes
import errno
import itertools
import json
import os
import re
import stat
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_inbox import InboxChannel, InboxSettings, Outbox
from observatory_inbox.mail import disk

from observatory import Clock, Context, Message, Post, PubSub

_PATIENCE = 1_000  # seconds of a clock that some tests hurry


class Watch:
    """What a watching delivery channel has told, and waiting for it."""

    def __init__(self) -> None:
        self.adopted: list[Message] = []
        self.gone: list[tuple[str, list[str]]] = []
        self._told = trio.Event()

    async def adopt(self, messages: Sequence[Message]) -> None:
        """Take messages."""
        await trio.lowlevel.checkpoint()
        self.adopted.extend(messages)
        self._tell()

    async def take_gone(self, to: str, ids: Sequence[str]) -> None:
        """Take what is gone."""
        await trio.lowlevel.checkpoint()
        self.gone.append((to, list(ids)))
        self._tell()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something has been told, or seen otherwise."""
        with trio.fail_after(_PATIENCE):  # some tests hurry the clock
            await trio.lowlevel.checkpoint()
            while not happened():
                with trio.move_on_after(0.01):
                    await self._told.wait()

    def ids(self) -> set[str]:
        """Return the ids of what was adopted."""
        return {message.id for message in self.adopted}

    def _tell(self) -> None:
        self._told.set()
        self._told = trio.Event()


class Bench:
    """What the tests work with: a root, its inbox, and delivery channels on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inbox = root / "inbox"
        self.clock = Clock()
        self._numbers = itertools.count(1)

    async def start(self, settings: InboxSettings | None = None) -> None:
        """Start a delivery channel."""
        self.channel = InboxChannel(Context(self.root, self.clock, PubSub(), settings, {}, {}))
        await self.channel.start()

    async def restart(self, settings: InboxSettings | None = None) -> None:
        """Put another delivery channel in the place of the first, as a restarted process would."""
        await self.channel.aclose()
        await self.start(settings)

    def post(self, to: str = "agent-42", content: str = "hello", **fields: Any) -> Post:
        """Return a post under a new id."""
        number = next(self._numbers)
        fields.setdefault("id", f"{number:016x}")
        return Post(Message(from_="dashboard", to=to, content=content, timestamp=self.clock.now(), **fields), number)

    def path(self, post: Post) -> Path:
        """Return where a post's file belongs."""
        return self.inbox / post.message.to / f"{post.message.id}.json"

    def write_file(self, to: str = "agent-42", name: str | None = None, **changes: Any) -> Path:
        """Write a good file by hand, with some fields changed, or left out when their value is `...`."""
        message = self.post(to).message
        fields = {
            "type": "message",
            "from": "dashboard",
            "content": "hello",
            "message_type": "text",
            "metadata": {},
            "id": message.id,
            "session_id": to,
            "timestamp": message.timestamp.isoformat(),
        } | changes
        path = self.inbox / to / (name or f"{fields['id']}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({key: value for key, value in fields.items() if value is not ...}))
        return path

    def team(self, *members: str | dict[str, Any], name: str = "night-shift") -> Path:
        """Make a team, or give it other members, and return its folder."""
        folder = self.root / "teams" / re.sub(r"[^A-Za-z0-9_-]", "-", name)
        folder.mkdir(parents=True, exist_ok=True)
        listed = [each if isinstance(each, dict) else {"name": each, "agentId": f"{each}@{name}"} for each in members]
        (folder / "config.json").write_text(json.dumps({"name": name, "members": listed}))
        return folder

    async def recover(self, agents: Collection[str] | None = None) -> list[Message]:
        """Return what the delivery channel recovers."""
        return [message for batch in await self.recover_batches(agents) for message in batch]

    async def recover_batches(self, agents: Collection[str] | None = None) -> list[Sequence[Message]]:
        """Return the batches in which the delivery channel recovers."""
        batches: list[Sequence[Message]] = []

        async def adopt(batch: Sequence[Message]) -> None:
            await trio.lowlevel.checkpoint()
            batches.append(batch)

        await self.channel.recover(agents, adopt)
        return batches

    @asynccontextmanager
    async def watching(self, channel: InboxChannel | None = None) -> AsyncIterator[Watch]:
        """Let a delivery channel, by default the bench's own, watch during the block."""
        watch = Watch()
        async with trio.open_nursery() as nursery:
            await nursery.start((channel or self.channel).watch, watch.adopt, watch.take_gone)
            yield watch
            nursery.cancel_scope.cancel()

    async def see_everything(self, watch: Watch) -> None:
        """Wait until what has happened so far must have been told: a file that comes now is told of later."""
        marker = self.write_file("marker")
        await watch.until(lambda: marker.stem in watch.ids())

    def files(self) -> list[str]:
        """Return every file below the inbox."""
        return sorted(str(path.relative_to(self.inbox)) for path in self.inbox.rglob("*") if not path.is_dir())


class Office:
    """An outbox on a root of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outbox = root / "outbox"
        self.pubsub = PubSub()

    def service(self, settings: InboxSettings | None = None) -> Outbox:
        """Return a service that reads the outbox."""
        return Outbox(Context(self.root, Clock(), self.pubsub, settings, {}, {}))

    @asynccontextmanager
    async def running(self, service: Outbox) -> AsyncIterator[Outbox]:
        """Let a service run during the block."""
        async with trio.open_nursery() as nursery:
            await nursery.start(service.run)
            yield service
            nursery.cancel_scope.cancel()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is seen to have happened."""
        with trio.fail_after(_PATIENCE):
            await trio.lowlevel.checkpoint()
            while not happened():  # noqa: ASYNC110 -- that a file is gone is told by nobody
                await trio.sleep(0.01)

    def write(self, name: str, body: Any, session: str = "agent-42", at: float | None = None) -> Path:
        """Write a response; text as it is, anything else as JSON."""
        path = self.outbox / session / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(".new")
        temporary.write_text(body if isinstance(body, str) else json.dumps(body))
        if at is not None:
            os.utime(temporary, (at, at))
        return temporary.rename(path)

    def quarantined(self) -> list[str]:
        """Return the names of what was put aside, reasons included."""
        folder = self.outbox / ".quarantine"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class System:
    """Notes what is asked of the system, and refuses what it is told to."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.calls: list[str] = []
        self.failing: set[str] = set()
        self._monkeypatch = monkeypatch
        for name in ("write", "fdatasync", "fsync"):
            self._watch(name, lambda call, descriptor, *_: f"{call} {self._name_of(descriptor)}")
        for name in ("mkdir", "unlink"):
            self._watch(name, lambda call, *_: call)
        for name in ("link", "rename"):
            self._watch(name, lambda call, *_: call)
        self.use_syncfs("ext4")

    def use_syncfs(self, kind: str | None) -> None:
        """Let the inbox be on such a file system, or syncfs be missing."""
        self._monkeypatch.setattr(disk, "find_syncfs", lambda: self._syncfs if kind else None)
        self._monkeypatch.setattr(disk, "file_system_of", lambda _: kind)

    def use_named_files(self) -> None:
        """Let no file be without a name."""
        self._monkeypatch.delattr(os, "O_TMPFILE", raising=False)

    def _syncfs(self, descriptor: int) -> int:
        call = f"syncfs {self._name_of(descriptor)}"
        self.calls.append(call)
        ctypes.set_errno(errno.EIO)
        return -1 if call in self.failing or f"{call} {self.calls.count(call)}" in self.failing else 0

    def _watch(self, name: str, describe: Callable[..., str]) -> None:
        function = getattr(os, name)

        def noted(*arguments: Any, **options: Any) -> Any:
            call = describe(name, *arguments)
            if not call.endswith(" pipe"):
                self.calls.append(call)
            if call in self.failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return function(*arguments, **options)

        self._monkeypatch.setattr(os, name, noted)

    def _name_of(self, descriptor: int) -> str:
        status = os.fstat(descriptor)
        if not stat.S_ISDIR(status.st_mode):
            return "file" if stat.S_ISREG(status.st_mode) else "pipe"
        folders = {"root": self.root, "inbox": self.root / "inbox", "agent": self.root / "inbox" / "agent-42"}
        for name, folder in folders.items():
            if folder.exists() and os.path.samestat(folder.stat(), status):
                return name
        return "above" if any(os.path.samestat(each.stat(), status) for each in self.root.parents) else "other"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Return a bench on an empty root."""
    bench = Bench(tmp_path)
    await bench.start()
    yield bench
    await bench.channel.aclose()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Return an outbox on an empty root."""
    return Office(tmp_path)


@pytest.fixture
async def system(bench: Any, monkeypatch: pytest.MonkeyPatch) -> System:
    """Return the system behind a delivery channel that is started at `fsynced`."""
    system = System(bench.root, monkeypatch)
    await bench.restart(InboxSettings(durability="fsynced"))
    return system


@pytest.fixture
def hurried_clock() -> trio.testing.MockClock:
    """Make Trio's time run twenty times as fast as files change."""
    return trio.testing.MockClock(rate=20)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what puts every `Clock` so many hours ahead: when a file got its name cannot be set back."""
    return lambda hours: monkeypatch.setattr(time, "time_ns", lambda now=time.time_ns: now() + int(hours * 3.6e12))


@pytest.fixture
def failing_folders(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of folders that the disk fails to open, for as long as they stand in this set."""
    names: set[str] = set()
    open_file = os.open

    def open_or_fail(path: Any, *arguments: Any, **options: Any) -> int:
        if path in names:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_or_fail)
    return names
