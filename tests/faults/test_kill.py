"""What survives when a process that is sending is killed with SIGKILL at a random moment."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import pytest
import trio

from observatory import Message, Settings, open_observatory

pytestmark = pytest.mark.slow

KILLS = 60
AT_ONCE = 2
EARLIEST, LATEST = 0.02, 0.12  # seconds after the process is ready
SENDER = Path(__file__).with_name("sender.py")


@attrs.frozen
class Receipted:
    """A receipt as the killed process noted it."""

    to: str
    id: str
    sequence: int
    state: str


@attrs.frozen
class Log:
    """What the killed process had noted."""

    begun: frozenset[tuple[str, str]]
    """Recipient and content of every send that had begun."""
    receipts: tuple[Receipted, ...]
    """In the order in which they came."""
    acknowledging: frozenset[str]
    """Ids of which an acknowledgement had begun."""
    acknowledged: frozenset[str]
    """Ids of which one had returned."""

    @property
    def sends_in_flight(self) -> int:
        """Sends that had begun and had no receipt yet."""
        return len(self.begun) - len(self.receipts)


@attrs.frozen
class Kill:
    """One killed process, and what the next one found."""

    log: Log
    recovered: Mapping[str, list[Message]]
    """By agent, oldest first."""
    left: Mapping[str, int]
    """What the inbox did not recover, by reason."""
    files: int
    """Message files in the inbox."""
    temporary: int
    """Temporary files that were left behind."""

    @property
    def messages(self) -> list[Message]:
        """Everything that was recovered."""
        return [message for messages in self.recovered.values() for message in messages]


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> list[Kill]:
    """Enough kills that landed while a send was in flight; others are repeated."""
    seed = int(os.environ.get("FAULTS_SEED", random.randrange(2**32)))
    landed: list[Kill] = []
    outside = trio.run(_kill_many, tmp_path_factory.mktemp("kills"), random.Random(seed), landed)
    sent = sum(len(kill.log.receipts) for kill in landed)
    acknowledged = sum(len(kill.log.acknowledged) for kill in landed)
    print(
        f"FAULTS_SEED={seed}: {len(landed)} kills landed while a send was in flight, {outside} outside; "
        f"{sent} sends were receipted, {acknowledged} acknowledged, "
        f"{sum(kill.temporary for kill in landed)} temporary files were left"
    )
    return landed


async def _kill_many(folder: Path, chance: random.Random, landed: list[Kill]) -> int:
    outside = 0

    async def kill_some(worker: int) -> None:
        nonlocal outside
        while len(landed) < KILLS:
            root = folder / f"root-{worker}"
            kill = await _kill_one(root, chance.randrange(2**32), chance.uniform(EARLIEST, LATEST))
            shutil.rmtree(root)
            if kill.log.sends_in_flight:
                landed.append(kill)
            else:
                outside += 1

    async with trio.open_nursery() as nursery:
        for worker in range(AT_ONCE):
            nursery.start_soon(kill_some, worker)
    return outside


async def _kill_one(root: Path, seed: int, delay: float) -> Kill:
    log = root.with_suffix(".log")
    command = [sys.executable, str(SENDER), str(root), str(log), str(seed)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    async with process.stdout:
        assert await process.stdout.receive_some() == b"ready\n"
        await trio.sleep(delay)  # the random moment
        process.kill()
        assert await process.wait() == -signal.SIGKILL
    names = [path.name for path in (root / "inbox").glob("*/*")]
    async with open_observatory(Settings(root=root)) as observatory:
        mailbox = observatory.mailbox
        return Kill(
            log=_read(log),
            recovered={agent: mailbox.get_messages(agent, limit=len(names))[::-1] for agent in mailbox.get_stats()},
            left=observatory.statistics().channels["inbox"]["left"],
            files=sum(name.endswith(".json") for name in names),
            temporary=sum(name.endswith(".tmp") for name in names),
        )


def _read(log: Path) -> Log:
    lines = [json.loads(line) for line in log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    noted: dict[str, list[list[object]]] = {"send": [], "receipt": [], "acknowledge": [], "acknowledged": []}
    for kind, *line in lines:
        noted[kind].append(line)
    return Log(
        begun=frozenset((str(to), str(content)) for to, content in noted["send"]),
        receipts=tuple(Receipted(*line) for line in noted["receipt"]),  # type: ignore[arg-type]  # as the sender wrote
        acknowledging=frozenset(str(id) for (id,) in noted["acknowledge"]),
        acknowledged=frozenset(str(id) for (id,) in noted["acknowledged"]),
    )


def _still_wanted(log: Log) -> Iterator[Receipted]:
    """Yield what must be there: the file was written, and nobody has begun to acknowledge it."""
    return (each for each in log.receipts if each.state == "written" and each.id not in log.acknowledging)


def test_enough_happened(kills: list[Kill]) -> None:
    """There are enough kills, and each found messages that were receipted."""
    assert len(kills) >= KILLS
    assert sum(bool(kill.log.receipts) for kill in kills) > KILLS // 2
    assert sum(bool(kill.log.acknowledged) for kill in kills) > KILLS // 2


def test_every_receipt_says_written(kills: list[Kill]) -> None:
    """On a healthy disk, every receipt promises the file."""
    assert {each.state for kill in kills for each in kill.log.receipts} == {"written"}


def test_nothing_is_lost(kills: list[Kill]) -> None:
    """What was receipted as `written` is recovered with its recipient."""
    for kill in kills:
        found = {(message.to, message.id) for message in kill.messages}
        assert {(each.to, each.id) for each in _still_wanted(kill.log)} <= found


def test_nothing_is_there_twice(kills: list[Kill]) -> None:
    """Neither an id nor a content is recovered twice."""
    for kill in kills:
        assert set(Counter(message.id for message in kill.messages).values()) <= {1}
        assert set(Counter(message.content for message in kill.messages).values()) <= {1}


def test_order(kills: list[Kill]) -> None:
    """Each recipient's messages are recovered in the order of their receipted numbers."""
    for kill in kills:
        sequences = {each.id: each.sequence for each in kill.log.receipts}
        for messages in kill.recovered.values():
            numbers = [sequences[message.id] for message in messages if message.id in sequences]
            assert numbers == sorted(numbers)


def test_nothing_is_half_written(kills: list[Kill]) -> None:
    """Every recovered message is one that was sent, whole, to that recipient."""
    for kill in kills:
        assert {(message.to, message.content) for message in kill.messages} <= kill.log.begun


def test_every_file_is_a_message(kills: list[Kill]) -> None:
    """Every file that has its final name is recovered, and nothing else: temporary files do not count."""
    for kill in kills:
        assert len(kill.messages) == kill.files
        assert not kill.left


def test_what_was_acknowledged_stays_away(kills: list[Kill]) -> None:
    """What was acknowledged, and the acknowledgement returned, does not come back."""
    for kill in kills:
        assert not kill.log.acknowledged & {message.id for message in kill.messages}
