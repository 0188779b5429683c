"""Processes that are forked to be killed, and what they noted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from observatory import Receipt
from tests.faults.sender import content_of

SETUPS = ("memory-flushed", "memory-flushed-named", "memory-fsynced-short", "sqlite-flushed", "sqlite-fsynced")
WITH_TEAMS = (*SETUPS, "memory-flushed-team", "sqlite-fsynced-team")
AT_ONCE = 2


class Zygote:
    """Forks one process at a time, which waits until it is let go."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._commands = process.stdin
        self._answers = process.stdout
        self._unread = b""

    async def start(self, *arguments: str) -> int:
        """Fork a process that waits, and return its id."""
        return int(await self._ask("start", *arguments))

    async def go(self) -> None:
        """Let it run."""
        await self._tell("go")

    async def kill(self) -> None:
        """Kill it."""
        await self._tell("kill")

    async def wait(self) -> int | None:
        """Wait for its end, and return its exit code, or minus a signal; None when it hung, and had to be killed."""
        exit_code: int | None = await self._ask("wait")
        return exit_code

    async def _ask(self, *command: str) -> Any:
        await self._tell(*command)
        while b"\n" not in self._unread:
            some = await self._answers.receive_some()
            assert some, "the process that forks has ended"
            self._unread += some
        line, self._unread = self._unread.split(b"\n", 1)
        return json.loads(line)

    async def _tell(self, *command: str) -> None:
        await self._commands.send_all(json.dumps(command).encode() + b"\n")


@asynccontextmanager
async def open_zygote() -> AsyncIterator[Zygote]:
    """Start a process that forks others; it ends with the block."""
    command = [sys.executable, str(Path(__file__).with_name("zygote.py")), "sender"]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    zygote = Zygote(process)
    try:
        yield zygote
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def until_noted(log: Path, *signs: str) -> None:
    """Wait until a process has noted one of these."""
    with trio.fail_after(60):
        while True:
            await trio.sleep(0.001)  # nobody tells that a file has been written
            if _holds(log, signs):
                return


def _holds(log: Path, signs: Iterable[str]) -> bool:
    noted = log.read_text()
    return any(sign in noted for sign in signs)


@attrs.frozen
class Receipted:
    """A receipt as it was noted."""

    life: int
    """Which process on this root."""
    to: str
    id: str
    sequence: int
    state: str
    size: int | None
    """Bytes of the file when the receipt came; None when there was none, or none was promised."""


class History:
    """What the processes on one root noted, one after the other."""

    def __init__(self) -> None:
        self.lives = 0
        self.sent: dict[str, tuple[str, int]] = {}
        """Recipient, or `*` for several, and size of every send that had begun, by its tag."""
        self.receipts: dict[tuple[str, str], Receipted] = {}
        """By tag and recipient, in the order in which they came."""
        self.refused: set[str] = set()
        """Tags of sends that were refused."""
        self.acknowledging: set[str] = set()
        """Ids of which an acknowledgement had begun."""
        self.acknowledged: set[str] = set()
        """Ids of which one had returned."""
        self.cleared: set[str] = set()
        """Ids of what was in a mailbox when it began to be cleared."""
        self.half_cleared: set[str] = set()
        """Ids of what was unread when the last process began to clear a mailbox, if it may not have been committed."""
        self.committed: set[str] = set()
        """Ids of what was cleared: gone for good with storage that lasts, and else once that has returned."""
        self.dead: set[str] = set()
        """Ids of what became a dead letter."""
        self.lines: Counter[str] = Counter()
        """How often each was noted by the last process."""
        self.in_flight = 0
        """Sends that the last process had begun, and that had no answer."""

    def take(self, log: Path) -> None:
        """Take what one more process has noted; the last line may be torn."""
        lines = [json.loads(line) for line in log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        self.lives += 1
        self.half_cleared = set()
        self.lines = Counter(kind for kind, *_ in lines)
        answered = {line[1] for line in lines if line[0] in ("receipt", "refused", "unknown")}
        self.in_flight = self.lines["send"] - len(answered)
        for kind, *values in lines:
            self._note(kind, values)

    def repeated(self, tag: str, receipt: Receipt) -> None:
        """Note what came of a send that was repeated under its key: it counts as of the process that began it."""
        to = receipt.message.to
        delivery = receipt.deliveries["inbox"]
        new = Receipted(self.lives, to, receipt.message.id, receipt.sequence, delivery.state, None)
        self.receipts.setdefault((tag, to), new)
        self.refused.discard(tag)

    def contents(self) -> dict[str, str]:
        """Return the content of every send that had begun, by its tag."""
        return {tag: content_of(tag, size) for tag, (_, size) in self.sent.items()}

    def undelivered(self, root: Path) -> Iterator[str]:
        """Yield what was receipted and has no file, although nobody acknowledges it."""
        for (tag, to), receipt in self.receipts.items():
            if receipt.id not in self.acknowledging and not (root / "inbox" / to / f"{receipt.id}.json").exists():
                yield tag

    def _note(self, kind: str, values: list[Any]) -> None:
        match kind, values:
            case "send", [tag, to, size]:
                self.sent[tag] = to, size
            case "receipt", [tag, to, *rest]:
                self.receipts[tag, to] = Receipted(self.lives, to, *rest)
            case "refused", [tag]:
                self.refused.add(tag)
            case "acknowledge", [id]:
                self.acknowledging.add(id)
            case "acknowledged", [id]:
                self.acknowledged.add(id)
            case "clear", [ids, unread]:
                self.cleared.update(ids)
                self.acknowledging.update(ids)
                self.half_cleared = set(unread)
            case "cleared", []:
                self.committed |= self.half_cleared
                self.half_cleared = set()
            case "emptied", []:
                self.acknowledged |= self.committed
            case "dead", [id]:
                self.dead.add(id)
