"""System calls of a process: recorded, and made to fail or to be the last one."""

from __future__ import annotations

import itertools
import random
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Generic, TypeVar

import attrs
import pytest
import trio

from tests.faults.killing import AT_ONCE, SETUPS, History, Zygote, open_zygote, until_noted

T = TypeVar("T")

CHANGING = (
    *("openat", "write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync", "syncfs"),
    *("link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat"),
)
"""Calls that change files, or make them durable."""

READING = (
    *("read", "pread64", "getdents64", "flock", "fcntl", "ioctl", "close"),
    *("stat", "lstat", "fstat", "newfstatat", "statx"),
)
"""Others that can fail."""

_BEGINS = re.compile(r"(\d+) +(\w+)\(")
_RESUMES = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>")


@attrs.frozen
class Call:
    """A system call as it was recorded."""

    name: str
    number: int
    """Which of those of this name in its thread, from 1: as injection counts."""
    text: str
    """Arguments, with the paths of descriptors, and the result, if it came to that."""

    @property
    def failed(self) -> bool:
        """Whether it was made to fail."""
        return self.text.endswith("(INJECTED)")

    @property
    def succeeded(self) -> bool:
        """Whether it did what it was called for."""
        return re.search(r"= \d+\S*$", self.text) is not None

    @property
    def creates(self) -> bool:
        """Whether it opens what may not have been there."""
        return self.name == "openat" and ("O_CREAT" in self.text or "O_TMPFILE" in self.text)


@attrs.frozen
class Trace:
    """One process that was traced."""

    calls: tuple[Call, ...]
    """In the order in which they began."""
    exit_code: int | None
    """Or minus the signal that it was killed by; None when it hung."""


def read_calls(output: Path) -> tuple[Call, ...]:
    """Read what was recorded; a call that another thread comes between stands in two parts."""
    found: list[list[str]] = []
    unfinished: dict[str, list[str]] = {}
    for line in output.read_text(errors="replace").splitlines():
        if begins := _BEGINS.match(line):
            found.append([*begins.groups(), line])
            unfinished[begins[1]] = found[-1]
        elif resumes := _RESUMES.match(line):
            unfinished[resumes[1]][2] += line
    numbers: dict[tuple[str, str], int] = {}
    calls = []
    for thread, name, text in found:
        number = numbers[thread, name] = numbers.get((thread, name), 0) + 1
        calls.append(Call(name, number, text))
    return tuple(calls)


def skip_without_strace(folder: Path) -> None:
    """Skip the test where system calls cannot be made to fail; the folder is for what is tried."""
    if not shutil.which("strace"):
        pytest.skip("system calls cannot be made to fail here: there is no program `strace`")
    try:
        trio.run(_try_strace, folder)
    except AssertionError as error:
        pytest.skip(f"system calls cannot be made to fail here: {error}")


async def _try_strace(folder: Path) -> None:
    async with open_zygote() as zygote:
        pid = await zygote.start(str(folder / "root"), str(folder / "log"), SETUPS[0], "script", "0")
        async with _strace(pid, folder / "strace", ["write:error=EIO"]):
            await zygote.kill()
            await zygote.wait()


@attrs.frozen
class Workload:
    """A process that does always the same, on a root of its own or on one that another has left."""

    folder: Path
    """Where its roots are."""
    setup: str
    seed: str
    used: bool
    """Whether a process was killed on the root before."""

    def __str__(self) -> str:
        """Return what is needed to do it again."""
        return f"{self.setup} {self.seed}{' on a used root' if self.used else ''}"

    async def prepare(self, zygote: Zygote) -> None:
        """Make what all its roots begin with."""
        await trio.Path(self.folder).mkdir()
        if self.used:
            root, log = str(self.folder / "used"), self.folder / "used.log"
            await zygote.start(root, str(log), self.setup, "stay", f"{self.seed}-before")
            await zygote.go()
            await until_noted(log, '"done"')
            await zygote.kill()
            await zygote.wait()

    async def run(self, number: int, zygote: Zygote, *injection: str) -> Run:
        """Run it on a root of its own, traced from the beginning."""
        run = Run(self, self.folder / str(number))
        if self.used:
            await trio.to_thread.run_sync(shutil.copytree, self.folder / "used", run.root)
        pid = await zygote.start(str(run.root), str(run.log), self.setup, "script", self.seed)
        async with _strace(pid, run.root.with_suffix(".strace"), injection):
            await zygote.go()
            run.trace = Trace((), await zygote.wait())
        run.trace = attrs.evolve(run.trace, calls=read_calls(run.root.with_suffix(".strace")))
        return run


@attrs.define
class Run:
    """One run of a workload."""

    workload: Workload
    root: Path
    trace: Trace = Trace((), 0)

    @property
    def log(self) -> Path:
        """What it noted."""
        return self.root.with_suffix(".log")

    def history(self) -> History:
        """Return what it noted, and who was on its root before."""
        history = History()
        if self.workload.used:
            history.take(self.workload.folder / "used.log")
        history.take(self.log)
        return history

    def own_calls(self) -> list[Call]:
        """Return the calls that are about its root, but for those by which the sender looks what is there."""
        looks = re.compile(rf'"{re.escape(str(self.root))}/inbox/[^"]*\.json"')
        return [call for call in self.trace.calls if f"{self.root}" in call.text and not looks.search(call.text)]

    def remove(self) -> None:
        """Remove what it has left."""
        if self.root.exists():
            shutil.rmtree(self.root)
        self.root.with_suffix(".strace").unlink()
        self.log.unlink()


def expression(calls: Iterable[str]) -> str:
    """Return calls as they are named to strace: those that a machine does not have are left out."""
    return ",".join(f"?{call}" for call in calls)


@asynccontextmanager
async def _strace(pid: int, output: Path, injection: Iterable[str]) -> AsyncIterator[None]:
    """Trace a process that waits, and all its threads, until it ends."""
    # Attached, and not started by it: nothing is to be imported then, and `when=` counts what the process does itself.
    traced = ["-e", f"trace={expression(CHANGING + READING)}"]
    injected = [part for each in injection for part in ("-e", f"inject={each}")]
    command = ["strace", "-f", "-y", "-p", str(pid), "-o", str(output), *traced, *injected]
    strace = await trio.lowlevel.open_process(command, stderr=subprocess.PIPE)
    assert strace.stderr is not None
    try:
        said = await strace.stderr.receive_some()
        assert b"attached" in said, said.decode()
        yield
        await strace.wait()
    finally:
        if strace.returncode is None:
            strace.send_signal(signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await strace.wait()
            await strace.stderr.aclose()


@attrs.frozen
class Job(Generic[T]):
    """What is to be done at a call of a workload."""

    workload: Workload
    number: int
    """Which job of the workload."""
    plan: T

    async def run(self, zygote: Zygote, injection: str) -> Run:
        """Run the workload with this injected."""
        return await self.workload.run(self.number, zygote, injection)


async def at_calls(
    folder: Path,
    chance: random.Random,
    setups: Sequence[str],
    *,
    missing: Callable[[], int],
    plan: Callable[[Call], T | None],
    carry_out: Callable[[Job[T], Zygote], Awaitable[None]],
) -> int:
    """Record workloads of each kind, and run them again with something done at their calls, until there is enough.

    Args:
        folder: for their roots.
        chance: chooses among the calls.
        setups: each is taken on new roots and on used ones.
        missing: how many are still to be done.
        plan: what is to be done at a call of a recorded run, if anything.
        carry_out: runs a workload and does it.

    Returns:
        How many calls there were to choose from.
    """
    kinds = list(itertools.product(setups, (False, True)))
    known = 0
    while (count := missing()) > 0:
        jobs: list[Job[T]] = []
        seed = f"{chance.randrange(2**48):x}"
        async with open_zygote() as zygote:
            for setup, used in kinds:
                workload = Workload(folder / f"{setup}-{seed}-{'used' if used else 'new'}", setup, seed, used)
                plans = await _plan(workload, zygote, plan)
                known += sum(map(len, plans.values()))
                chosen = _choose(plans, -(-count // len(kinds)), chance)
                jobs += [Job(workload, number, each) for number, each in enumerate(chosen)]
        await _carry_out(chance.sample(jobs, len(jobs)), carry_out)
    return known


async def _plan(workload: Workload, zygote: Zygote, plan: Callable[[Call], T | None]) -> dict[str, list[T]]:
    """Run a workload to its end, and plan something for its calls, by their names."""
    await workload.prepare(zygote)
    run = await workload.run(-1, zygote)
    assert run.trace.exit_code == 0
    # It is done at the N-th call of whichever thread comes to that first.
    calls = {(call.name, call.number): call for call in run.own_calls()}
    plans: dict[str, list[T]] = {}
    for call in calls.values():
        if (planned := plan(call)) is not None:
            plans.setdefault(call.name, []).append(planned)
    run.remove()
    return plans


def _choose(plans: Mapping[str, Sequence[T]], count: int, chance: random.Random) -> list[T]:
    """Choose some: of each kind of call as many as of any other, as far as there are, though some are far more."""
    kinds = [chance.sample(each, len(each)) for each in chance.sample(list(plans.values()), len(plans))]
    turns = itertools.zip_longest(*kinds)
    return list(itertools.islice((each for turn in turns for each in turn if each is not None), count))


async def _carry_out(jobs: list[Job[T]], carry_out: Callable[[Job[T], Zygote], Awaitable[None]]) -> None:
    async def carry_out_some() -> None:
        async with open_zygote() as zygote:
            while jobs:
                await carry_out(jobs.pop(), zygote)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(carry_out_some)
