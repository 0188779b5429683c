"""Power cuts by replay: whatever a cut may leave behind of a recorded run, nothing that was promised is missing."""

from __future__ import annotations

import bisect
import functools
import importlib.metadata
import json
import math
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from ..histories.client import Plan
from ..histories.history import KILL, POWER_CUT, Found, History, read_history
from .model import Fate, Tree, any_fate, leave
from .recorder import Recorder
from .recovering import KINDS, recover
from .trace import strace

if TYPE_CHECKING:
    from ..conftest import Extent

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("recording")]

CLIENT = Path(__file__).parents[1] / "histories/client.py"
LIVES = 2
CLIENTS = 10  # many at the same time, so that batches are large, and much is not synced yet
OPERATIONS = 10  # of each client in each life
STATES = 350  # of one recorded run
MEMORY = Path("/dev/shm")  # noqa: S108 -- a file system in memory, where a sync costs nothing


@attrs.frozen
class Run:
    """A recorded run."""

    plan: Plan
    """What was done."""
    recorder: Recorder
    """What that has changed, and when it was noted."""
    survive: frozenset[str] = POWER_CUT
    """Levels that are taken to survive."""

    def history(self, cut: int, final: Mapping[str, Found]) -> History:
        """Return what had happened when so many changes had ended; of all the rest nobody knows."""
        count = bisect.bisect_right(self.recorder.noted, cut, key=lambda noted: noted[0])
        lines = [line.rstrip() for _, line in self.recorder.noted[:count]]
        return read_history(lines, final, survive=self.survive, lasting=self.plan.storage == "sqlite")


def record(folder: Path, disk: Path, kind: Mapping[str, Any], seed: int) -> Run:
    """Record a run that ends well, and is gone on with by another one.

    Args:
        folder: where the records go: with them, a test that has failed can be repeated.
        disk: an empty folder to work in.
        kind: what the plan says of it.
        seed: what is done.
    """
    plan = Plan(root=str(disk / "root"), log=str(folder / "log"), clients=CLIENTS, seed=seed, **kind)
    recorder = Recorder(disk, Path(plan.log))
    for life in range(1, LIVES + 1):
        output = folder / f"calls-{life}"
        this = attrs.evolve(plan, operations=life * OPERATIONS)
        command = [sys.executable, str(CLIENT), json.dumps(attrs.asdict(this))]
        subprocess.run(strace(output, command), check=True)
        with output.open() as lines:
            recorder.follow(lines)
    return Run(plan, recorder)


@contextmanager
def materialized(tree: Tree) -> Iterator[Path]:
    """Put what was left into a folder."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        for name, content in tree.items():
            path = Path(folder, name)
            if content is None:
                path.mkdir(mode=0o700)
            else:
                path.write_bytes(content)
                path.chmod(0o600)
        yield Path(folder)


async def recover_state(run: Run, cut: int, tree: Tree) -> list[str]:
    """Return what is wrong with what was left by a cut after so many changes."""
    with materialized(tree) as folder:
        return (await recover(run.plan, folder / "root", partial(run.history, cut)))[1]


def draw(run: Run, number: int, seed: int) -> tuple[int, Fate, Tree]:
    """Return a cut, a fate and what is left: cuts are taken everywhere in turn, with any fate."""
    chance = random.Random(f"{seed} {number}")
    changes = run.recorder.changes
    cut = (number * 7919 + seed) % (len(changes) + 1)
    fate = any_fate(chance)
    return cut, fate, leave(changes[:cut], run.recorder.top, fate, chance)


@contextmanager
def recorded(tmp_path: Path, number: int, kind: Mapping[str, Any], seed: int) -> Iterator[Run]:
    """Record a run, on a disk and in memory in turn: syncing goes another way there; keep the records of a failure."""
    folder = tmp_path.resolve() / f"run-{number}"
    folder.mkdir()
    with tempfile.TemporaryDirectory(dir=MEMORY if number % 2 and MEMORY.is_dir() else None) as disk:
        run = record(folder, Path(disk).resolve(), kind, seed)
    yield run
    for file in folder.iterdir():
        file.unlink()


@pytest.fixture(autouse=True)
def installed_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for installed plugins once: thousands of Observatories are opened here."""
    monkeypatch.setattr(importlib.metadata, "entry_points", functools.cache(importlib.metadata.entry_points))


@pytest.mark.parametrize("kind", KINDS)
async def test_states(
    tmp_path: Path, kind: str, extent: Extent, chance: random.Random, count: Callable[[str], None]
) -> None:
    """What had its receipt before the cut is there, whole, once and in order, and what was acknowledged is not."""
    wanted = math.ceil(extent.states / len(KINDS))
    seen: set[int] = set()
    runs = changes = 0
    while len(seen) < wanted:
        runs += 1
        seed = chance.randrange(2**32)
        with recorded(tmp_path, runs, KINDS[kind], seed) as run:
            changes += len(run.recorder.changes)
            for number in range(STATES):
                cut, fate, tree = draw(run, number, seed)
                assert await recover_state(run, cut, tree) == [], f"run {runs}, state {number}: cut at {cut}, {fate}"
                seen.add(hash((seed, cut, frozenset(tree.items()))))
    count(f"power cuts by replay, {kind}: {len(seen)} different states, of {changes} changes in {runs} runs")


async def test_a_run_without_syncs_loses(tmp_path: Path, chance: random.Random) -> None:
    """What is flushed and taken for synced is found to be lost: these tests can fail."""
    seed = chance.randrange(2**32)
    with recorded(tmp_path, 0, {"inbox": "flushed"}, seed) as run:
        without = attrs.evolve(run, survive=KILL)
    problems = [each for number in range(50) for each in await recover_state(without, *draw(run, number, seed)[::2])]
    assert {"lost", "come_back"} <= {problem.partition(":")[0] for problem in problems}
