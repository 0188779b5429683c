"""Changing the tasks of a project as one change, and reading them."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from observatory.errors import ChangedMeanwhileError, SwarmSourceError
from observatory.sources import task_file
from observatory.sources.file_source import FileSource
from tests.sources.looking import contents

LINES = b'{"id": "1"}\n'


@pytest.fixture
def tasks(project: Path) -> Path:
    """Return a file with tasks."""
    tasks = project / "tasks.jsonl"
    tasks.write_bytes(LINES)
    return tasks


def add(data: bytes) -> bytes:
    """Add a line."""
    return data + b"{}\n"


async def test_what_edit_returns_is_there(source: FileSource, project: Path, tasks: Any) -> None:
    """As bytes, which reading returns, too; and nothing else lies there."""
    assert await source.change(str(project), add) == LINES + b"{}\n"
    assert tasks.read_bytes() == await source.read(str(project)) == LINES + b"{}\n"
    assert list(contents(project)) == [tasks.name]


async def test_what_does_not_change_is_not_written(source: FileSource, project: Path, tasks: Any) -> None:
    """It stays the same file."""
    before = tasks.stat()
    assert await source.change(str(project), bytes) == LINES
    assert tasks.stat() == before


@pytest.mark.parametrize("data", [b"", b"{}"])
async def test_a_file_is_made_when_there_is_something_for_it(source: FileSource, project: Path, data: bytes) -> None:
    """And else none."""

    def make(old: bytes) -> bytes:
        assert old == b""
        return data

    assert await source.change(str(project), make) == data
    assert list(contents(project).values()) == [data] * bool(data)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
async def test_the_mode_stays(source: FileSource, project: Path, tasks: Any, mode: int) -> None:
    """Although it is another file; one that is made can only be read by its owner."""
    tasks.chmod(mode)
    await source.change(str(project), add)
    assert stat.S_IMODE(tasks.stat().st_mode) == mode
    tasks.unlink()
    await source.change(str(project), add)
    assert stat.S_IMODE(tasks.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give files away")
async def test_the_owner_stays(source: FileSource, project: Path, tasks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is allowed to give files away; else it is changed all the same."""
    os.chown(tasks, 65534, 65534)
    await source.change(str(project), add)
    assert (tasks.stat().st_uid, tasks.stat().st_gid) == (65534, 65534)

    def deny(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", deny)
    await source.change(str(project), add)
    assert tasks.stat().st_uid == 0
    assert tasks.read_bytes() == LINES + b"{}\n{}\n"


@pytest.mark.parametrize("error", [ValueError("no"), OSError("no"), BlockingIOError("no"), FileNotFoundError(2, "no")])
async def test_what_edit_raises_comes_out(source: FileSource, project: Path, tasks: Any, error: Exception) -> None:
    """As itself, whatever it is, and nothing has happened."""

    def fail(_: bytes) -> bytes:
        raise error

    with pytest.raises(type(error)) as raised:
        await source.change(str(project), fail)
    assert raised.value is error
    assert tasks.read_bytes() == LINES
    assert await source.change(str(project), bytes) == LINES  # the lock was given back


async def test_a_link_goes_on_leading_to_the_file(source: FileSource, project: Path, tmp_path: Path) -> None:
    """What it leads to is replaced; a link that leads nowhere has no tasks yet."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project / "tasks.jsonl").symlink_to("../elsewhere/real")
    assert await source.read(str(project)) == b""
    await source.change(str(project), add)
    await source.change(str(project), add)
    assert (project / "tasks.jsonl").is_symlink()
    assert contents(elsewhere) == {"real": b"{}\n{}\n"}
    assert list(contents(project)) == ["tasks.jsonl"]


def append(tasks: Path) -> None:
    """Add to the file."""
    tasks.write_bytes(LINES * 2)


def replace(tasks: Path) -> None:
    """Put another file with the same bytes in its place."""
    tasks.with_name("new").write_bytes(LINES)
    tasks.with_name("new").rename(tasks)


def touch(tasks: Path) -> None:
    """Give it another time."""
    os.utime(tasks, (1, 1))


def replace_folder(tasks: Path) -> None:
    """Put another folder in the place of the project."""
    tasks.parent.rename(tasks.parent.with_name("old"))
    tasks.parent.mkdir()
    tasks.write_bytes(LINES)


@pytest.mark.parametrize("meddle", [append, replace, touch, Path.unlink, replace_folder])
async def test_what_somebody_else_changes_meanwhile_is_not_overwritten(
    source: FileSource, project: Path, tasks: Any, meddle: Callable[[Path], None]
) -> None:
    """Somebody who takes no lock: nothing is written, and nothing is left."""

    def change(data: bytes) -> bytes:
        meddle(tasks)
        return add(data)

    with pytest.raises(ChangedMeanwhileError) as raised:
        await source.change(str(project), change)
    assert raised.value.project == str(project)
    assert b"{}\n" not in b"".join(contents(project.parent).values())
    assert not [name for name in contents(project.parent) if name.endswith(".tmp")]


async def test_a_file_that_somebody_else_makes_meanwhile_is_not_overwritten(source: FileSource, project: Path) -> None:
    """Although there was none to be compared."""

    def change(_: bytes) -> bytes:
        (project / "tasks.jsonl").write_bytes(LINES)
        return b"mine"

    with pytest.raises(ChangedMeanwhileError):
        await source.change(str(project), change)
    assert contents(project) == {"tasks.jsonl": LINES}


def fifo(path: Path) -> None:
    """Make a FIFO that nobody writes to."""
    os.mkfifo(path)


def loop(path: Path) -> None:
    """Make a link that leads to itself."""
    path.symlink_to(path.name)


def large(path: Path) -> None:
    """Make a file that is a byte too large, and takes no room."""
    path.touch()
    os.truncate(path, 128 * 1024 * 1024 + 1)


def gone(path: Path) -> None:
    """Remove the project."""
    path.parent.rmdir()


def file(path: Path) -> None:
    """Put a file in the place of the project."""
    path.parent.rmdir()
    path.parent.touch()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "something that is no file has its name: move that away"),
        (fifo, "something that is no file has its name: move that away"),
        (loop, "symbolic links lead round in a circle: remove them"),
        (large, "more than 128 MiB are too much: make it smaller"),
        (gone, "there is no such folder"),
        (file, "its folder is no folder"),
    ],
)
async def test_what_cannot_be_read_is_an_error(
    source: FileSource, project: Path, make: Callable[[Path], None], reason: str
) -> None:
    """It says what is wrong, at once, whether it is to be read or to be changed; `edit` is not asked."""
    make(project / "tasks.jsonl")
    with trio.fail_after(5):
        with pytest.raises(SwarmSourceError) as raised:
            await source.read(str(project))
        assert raised.value.reason == f"cannot be read: {reason}"
        with pytest.raises(SwarmSourceError) as raised:
            await source.change(str(project), lambda _: pytest.fail("asked"))
        assert raised.value.reason == f"cannot be changed: {reason}"
        await source.find([str(project)])


async def test_as_much_as_is_allowed_can_be_read(source: FileSource, project: Path) -> None:
    """To the byte."""
    (project / "tasks.jsonl").touch()
    os.truncate(project / "tasks.jsonl", 128 * 1024 * 1024)
    assert len(await source.read(str(project))) == 128 * 1024 * 1024


async def test_what_could_not_be_read_again_is_not_written(
    source: FileSource, project: Path, tasks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds for what `edit` returns, too."""
    monkeypatch.setattr(task_file, "MAX_SIZE", 1024 * 1024)
    with pytest.raises(SwarmSourceError, match="cannot be written: more than 1 MiB are too much"):
        await source.change(str(project), lambda _: b"x" * (1024 * 1024 + 1))
    assert contents(project) == {"tasks.jsonl": LINES}


async def test_a_folder_that_cannot_be_synced_is_no_failure(
    source: FileSource, project: Path, tasks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then it has happened, and an error would say that it has not."""
    fsync = os.fsync
    failed: list[int] = []

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            failed.append(descriptor)
            raise OSError(5, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    assert await source.change(str(project), add) == tasks.read_bytes() == LINES + b"{}\n"
    assert len(failed) == 1


@pytest.mark.parametrize("call", ["fsync", "rename", "fchmod"])
async def test_a_failing_disk_leaves_everything_as_it_was(
    source: FileSource, project: Path, tasks: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The file, the folder and the lock."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(SwarmSourceError, match="cannot be written: Input/output error"):
            await source.change(str(project), add)
    assert contents(project) == {"tasks.jsonl": LINES}
    await source.change(str(project), add)


async def test_whoever_waits_for_the_lock_can_be_cancelled(
    source: FileSource, project: Path, tasks: Any, hurried_clock: trio.testing.MockClock
) -> None:
    """And has changed nothing; who does not give up has the turn once it is free. No thread waits meanwhile."""
    lock = os.open(project, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with trio.move_on_after(10) as scope:
        await source.change(str(project), lambda _: pytest.fail("asked"))
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.change, str(project), add)
        await trio.sleep(10)
        assert tasks.read_bytes() == LINES
        os.close(lock)
    assert tasks.read_bytes() == LINES + b"{}\n"


async def test_tasks_of_one_process_change_one_after_the_other(source: FileSource, project: Path, tasks: Any) -> None:
    """More of them than there are threads; none is lost."""
    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(source.change, str(project), add)
    assert tasks.read_bytes() == LINES + b"{}\n" * 30
