"""What survives when a process is killed at a system call that changes files: at each of them, one after the other."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio

from tests.faults.calls import CHANGING, Call, Job, Run, at_calls, skip_without_strace
from tests.faults.conftest import Extent
from tests.faults.killing import WITH_TEAMS, Zygote
from tests.faults.laws import NAMES, Findings

pytestmark = pytest.mark.faults


@attrs.define
class Points:
    """All kills at system calls, and what was found after them."""

    hits: Counter[str] = attrs.field(factory=Counter)
    """Kills by system call."""
    missed: int = 0
    """Processes that came to their end, or were killed elsewhere."""
    known: int = 0
    """Points in the recorded runs."""
    findings: Findings = attrs.field(factory=Findings)
    """What breaks a law."""

    async def kill(self, job: Job[Call], zygote: Zygote) -> None:
        """Kill a process at a call, and look at what is there."""
        call = job.plan
        run = await job.run(zygote, f"{call.name}:signal=KILL:when={call.number}")
        if _was_hit(run, call):
            self.hits[call.name] += 1
        else:
            self.missed += 1
        at = f"{job.workload} at {call.name} {call.number}"
        await self.findings.examine(run.root, job.workload.setup, run.history(), at)
        run.remove()


@pytest.fixture(scope="module")
def points(
    tmp_path_factory: pytest.TempPathFactory, extent: Extent, chance: random.Random, count: Callable[[str], None]
) -> Points:
    """Enough kills that landed at the system call they were meant for."""
    folder = tmp_path_factory.mktemp("points")
    skip_without_strace(folder)
    points = Points()
    trio.run(_kill_many, folder, extent.call_points, chance, points)
    by_call = ", ".join(f"{hits:,} {call}" for call, hits in points.hits.most_common())
    count(
        f"{points.hits.total():,} kills at system calls ({points.missed} missed), of {points.known:,} points in the "
        f"recorded runs: {by_call}"
    )
    return points


async def _kill_many(folder: Path, enough: int, chance: random.Random, points: Points) -> None:
    points.known = await at_calls(
        folder,
        chance,
        WITH_TEAMS,
        missing=lambda: enough - points.hits.total(),
        plan=lambda call: call if call.name in CHANGING and (call.name != "openat" or call.creates) else None,
        carry_out=points.kill,
    )


def _was_hit(run: Run, call: Call) -> bool:
    """Tell whether a call was the last one of its process, and never returned."""
    last = [each for each in run.trace.calls if (each.name, each.number) == (call.name, call.number)]
    return run.trace.exit_code == -signal.SIGKILL and any("= ?" in each.text for each in last)


def test_enough_happened(points: Points, extent: Extent) -> None:
    """Enough processes were killed where they should be, and with every kind of call that all of them make."""
    assert points.hits.total() >= extent.call_points
    assert points.hits.keys() >= {"openat", "write", "pwrite64", "fdatasync"}


@pytest.mark.parametrize("law", NAMES)
def test_law(points: Points, law: str) -> None:
    """No kill at a system call leaves anything that a law forbids."""
    assert not points.findings.of(law)
