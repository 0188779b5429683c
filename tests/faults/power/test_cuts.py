"""Power cuts of a real file system: ext4 on an image, shut down in the middle of the work."""

from __future__ import annotations

import fcntl
import json
import math
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from ..histories.client import Plan
from ..histories.history import KILL, POWER_CUT, History, read_history
from .recovering import KINDS, recover

if TYPE_CHECKING:
    from ..conftest import Extent

pytestmark = pytest.mark.faults

CLIENT = Path(__file__).parents[1] / "histories/client.py"
DISKS = 2
SIZE = 96 * 1024 * 1024  # bytes of a disk
CUTS_OF_A_DISK = 20  # before it is made anew
LATEST = 0.3  # seconds after the first operation may begin
SHUT_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
AT_ONCE, AFTER_THE_JOURNAL = 2, 1  # what is lost: all that was not synced, or data alone


class Disk:
    """A file system on an image, in a folder of its own that is removed only when nothing is mounted there."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="disk-"))
        self._image = self._folder / "image"
        self.path = self._folder / "mounted"
        self.path.mkdir()

    def make(self) -> None:
        """Make the file system, empty."""
        with self._image.open("wb") as file:
            file.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-F", self._image], check=True)

    def mount(self) -> str:
        """Mount it; return why it cannot be."""
        done = subprocess.run(["mount", "-o", "loop", self._image, self.path], capture_output=True, text=True)
        return done.stderr.strip() or f"mount ends with {done.returncode}" if done.returncode else ""

    def unmount(self) -> None:
        """Unmount it, once nobody uses it any more."""
        for _ in range(100):
            if not self.path.is_mount():
                return
            subprocess.run(["umount", self.path], capture_output=True)
            time.sleep(0.05)
        raise TimeoutError(f"{self.path} cannot be unmounted")

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Have it mounted."""
        failed = self.mount()
        assert not failed, failed
        try:
            yield
        finally:
            self.unmount()

    def remove(self) -> None:
        """Remove it all."""
        self.unmount()
        self.path.rmdir()
        self._image.unlink(missing_ok=True)
        self._folder.rmdir()


@pytest.fixture
def disks() -> Iterator[list[Disk]]:
    """Disks that can be mounted and shut down."""
    for program in ("mount", "mkfs.ext4"):
        if not shutil.which(program):
            pytest.skip(f"a disk cannot be made here: there is no program `{program}`")
    with ExitStack() as stack:
        disks = [Disk() for _ in range(DISKS)]
        for disk in disks:
            stack.callback(disk.remove)
        disks[0].make()
        if failed := disks[0].mount():
            pytest.skip(f"a disk cannot be mounted here: {failed}")
        try:
            cut_power(disks[0].path, AT_ONCE)
        except OSError as error:
            pytest.skip(f"a disk cannot be shut down here: {error.strerror}")
        disks[0].unmount()
        yield disks


def cut_power(path: Path, how: int) -> None:
    """Shut a file system down: what does not lie on the disk by now never will."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, SHUT_DOWN, struct.pack("I", how))
    finally:
        os.close(descriptor)


def read_log(plan: Plan) -> list[bytes]:
    """Return what was noted so far."""
    log = Path(plan.log)
    return log.read_bytes().splitlines() if log.exists() else []


async def work_until_cut(disk: Disk, plan: Plan, chance: random.Random) -> tuple[int, list[bytes]]:
    """Let clients work on a disk and cut the power; return when, in nanoseconds, and what was noted by just after."""
    command = [sys.executable, str(CLIENT), json.dumps(attrs.asdict(plan))]
    process = await trio.lowlevel.open_process(command, stderr=subprocess.DEVNULL)
    try:
        while not any(b'"opened"' in line for line in read_log(plan)):
            assert process.poll() is None, "the clients did not begin"
            await trio.sleep(0.005)
        await trio.sleep(chance.uniform(0, LATEST))
        assert process.poll() is None, "the clients have nothing left to do"
        moment = time.monotonic_ns()
        cut_power(disk.path, chance.choice((AT_ONCE, AT_ONCE, AFTER_THE_JOURNAL)))
        return moment, read_log(plan)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def cut_and_recover(
    disk: Disk, plan: Plan, chance: random.Random, survive: frozenset[str] = POWER_CUT
) -> tuple[History, list[str]]:
    """Cut the power once, and return the history of what is found then, and what is wrong with it.

    Args:
        disk: where.
        plan: what is done until then.
        chance: decides when.
        survive: levels that are taken to survive.
    """
    with disk.mounted():
        moment, lines = await work_until_cut(disk, plan, chance)
    lasting = plan.storage == "sqlite"
    with disk.mounted():
        judge = partial(read_history, lines, survive=survive, lasting=lasting, until=moment)
        return await recover(plan, Path(plan.root), judge)


async def test_cuts(
    disks: list[Disk], tmp_path: Path, extent: Extent, chance: random.Random, count: Callable[[str], None]
) -> None:
    """What had its receipt before the cut is there, whole, once and in order, and what was acknowledged is not."""
    histories: dict[str, list[History]] = {kind: [] for kind in KINDS}
    landed = 0

    async def cut_again_and_again(disk: Disk, chance: random.Random) -> None:
        nonlocal landed
        number = 0
        while landed < extent.cuts:
            if number % CUTS_OF_A_DISK == 0:
                disk.make()
            kind = list(KINDS)[number % len(KINDS)]
            log = tmp_path / f"{disk.path.parent.name}-{number}"
            root = disk.path / f"root-{number}"
            plan = Plan(root=str(root), log=str(log), clients=6, operations=100_000, seed=number, **KINDS[kind])
            history, found = await cut_and_recover(disk, plan, chance)
            assert found[:20] == [], f"{kind}, cut {number}"
            number += 1
            if history.cut_short and any(send.kept for send in history.sends):
                histories[kind].append(history)
                landed += 1

    async with trio.open_nursery() as nursery:
        for disk in disks:
            nursery.start_soon(cut_again_and_again, disk, random.Random(chance.random()))
    for kind, of_kind in histories.items():
        count(describe(kind, of_kind))


async def test_a_disk_without_syncs_loses(disks: list[Disk], tmp_path: Path, chance: random.Random) -> None:
    """What is flushed and taken for synced is found to be lost: these tests can fail."""
    plan = Plan(root=str(disks[0].path / "root"), log=str(tmp_path / "log"), clients=6, operations=100_000)
    disks[0].make()
    _, found = await cut_and_recover(disks[0], plan, chance, KILL)
    assert any(problem.startswith("lost:") for problem in found)


def describe(kind: str, histories: list[History]) -> str:
    """Say what was cut short."""
    kept = sum(send.kept for history in histories for send in history.sends)
    acknowledged = sum(each.ended < math.inf for history in histories for each in history.acknowledgements)
    cut_short = sum(history.cut_short for history in histories)
    return (
        f"power cuts of ext4, {kind}: {len(histories)} in the middle of work; {kept} messages were receipted before, "
        f"{acknowledged} acknowledgements had returned, {cut_short} operations were cut short"
    )
