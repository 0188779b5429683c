"""Commits that cannot be made, and the ones after them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory import Cleared, Read, StorageError
from observatory.testing.samples import messages

PAGE = 4096


@pytest.fixture
def small_disk(bench: Any) -> Iterator[Path]:
    """Put the database into a file system of 100 pages, in memory."""
    if not shutil.which("mount"):
        pytest.skip("a small file system cannot be mounted here: there is no program `mount`")
    folder: Path = bench.path.parent
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={100 * PAGE}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def fill(storage: Any) -> list[str]:
    """Append until there is no more room; return what was committed."""
    committed: list[str] = []
    while True:  # noqa: ASYNC913 -- it ends, and appending checkpoints
        batch = messages("a", "a", content=f"{len(committed)}".ljust(3000))
        try:
            await storage.append(batch)
        except StorageError as error:
            if "has no room: make some on its file system" not in str(error):
                raise
            return committed
        committed += [message.content for message in batch]


def fill_up(folder: Path) -> Path:
    """Leave no room, and return what takes it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(PAGE))
    return ballast


async def test_a_full_disk(bench: Any, small_disk: Path) -> None:
    """Without room a commit fails as a whole; with room again the next one succeeds, and the numbers go on."""
    ballast = small_disk / "ballast"
    async with bench.open() as storage:
        await storage.append(messages("a", content="first"))
        ballast.write_bytes(bytes(40 * PAGE))
        committed = ["first", *await fill(storage)]
        assert len(committed) > 5
        assert await bench.contents(storage) == committed
        ballast.unlink()
        assert await storage.append(messages("a", content="last")) == [len(committed) + 1]
        assert await bench.contents(storage) == [*committed, "last"]
    assert await bench.contents() == [*committed, "last"]


async def test_a_disk_that_stays_full(bench: Any, small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was committed is there after a restart on a disk that is full; that the log cannot be moved is logged."""
    async with bench.open() as storage:
        committed = await fill(storage)
        fill_up(small_disk)
        await storage.flush()
        assert "the log stays as it is, and nothing is lost" in caplog.text
    assert await bench.contents() == committed


async def test_a_new_database_on_a_full_disk(bench: Any, small_disk: Path) -> None:
    """Where there is no room for a new database there is none afterwards, and no part of one."""
    ballast = fill_up(small_disk)
    with pytest.raises(StorageError, match=r"has no room|cannot be"):
        await bench.storage().start()
    assert sorted(os.listdir(small_disk)) == ["ballast", "observatory.db-lock"]
    ballast.unlink()
    async with bench.open() as storage:
        assert await storage.append(messages("a")) == [1]


@pytest.mark.parametrize("free", range(8, 40, 2))
async def test_a_new_database_on_an_almost_full_disk(bench: Any, small_disk: Path, free: int) -> None:
    """However little room there is, what is left behind is a good database or none."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes((100 - free) * PAGE))
    with contextlib.suppress(StorageError):
        async with bench.open():
            pass
    ballast.unlink()
    async with bench.open() as storage:
        assert await storage.append(messages("a")) == [1]


async def test_a_read_only_file_system(bench: Any, small_disk: Path) -> None:
    """A database that cannot be written is refused at the start."""
    async with bench.open() as storage:
        await storage.append(messages("a"))
    await trio.run_process(["mount", "-o", "remount,ro", small_disk])
    assert "Read-only file system" in await bench.refusal()
    await trio.run_process(["mount", "-o", "remount,rw", small_disk])
    assert len(await bench.everything()) == 1


async def test_errors_of_the_disk(bench: Any) -> None:
    """When writing fails, so does the commit, again and again; afterwards everything is as before."""
    async with bench.open() as storage:
        await storage.append(messages("a", "a", "b"))
        before = await bench.everything(storage)
        for _ in range(3):
            with bench.no_growth(), pytest.raises(StorageError, match="cannot be read or written: look after its disk"):
                await storage.append([*messages("a"), Read("a", (1,)), Cleared("b")])
            assert await bench.everything(storage) == before
        assert await storage.append([*messages("a"), Read("a", (1,))]) == [3]
    assert [each.message.read for each in await bench.everything()] == [True, False, False, False]
