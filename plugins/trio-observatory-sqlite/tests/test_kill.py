"""What survives when a process that appends is killed with SIGKILL at a random moment, again and again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory import StoredMessage

pytestmark = pytest.mark.slow

KILLS = 24
SEED = int(os.environ.get("FAULTS_SEED", random.randrange(2**32)))
SENDER = Path(__file__).with_name("sender.py")


class History:
    """What all the killed processes together have said."""

    def __init__(self) -> None:
        self.sent: set[tuple[str, str]] = set()
        self.receipts: dict[tuple[str, int], str] = {}
        self.reading: set[tuple[str, int]] = set()
        self.read: set[tuple[str, int]] = set()
        self.twice: list[tuple[str, int]] = []

    def note(self, output: bytes) -> bool:
        """Take what one process has printed; tell whether the kill landed while a send was under way."""
        lines = [json.loads(line) for line in output.splitlines(keepends=True) if line.endswith(b"\n")]
        for kind, *line in lines:
            if kind == "send":
                self.sent.add((line[0], line[1]))
            elif kind == "receipt":
                to, number, content = line
                self.twice += [(to, number)] * ((to, number) in self.receipts)
                self.receipts[to, number] = content
            elif kind in ("read", "done"):
                (self.reading if kind == "read" else self.read).add((line[0], line[1]))
        kinds = Counter(line[0] for line in lines)
        return kinds["send"] > kinds["receipt"]


async def kill_one(root: Path, chance: random.Random) -> bytes:
    """Start a process, kill it at a random moment, and return what it has printed."""
    others = entry_points(group="observatory").names - {"sqlite"}
    command = [sys.executable, str(SENDER), str(root), str(chance.randrange(2**32)), *others]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = bytearray()
    async with process.stdout:
        while b"ready" not in output:
            output += await process.stdout.receive_some()
        with trio.move_on_after(chance.uniform(0.01, 0.15)):  # the random moment
            while True:
                output += await process.stdout.receive_some()
        process.kill()
        async for some in process.stdout:
            output += some
    assert await process.wait() == -signal.SIGKILL
    return bytes(output)


async def test_kills(bench: Any) -> None:
    """Nothing that was receipted is lost, nothing is there twice or in part, and no number is used twice."""
    chance, history = random.Random(SEED), History()
    landed = kills = 0
    while landed < KILLS:
        landed += history.note(await kill_one(bench.root, chance))
        kills += 1
        found = [each for each in await bench.everything() if isinstance(each, StoredMessage)]
        by_number = {(each.message.to, each.sequence): each.message for each in found}
        assert len(by_number) == len(found), "a number is there twice"
        assert not history.twice, "a number was given twice"
        contents = {number: message.content for number, message in by_number.items()}
        assert history.receipts.items() <= contents.items(), "something receipted is lost, or was changed"
        assert {(to, content) for (to, _), content in contents.items()} <= history.sent
        assert len(set(contents.values())) == len(contents), "something is there twice"
        read = {number for number, message in by_number.items() if message.read}
        assert history.read <= read <= history.reading
    print(
        f"FAULTS_SEED={SEED}: {landed} of {kills} kills landed while a send was under way; {len(history.receipts)} "
        f"sends were receipted, {len(history.read)} acknowledged, {len(history.sent)} begun"
    )
    assert len(history.receipts) > 10 * KILLS
