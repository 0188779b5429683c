"""Clients that send, read and acknowledge, and are killed and started again: `python client.py PLAN`, a JSON object.

Every operation is noted twice in the plan's log, when it begins and when it has ended. A line is a JSON array: the time
in nanoseconds, which Observatory it was, the client, the number of its operation, a word, and what belongs to it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import attrs
import trio

from observatory import (
    Clock,
    MailboxSettings,
    Observatory,
    Settings,
    StorageSettings,
    UnknownMessageError,
    open_observatory,
)

SIZES = (0, 0, 0, 40, 700, 9_000)  # characters: less than a block of a disk, and several
ENOUGH = 1_000_000  # messages: a read returns all there are
FEW = 4  # messages: so many are left unread
SOON = 0.004  # seconds within which a kill comes


@attrs.frozen(kw_only=True)
class Plan:
    """What is to be done."""

    root: str
    """The root of the Observatory."""
    log: str
    """The file that is noted in."""
    name: str = "process"
    """The process."""
    clients: int = 1
    """Tasks that do operations, at the same time."""
    operations: int = 100
    """Operations of each client."""
    agents: int = 4
    """Recipients."""
    crash: float = 0.0
    """The chance that the process is killed soon after an operation has begun; it is started again."""
    seed: int = 0
    """What the operations follow from."""
    storage: str = "memory"
    """The storage backend."""
    inbox: str | None = "flushed"
    """The inbox's level; None for no inbox."""
    astray: float = 0.0
    """Hours by which the clock may be ahead or behind, another time at every look; then what is read goes quickly."""
    team: bool = False
    """Whether the recipients are members of a team; it is durable before anything is sent."""

    def agent(self, number: int) -> str:
        """Return the name of a recipient."""
        return f"agent-{number}{'@crew' if self.team else ''}"

    def settings(self) -> Settings:
        """Return the settings of the Observatory."""
        return Settings(
            root=self.root,
            storage=StorageSettings(backend=self.storage),
            disabled_plugins=() if self.inbox else ("inbox",),
            plugins={"inbox": {"durability": self.inbox}} if self.inbox else {},
            mailbox=MailboxSettings(cleanup_age=1.0, cleanup_interval=0.02) if self.astray else MailboxSettings(),
        )


class StrayClock(Clock):
    """Shows another wrong time at every look."""

    def __init__(self, hours: float, chance: random.Random) -> None:
        super().__init__()
        self._hours = hours
        self._chance = chance

    def _read(self) -> int:
        return super()._read() + int(self._chance.uniform(-self._hours, self._hours) * 3_600_000_000)


class Journal:
    """The log, which outlives a kill: each line is one write.

    Args:
        plan: names the file.
    """

    def __init__(self, plan: Plan) -> None:
        self._descriptor = os.open(plan.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        before = Path(plan.log).read_bytes()
        if not before.endswith(b"\n"):
            os.write(self._descriptor, b"\n")  # a kill came in the middle of a line
        lines = whole_lines(before.splitlines())
        self._table = f"{plan.name}:{sum(line[4] == 'open' for line in lines)}"
        begun = [line for line in lines if line[4] in ("send", "read", "acknowledge")]
        self.begun: dict[str, list[Any]] = {line[2]: line for line in begun}
        """The last operation of each client that an earlier life has begun."""

    def note(self, client: str, number: int, *words: object) -> None:
        """Note something of an operation."""
        line = [time.monotonic_ns(), self._table, client, number, *words]
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")


def whole_lines(lines: Iterable[bytes]) -> list[list[Any]]:
    """Return what was noted in the lines of a log; what a kill has cut off is left out."""
    whole: list[list[Any]] = []
    for line in lines:
        with suppress(json.JSONDecodeError):
            whole.append(json.loads(line))
    return whole


def content_of(label: str) -> str:
    """Return the content that a label stands for: it ends with the number of `x` that follow."""
    return f"{label}:{'x' * int(label.rpartition(':')[2])}"


def label_of(content: str) -> str:
    """Return a content's label, or the content itself when it is not whole."""
    label = content.rpartition(":")[0]
    return label if label.rpartition(":")[2].isdecimal() and content_of(label) == content else content


def unread(observatory: Observatory, agent: str) -> list[tuple[str, str]]:
    """Return id and label of what an agent has not acknowledged, oldest first."""
    messages = observatory.mailbox.get_messages(agent, limit=ENOUGH, unread_only=True)
    return [(message.id, label_of(message.content)) for message in reversed(messages)]


class Client:
    """One client: it does one operation after the other.

    Args:
        name: its name, which is also that of the sender.
        plan: what is to be done.
        journal: where it is noted.
        observatory: the Observatory.
    """

    def __init__(self, name: str, plan: Plan, journal: Journal, observatory: Observatory) -> None:
        self._name = name
        self._plan = plan
        self._journal = journal
        self._observatory = observatory
        self._mailbox = observatory.mailbox
        self._number = 0

    async def run(self) -> None:
        """Go on where the last life was killed: with the same key, when it was sending under one."""
        last = self._journal.begun.get(self._name)
        repeated = None
        if last is not None:
            self._number = last[3] + 1
            repeated = last[5:] if last[4] == "send" and last[7] is not None else None
        while self._number < self._plan.operations:
            chance = random.Random(f"{self._plan.seed} {self._name} {self._number}")
            if chance.random() < self._plan.crash:
                threading.Thread(target=end, args=[chance.uniform(0, SOON)], daemon=True).start()
            repeated = await self._do_one(chance, repeated)
            self._number += 1

    async def _do_one(self, chance: random.Random, repeated: list[Any] | None) -> list[Any] | None:
        """Do one operation; return a send that is to be repeated by the next one."""
        if repeated is not None:
            await self._send(*repeated)
            return None
        agent = self._plan.agent(chance.randrange(self._plan.agents))
        kind = chance.choice(("send", "send", "send", "read", "acknowledge", "acknowledge"))
        if kind == "read":
            await self._read(agent)
        elif kind == "acknowledge" and len(waiting := unread(self._observatory, agent)) > FEW:
            chosen = chance.sample(waiting, 1 if self._plan.astray else chance.choice((1, 1, 2, FEW)))
            await self._acknowledge(agent, [id for id, _ in chosen])
        else:
            key = f"key-{self._number}" if chance.random() < 0.4 else None
            label = f"{self._name}:{self._number}:{chance.choice(SIZES)}"
            await self._send(agent, label, key)
            return [agent, label, key] if key and chance.random() < 0.3 else None
        return None

    async def _send(self, to: str, label: str, key: str | None) -> None:
        self._note("send", to, label, key)
        receipt = await self._mailbox.send_message(to, self._name, content_of(label), idempotency_key=key)
        inbox = receipt.deliveries.get("inbox")
        levels = [receipt.durability, inbox.durability if inbox and inbox.state == "written" else None]
        self._note("sent", receipt.message.id, receipt.sequence, levels, receipt.duplicate)

    async def _read(self, agent: str) -> None:
        self._note("read", agent)
        await trio.lowlevel.checkpoint()
        self._note("found", unread(self._observatory, agent))

    async def _acknowledge(self, agent: str, ids: list[str]) -> None:
        self._note("acknowledge", agent, ids)
        with suppress(UnknownMessageError) if self._plan.astray else nullcontext():  # read and cleaned up meanwhile
            await self._mailbox.mark_read(agent, *ids)
        self._note("acknowledged")

    def _note(self, *words: object) -> None:
        self._journal.note(self._name, self._number, *words)


def end(delay: float) -> None:
    """End this process, after some seconds, in the middle of whatever it is doing."""
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGKILL)


def make_team(plan: Plan) -> None:
    """Make the team, or say again who is in it, as the start of its session does; a power cut leaves it as it is."""
    folder = Path(plan.root, "teams", "crew")
    folder.mkdir(parents=True, exist_ok=True)
    members = [{"name": f"agent-{number}", "agentId": plan.agent(number)} for number in range(plan.agents)]
    (folder / "config.json").write_text(json.dumps({"name": "crew", "members": members}))
    for path in (folder / "config.json", folder, folder.parent, Path(plan.root), Path(plan.root).parent):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


async def live(plan: Plan) -> None:
    """Do all operations that have not begun yet."""
    journal = Journal(plan)
    if plan.team:
        make_team(plan)
    clock = StrayClock(plan.astray, random.Random(plan.seed)) if plan.astray else None
    journal.note(plan.name, 0, "open")
    async with open_observatory(plan.settings(), clock=clock) as observatory:
        journal.note(plan.name, 0, "opened")
        async with trio.open_nursery() as nursery:
            for number in range(plan.clients):
                nursery.start_soon(Client(f"{plan.name}-{number}", plan, journal, observatory).run)


def lives(plan: Plan) -> Iterator[int]:
    """Live again and again in processes of their own; yield how each ended."""
    for plugin in entry_points(group="observatory"):
        plugin.load()  # once for all lives
    while True:
        child = os.fork()
        if not child:
            trio.run(live, plan)
            os._exit(0)
        yield os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(plan: Plan) -> None:
    """Do everything, as often killed as it takes."""
    if not plan.crash:
        trio.run(live, plan)
        return
    ended = next(code for code in lives(plan) if code != -signal.SIGKILL)
    sys.exit(ended)


if __name__ == "__main__":
    main(Plan(**json.loads(sys.argv[1])))
