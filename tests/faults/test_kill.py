"""What survives when a process that is sending is killed with SIGKILL at a random moment, and the next ones, too."""

from __future__ import annotations

import itertools
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio

from tests.faults.conftest import Extent
from tests.faults.killing import AT_ONCE, WITH_TEAMS, History, Zygote, open_zygote, until_noted
from tests.faults.laws import NAMES, Findings

pytestmark = pytest.mark.faults

LATEST = 0.06  # seconds after the process is ready
LIVES = 3  # processes on one root, one after the other


@attrs.define
class Kills:
    """All kills, and what was found after them."""

    landed: int = 0
    """Kills in the middle of a send."""
    outside: int = 0
    """Others."""
    sums: Counter[str] = attrs.field(factory=Counter)
    """What the killed processes noted, and files they left."""
    states: set[str] = attrs.field(factory=set)
    """Of all receipts."""
    findings: Findings = attrs.field(factory=Findings)
    """What breaks a law."""

    async def take(self, root: Path, setup: str, history: History, seed: str) -> None:
        """Count one kill, and look at what is there."""
        if history.in_flight:
            self.landed += 1
        else:
            self.outside += 1
        self.sums += history.lines
        self.states.update(each.state for each in history.receipts.values() if each.life == history.lives)
        found = await self.findings.examine(root, setup, history, f"{setup} {seed}")
        if found is not None:
            self.sums["temporary"] += found.temporary
            self.sums["repeated"] += sum(receipt.duplicate for receipt in found.repeats.values())


@pytest.fixture(scope="module")
def kills(
    tmp_path_factory: pytest.TempPathFactory, extent: Extent, chance: random.Random, count: Callable[[str], None]
) -> Kills:
    """Enough kills that landed in the middle of a send."""
    kills = Kills()
    trio.run(_kill_many, tmp_path_factory.mktemp("kills"), extent.kills, chance, kills)
    sums = kills.sums
    count(
        f"{kills.landed:,} kills in the middle of a send ({kills.outside} outside): {sums['receipt']:,} receipts, "
        f"{sums['acknowledged']:,} acknowledged, {sums['repeated']:,} repeated under their keys, "
        f"{sums['temporary']} temporary files left"
    )
    return kills


async def _kill_many(folder: Path, enough: int, chance: random.Random, kills: Kills) -> None:
    roots = ((folder / f"{number}-{setup}", setup) for number, setup in enumerate(itertools.cycle(WITH_TEAMS)))

    async def kill_some() -> None:
        async with open_zygote() as zygote:
            while kills.landed < enough:
                root, setup = next(roots)
                await _kill_some(root, setup, zygote, chance, kills)
                shutil.rmtree(root)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(kill_some)


async def _kill_some(root: Path, setup: str, zygote: Zygote, chance: random.Random, kills: Kills) -> None:
    """Kill some processes on one root, one after the other."""
    history = History()
    for life in range(LIVES):
        seed, log = f"{chance.randrange(2**48):x}", root.with_suffix(f".{life}")
        await zygote.start(str(root), str(log), setup, "storm", seed)
        await zygote.go()
        await until_noted(log, '"ready"')
        await trio.sleep(chance.uniform(0, LATEST))  # the random moment
        await zygote.kill()
        assert await zygote.wait() == -signal.SIGKILL
        history.take(log)
        log.unlink()
        await kills.take(root, setup, history, seed)


def test_enough_happened(kills: Kills, extent: Extent) -> None:
    """There are enough kills, and those before them found time to send, to acknowledge, and to use keys."""
    assert kills.landed >= extent.kills
    assert kills.sums["receipt"] > 10 * extent.kills
    assert kills.sums["acknowledged"] > extent.kills
    assert kills.sums["repeated"] > extent.kills


def test_every_receipt_says_written(kills: Kills) -> None:
    """On a healthy disk, every receipt promises the file."""
    assert kills.states == {"written"}


@pytest.mark.parametrize("law", NAMES)
def test_law(kills: Kills, law: str) -> None:
    """No kill leaves anything that a law forbids."""
    assert not kills.findings.of(law)
