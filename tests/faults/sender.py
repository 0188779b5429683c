"""A process to be killed, or whose system calls fail: `python sender.py ROOT LOG SETUP WORK SEED`.

SETUP is a storage backend, the durability of the inbox, and perhaps a quirk of the file system: `sqlite-flushed`,
`memory-flushed-named` where no file is without a name, `memory-flushed-short` where a write writes only a part; or
`memory-flushed-team`: the recipients are members of a team.

WORK is `storm`: many tasks send without end; `script`: one task does little, always the same for the same seed, and
ends once everything is delivered; or `stay`: the same, but it does not end.

LOG gets, unbuffered, what it is about to do and what it was told. Each line is a JSON array that begins with one of
`ready`, `send`, `receipt`, `refused`, `unknown`, `acknowledge`, `acknowledged`, `clear`, `cleared`, `emptied`,
`unopened`, `dead`, `done`, `unclosed`.
"""

from __future__ import annotations

import errno
import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import trio

from observatory import (
    DeliverySettings,
    MailboxCleared,
    Observatory,
    OutcomeUnknownError,
    Receipt,
    RootError,
    Settings,
    StorageError,
    StorageSettings,
    Subscription,
    open_observatory,
)

Note: TypeAlias = Callable[..., None]

SENDERS, AGENTS = 12, 4
LARGEST = 6_000  # characters: more than one page of a file
ACKNOWLEDGED = 0.25  # of what was sent
BROADCAST = 0.15  # of what is sent
KEYED = 0.5
ATTEMPTS = 5  # to open an Observatory
BURST = 3
STEPS = ("send", "send", "send", "burst", "broadcast", "acknowledge", "acknowledge", "clear")


def settings_of(root: Path, setup: str) -> Settings:
    """Return the settings of a setup; what fails is tried again soon."""
    storage, durability, *_ = setup.split("-")
    return Settings(
        root=root,
        storage=StorageSettings(backend=storage),
        delivery=DeliverySettings(retry_first=0.001, retry_longest=0.005),
        plugins={"inbox": {"durability": durability}},
    )


def agents_of(setup: str) -> list[str]:
    """Return the recipients."""
    return [f"agent-{number}{'@crew' if setup.endswith('-team') else ''}" for number in range(AGENTS)]


def let_locks_be_stale(root: Path) -> None:
    """Let 10 seconds have passed since anybody took a lock, or failed to give it back; by calls that never fail."""
    for number in range(AGENTS):
        with suppress(FileNotFoundError):
            os.utime(root / f"teams/crew/inboxes/agent-{number}.json.lock", (0, 0))


def content_of(tag: str, size: int) -> str:
    """Return a content that says which message it is and ends with as many `x` as was noted."""
    return tag + "x" * size


class Sender:
    """Sends and acknowledges, and notes it."""

    def __init__(
        self, observatory: Observatory, note: Note, name: str, chance: random.Random, agents: Sequence[str]
    ) -> None:
        self._observatory = observatory
        self._agents = agents
        self._mailbox = observatory.mailbox
        self._note = note
        self._name = name
        self._chance = chance
        self._sent = 0
        self._receipts: list[Receipt] = []

    async def storm(self) -> None:
        """Send without end, now and then to all, so that sends and broadcasts to one recipient meet in a batch."""
        while True:
            await (self.broadcast() if self._chance.random() < BROADCAST else self.send())
            if self._receipts and self._chance.random() < ACKNOWLEDGED:
                await self.acknowledge()

    async def script(self) -> None:
        """Do little, and wait until it is delivered, also what could not be at first."""
        for step in self._chance.sample(STEPS, len(STEPS)):
            await getattr(self, step)()
        await self._delivered()
        for letter in self._observatory.dead_letters():
            self._note("dead", letter.message.id)
        while self._observatory.dead_letters():
            let_locks_be_stale(self._observatory.settings.root)
            await self._observatory.redeliver()
            await self._delivered()
        self._note("done")

    async def send(self) -> None:
        """Send one message, under a key or without one."""
        await self._send(*self._begin(self._chance.choice(self._agents)))

    async def burst(self) -> None:
        """Send some messages to one recipient at once, in one batch."""
        to = self._chance.choice(self._agents)
        async with trio.open_nursery() as nursery:
            for _ in range(BURST):
                nursery.start_soon(self._send, *self._begin(to))

    async def broadcast(self) -> None:
        """Send one content to several, in one batch."""
        tag, _, content = self._begin("*")
        try:
            receipts = await self._mailbox.broadcast_to_many(self._agents, self._name, content)
        except (StorageError, OutcomeUnknownError) as error:
            self._failed(tag, error)
            return
        for receipt in receipts:
            assert isinstance(receipt, Receipt), receipt
            self._receipted(tag, receipt)

    async def acknowledge(self) -> None:
        """Acknowledge one of the messages that were receipted last."""
        if not self._receipts:
            return
        message = self._receipts.pop(self._chance.randrange(len(self._receipts))).message
        self._note("acknowledge", message.id)
        with suppress(StorageError, OutcomeUnknownError):
            await self._mailbox.mark_read(message.to, message.id)
            self._note("acknowledged", message.id)

    async def clear(self) -> None:
        """Remove everything from the mailbox of whoever was sent a message last."""
        if not self._receipts:
            return
        there = self._mailbox.get_messages(to := self._receipts[-1].message.to, limit=100_000)
        self._receipts = [receipt for receipt in self._receipts if receipt.message.to != to]
        self._note("clear", [message.id for message in there], [message.id for message in there if not message.read])
        async with self._observatory.pubsub.subscribe(f"agent:{to}") as subscription, trio.open_nursery() as nursery:
            nursery.start_soon(self._note_cleared, subscription)
            with suppress(StorageError, OutcomeUnknownError):
                await self._mailbox.clear_messages(to)
                self._note("emptied")
            nursery.cancel_scope.cancel()

    async def _note_cleared(self, subscription: Subscription) -> None:
        """Note it as soon as it is committed, before files have gone."""
        async for event in subscription:
            if isinstance(event.payload, MailboxCleared):
                self._note("cleared")

    def _begin(self, to: str) -> tuple[str, str, str]:
        """Note a message; one whose tag ends with `k:` is sent under that as its key."""
        self._sent += 1
        keyed = to != "*" and self._chance.random() < KEYED
        tag, size = f"{self._name}.{self._sent}{'k' if keyed else ''}:", self._chance.randrange(LARGEST)
        self._note("send", tag, to, size)
        return tag, to, content_of(tag, size)

    async def _send(self, tag: str, to: str, content: str) -> None:
        key = tag if tag.endswith("k:") else None
        try:
            receipt = await self._mailbox.send_message(to, self._name, content, idempotency_key=key)
        except (StorageError, OutcomeUnknownError) as error:
            self._failed(tag, error)
        else:
            self._receipted(tag, receipt)

    def _failed(self, tag: str, error: StorageError | OutcomeUnknownError) -> None:
        self._note("unknown" if isinstance(error, OutcomeUnknownError) else "refused", tag)

    def _receipted(self, tag: str, receipt: Receipt) -> None:
        """Note a receipt, and the size of the file that is there at this moment."""
        to, id, inbox = receipt.message.to, receipt.message.id, receipt.deliveries["inbox"]
        size = self._size_of(to, id) if inbox.state == "written" else None
        self._note("receipt", tag, to, id, receipt.sequence, inbox.state, size)
        self._receipts.append(receipt)

    def _size_of(self, to: str, id: str) -> int | None:
        """Look whether a file is there: by its whole path, which tells this call from those that are tested."""
        while True:
            try:
                return (self._observatory.settings.root / "inbox" / to / f"{id}.json").stat().st_size
            except FileNotFoundError:
                return None
            except OSError:
                pass  # it was made to fail, where another one was meant to: so do some in a row, and then no more

    async def _delivered(self) -> None:
        """Wait until nothing is waiting, and nothing is owed."""
        while True:
            lane = self._observatory.statistics().lanes["inbox"]
            if not lane.queued + lane.backing_off + lane.owed:
                return
            await trio.sleep(0.001)  # what is waited for is a disk


async def work(settings: Settings, agents: Sequence[str], note: Note, kind: str, seed: str) -> None:
    """Open an Observatory and send; try again where it could not be opened. That leaving it fails is noted."""
    for attempt in range(1, ATTEMPTS + 1):
        opened = False
        try:
            # What watches the files of others would come in between the system calls, now here and now there.
            async with open_observatory(settings, services=kind == "storm") as observatory:
                opened = True
                note("ready")
                await send_all(observatory, agents, note, kind, seed)
        except (StorageError, RootError) as error:
            if not opened and attempt == ATTEMPTS:
                raise
            note("unclosed" if opened else "unopened", str(error))
        if opened:
            return


async def send_all(observatory: Observatory, agents: Sequence[str], note: Note, kind: str, seed: str) -> None:
    """Send as one of the works does."""
    name, chance = f"sender-{seed}", random.Random(seed)
    if kind == "storm":
        async with trio.open_nursery() as nursery:
            for number in range(SENDERS):
                nursery.start_soon(Sender(observatory, note, f"{name}-{number}", chance, agents).storm)
    await Sender(observatory, note, name, chance, agents).script()
    if kind == "stay":
        await trio.sleep_forever()


def refuse_unnamed_files() -> None:
    """Be on a file system where every file has a name from the beginning."""
    open_file = os.open

    def open_named(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return open_file(path, flags, *arguments, **options)

    os.open = open_named


def write_parts(chance: random.Random) -> None:
    """Let each write write only a part."""
    write = os.write

    def write_part(descriptor: int, data: Any) -> int:
        return write(descriptor, data[: chance.randint(1, len(data))])

    os.write = write_part


def make_team(root: Path, members: Sequence[str]) -> None:
    """Make a team, unless it is there."""
    folder = root / "teams" / "crew"
    folder.mkdir(parents=True, exist_ok=True)
    roster = {"name": "crew", "members": [{"name": name.partition("@")[0], "agentId": name} for name in members]}
    (folder / "config.json").write_text(json.dumps(roster))


QUIRKS = {"named": lambda seed: refuse_unnamed_files(), "short": lambda seed: write_parts(random.Random(seed))}


def prepare(root: str, log: str, setup: str, kind: str, seed: str) -> Callable[[], None]:
    """Make what must be there, and return what runs until the end, or until killed."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(*line: object) -> None:
        os.writev(descriptor, [json.dumps(line).encode() + b"\n"])  # not `write`, whose calls are counted

    agents = agents_of(setup)
    if setup.endswith("-team"):
        make_team(Path(root), agents)

    def run() -> None:
        for quirk in QUIRKS.keys() & setup.split("-"):
            QUIRKS[quirk](seed)
        trio.run(work, settings_of(Path(root), setup), agents, note, kind, seed)

    return run


if __name__ == "__main__":
    prepare(*sys.argv[1:])()
