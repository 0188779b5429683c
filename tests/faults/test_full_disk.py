"""What a sender hears, and what arrives in the end, on a file system that has no room left, or no more files."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
import trio

from tests.faults.conftest import Extent
from tests.faults.killing import SETUPS, History, Zygote, open_zygote, until_noted
from tests.faults.laws import NAMES, Findings

pytestmark = pytest.mark.faults

PAGE = 4096
SIZE = {"pages": 400, "inodes": 200}
LEFT = {
    ("memory", "pages"): (2, 10),
    ("memory", "inodes"): (3, 9),
    ("sqlite", "pages"): (20, 44),
    ("sqlite", "inodes"): (7, 14),
}
"""How much is left when the process begins, from and up to: an Observatory can be opened."""
RUNS_FOR_EACH_POINT = 1 / 10


@attrs.define
class FullDisks:
    """All runs on a full disk, and what was found."""

    hits: Counter[str] = attrs.field(factory=Counter)
    """Runs in which a send was refused or retried, by what was missing."""
    missed: int = 0
    """Runs that had room enough."""
    lines: Counter[str] = attrs.field(factory=Counter)
    """What the processes noted."""
    findings: Findings = attrs.field(factory=Findings)
    """What breaks a law."""


def mount(folder: Path) -> None:
    """Mount a small file system in memory, or skip the test."""
    if not shutil.which("mount"):
        pytest.skip("a small file system cannot be mounted here: there is no program `mount`")
    options = f"size={SIZE['pages'] * PAGE},nr_inodes={SIZE['inodes']}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")


def unmount(folder: Path) -> None:
    """Unmount it again."""
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path, missing: str, left: int) -> None:
    """Leave only so many pages, or inodes."""
    folder.mkdir()
    if missing == "pages":
        ballast = folder / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(PAGE))
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - left * PAGE)
        return
    files: list[Path] = []
    with suppress(OSError):
        while True:
            files.append(folder / f"{len(files)}")
            files[-1].touch()
    for file_path in files[-left - 1 : -1]:
        file_path.unlink()


@pytest.fixture(scope="module")
def disks(
    tmp_path_factory: pytest.TempPathFactory, extent: Extent, chance: random.Random, count: Callable[[str], None]
) -> FullDisks:
    """Enough runs of each setup on a disk without room, and on one without inodes."""
    disks = FullDisks()
    folder = tmp_path_factory.mktemp("full")
    trio.run(_fill_many, folder, int(extent.call_points * RUNS_FOR_EACH_POINT), chance, disks)
    hits = ", ".join(f"{hits:,} without {missing}" for missing, hits in disks.hits.items())
    count(
        f"{disks.hits.total():,} runs on a full disk ({disks.missed} with room enough): {hits}; "
        f"{disks.lines['receipt']:,} receipts, {disks.lines['refused']:,} sends refused"
    )
    return disks


async def _fill_many(folder: Path, enough: int, chance: random.Random, disks: FullDisks) -> None:
    async with open_zygote() as zygote:
        while disks.hits.total() < enough:
            for setup in SETUPS:
                for missing in SIZE:
                    disk = folder / f"{disks.hits.total()}-{disks.missed}"
                    disk.mkdir()
                    mount(disk)
                    try:
                        await _fill_one(disk, setup, missing, zygote, chance, disks)
                    finally:
                        unmount(disk)


async def _fill_one(
    disk: Path, setup: str, missing: str, zygote: Zygote, chance: random.Random, disks: FullDisks
) -> None:
    """Let a process run into the end of the disk, and make room once it has heard of it."""
    root, log, seed = disk / "root", disk.with_suffix(".log"), f"{chance.randrange(2**48):x}"
    left = chance.randint(*LEFT[setup.partition("-")[0], missing])
    fill(disk / "ballast", missing, left)
    await zygote.start(str(root), str(log), setup, "script", seed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_make_room, disk / "ballast", log)
        await zygote.go()
        exit_code = await zygote.wait()
        nursery.cancel_scope.cancel()
    if (disk / "ballast").exists():
        shutil.rmtree(disk / "ballast")
    history = History()
    history.take(log)
    run = f"{setup} {seed} with {left} {missing}"
    if history.refused or any(each.state == "retrying" for each in history.receipts.values()):
        disks.hits[missing] += 1
    else:
        disks.missed += 1
    disks.lines += history.lines
    disks.findings.add("crashed", run, (f"{code}" for code in [exit_code] if code != 0))
    disks.findings.add("dead", run, (each.id for each in history.receipts.values() if each.state == "dead"))
    disks.findings.add("undelivered", run, history.undelivered(root))
    await disks.findings.examine(root, setup, history, run)


async def _make_room(ballast: Path, log: Path) -> None:
    """Make room as soon as somebody is told that there is none."""
    await until_noted(log, '"retrying"', '"dead"', '"refused"', '"unopened"')
    shutil.rmtree(ballast)


def test_enough_happened(disks: FullDisks) -> None:
    """Pages and inodes were missing, and sends were refused."""
    assert min(disks.hits[missing] for missing in SIZE) > 0
    assert disks.lines["refused"]


@pytest.mark.parametrize("law", NAMES)
def test_law(disks: FullDisks, law: str) -> None:
    """No full disk leaves anything that a law forbids."""
    assert not disks.findings.of(law)


def test_no_process_crashes(disks: FullDisks) -> None:
    """Whatever is missing, the process comes to its end."""
    assert not disks.findings.of("crashed")


def test_a_full_disk_is_retried(disks: FullDisks) -> None:
    """What has no room makes no dead letter at the first attempt."""
    assert not disks.findings.of("dead")


def test_everything_arrives(disks: FullDisks) -> None:
    """When there is room again, every message that was receipted gets its file."""
    assert not disks.findings.of("undelivered")
