"""What a sender hears, and what arrives in the end, when system calls fail: each of them, one after the other."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from tests.faults.calls import Call, Job, Run, at_calls, skip_without_strace
from tests.faults.conftest import Extent
from tests.faults.killing import WITH_TEAMS, History, Zygote
from tests.faults.laws import NAMES, Findings

pytestmark = pytest.mark.faults

PERMANENT = ("EACCES", "EROFS")
PASSING = ("EIO", "ENOSPC", "EMFILE")
SHORT = "nothing"
"""A write that has written nothing, and tells so."""
LONGEST = 3  # calls that fail in a row


@attrs.frozen
class Fault:
    """What goes wrong in one run."""

    call: Call
    how: str
    """An error, or `nothing`."""
    times: int
    """How often in a row."""

    @property
    def injection(self) -> str:
        """How that is said to strace."""
        what = "retval=0" if self.how == SHORT else f"error={self.how}"
        return f"{self.call.name}:{what}:when={self.call.number}..{self.call.number + self.times - 1}"


@attrs.define
class Faults:
    """All runs in which calls failed, and what was found."""

    hits: Counter[str] = attrs.field(factory=Counter)
    """Runs in which calls failed that were meant to, by error."""
    calls: Counter[str] = attrs.field(factory=Counter)
    """The same, by call."""
    missed: int = 0
    """Others."""
    lines: Counter[str] = attrs.field(factory=Counter)
    """What the processes noted."""
    states: Counter[str] = attrs.field(factory=Counter)
    """What receipts said."""
    findings: Findings = attrs.field(factory=Findings)
    """What breaks a law."""

    async def fail(self, job: Job[Fault], zygote: Zygote) -> None:
        """Let calls of a process fail, and look at what it was told and at what is there."""
        fault = job.plan
        run = await job.run(zygote, fault.injection)
        if _was_hit(run):
            self.hits[fault.how] += 1
            self.calls[fault.call.name] += 1
            await self._look(run, fault)
        else:
            self.missed += 1
        run.remove()

    async def _look(self, run: Run, fault: Fault) -> None:
        history, name = run.history(), f"{run.workload} with {fault.injection}"
        receipts = [each for each in history.receipts.values() if each.life == history.lives]
        self.lines += history.lines
        self.states.update(each.state for each in receipts)
        wrong = "retrying" if fault.how in PERMANENT else "dead"
        if wrong == "dead" or not _kept_a_lock(run):
            self.findings.add(wrong, name, (each.id for each in receipts if each.state == wrong))
        self.findings.add("crashed", name, (f"{code}" for code in [run.trace.exit_code] if code != 0))
        self.findings.add("undelivered", name, history.undelivered(run.root))
        self.findings.add("overtaken", name, _overtaken(run, history))
        await self.findings.examine(run.root, run.workload.setup, history, name)


@pytest.fixture(scope="module")
def faults(
    tmp_path_factory: pytest.TempPathFactory, extent: Extent, chance: random.Random, count: Callable[[str], None]
) -> Faults:
    """Enough runs in which calls failed."""
    folder = tmp_path_factory.mktemp("faults")
    skip_without_strace(folder)
    faults = Faults()
    trio.run(_fail_many, folder, extent.call_points, chance, faults)
    errors = ", ".join(f"{hits:,} {how}" for how, hits in faults.hits.most_common())
    calls = ", ".join(f"{hits:,} {call}" for call, hits in faults.calls.most_common())
    states = ", ".join(f"{number:,} {state}" for state, number in faults.states.most_common())
    count(f"{faults.hits.total():,} runs with failing calls ({faults.missed} missed): {errors}; {calls}")
    count(
        f"  receipts: {states}; {faults.lines['refused']:,} sends refused, {faults.lines['unknown']:,} unknown; "
        f"{faults.lines['dead']:,} dead letters redelivered; {faults.lines['unopened']:,} times not opened at first"
    )
    return faults


async def _fail_many(folder: Path, enough: int, chance: random.Random, faults: Faults) -> None:
    await at_calls(
        folder,
        chance,
        WITH_TEAMS,
        missing=lambda: enough - faults.hits.total(),
        plan=partial(_fault, chance=chance),
        carry_out=faults.fail,
    )


def _fault(call: Call, chance: random.Random) -> Fault:
    """Choose how a call fails. Only one read or write does: the next ones may be those by which threads wake others."""
    how = chance.choice(PERMANENT + PASSING + (SHORT,) * (3 if call.name in ("write", "pwrite64") else 0))
    return Fault(call, how, 1 if call.name in ("read", "write") else chance.randint(1, LONGEST))


def _was_hit(run: Run) -> bool:
    """Tell whether a call about files failed, and none by which threads and tasks wake each other: those never do.

    Nor one that closes a database: what is made to fail is not done, while a real close gives the lock up in any case.
    """
    failed = [call for call in run.trace.calls if call.failed]
    others = re.compile(rf"<(pipe|socket|anon_inode):|^\d+ +close\(\d+<{re.escape(str(run.root))}/observatory/")
    return any(call.failed for call in run.own_calls()) and not any(others.search(call.text) for call in failed)


def _kept_a_lock(run: Run) -> bool:
    """Tell whether the lock of a team inbox may not have been given back: until it is stale, others wait for it."""
    return any(call.failed and '.json.lock"' in call.text for call in run.own_calls())


def _overtaken(run: Run, history: History) -> Iterator[str]:
    """Which files got their name when one of a later message was there; those of dead letters may.

    One that has its name and is replaced, since it is not known to be whole or durable, is not overtaken.
    """
    receipts = {each.id: each for each in history.receipts.values() if each.life == history.lives}
    there: dict[str, set[int]] = {}
    for call in run.own_calls():
        named = re.findall(r'"([0-9a-f]{16})\.json"', call.text)
        receipt = receipts.get(named[-1]) if named and call.succeeded else None
        if receipt is None or receipt.id in history.dead:
            continue
        numbers = there.setdefault(receipt.to, set())
        if call.name.startswith(("link", "rename")):
            if receipt.sequence not in numbers and any(number > receipt.sequence for number in numbers):
                yield receipt.id
            numbers.add(receipt.sequence)
        elif call.name.startswith("unlink"):
            numbers.discard(receipt.sequence)


def test_enough_happened(faults: Faults, extent: Extent) -> None:
    """Enough calls failed, in every way, and sends were retried, given up at once, and refused."""
    assert faults.hits.total() >= extent.call_points
    assert faults.hits.keys() == {*PERMANENT, *PASSING, SHORT}
    assert faults.calls.keys() >= {"openat", "write", "linkat", "renameat", "unlinkat", "close"}
    assert faults.states.keys() >= {"written", "retrying", "dead"}
    assert faults.lines["refused"]


@pytest.mark.parametrize("law", NAMES)
def test_law(faults: Faults, law: str) -> None:
    """No failing call leaves anything that a law forbids."""
    assert not faults.findings.of(law)


def test_no_process_crashes(faults: Faults) -> None:
    """Whatever fails, the process comes to its end."""
    assert not faults.findings.of("crashed")


def test_permanent_errors_are_not_retried(faults: Faults) -> None:
    """What is not allowed is a dead letter at once."""
    assert not faults.findings.of("retrying")


def test_passing_errors_are_retried(faults: Faults) -> None:
    """What may pass makes no dead letter."""
    assert not faults.findings.of("dead")


def test_everything_arrives(faults: Faults) -> None:
    """When calls succeed again, every message that was receipted gets its file."""
    assert not faults.findings.of("undelivered")


def test_nothing_is_overtaken(faults: Faults) -> None:
    """Files of one recipient get their names in the order of the messages, retries included."""
    assert not faults.findings.of("overtaken")
