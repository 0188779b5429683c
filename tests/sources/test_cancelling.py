"""Cancelling a source wherever it can be cancelled."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory.sources import turns
from observatory.sources.file_source import FileSource
from observatory.testing import cancel_at_every_checkpoint
from tests.sources.looking import names


def free(folder: Path) -> None:
    """Look whether nobody holds the lock."""
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)


async def test_a_change_has_happened_or_not(source: FileSource, project: Path) -> None:
    """As a whole; nothing is left open, locked, or lying about."""
    tasks = project / "tasks.jsonl"
    tasks.write_bytes(b"")
    written = 0

    async def change() -> None:
        nonlocal written
        assert await source.change(str(project), lambda data: data + b"{}\n") == tasks.read_bytes()
        written += 1

    async def check() -> None:  # noqa: ASYNC124 -- it is awaited
        nonlocal written
        lines = tasks.read_bytes().splitlines()
        assert set(lines) <= {b"{}"}
        assert written <= len(lines) <= written + 1
        written = len(lines)
        assert names(project) == ["tasks.jsonl"]
        free(project)

    await change()
    before = len(os.listdir("/proc/self/fd"))
    assert await cancel_at_every_checkpoint(change, check) > 0
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_team_is_put_aside_or_not(source: FileSource, root: Path, write_team: Any, write_task: Any) -> None:
    """With both its folders."""

    async def archive() -> None:
        write_team("alpha")
        write_task("alpha", 1)
        await source.archive("alpha")

    async def check() -> None:  # noqa: ASYNC124 -- it is awaited
        assert (root / "teams" / "alpha").exists() == (root / "tasks" / "alpha").exists()
        if (root / "observatory" / "archive").exists():
            for folder in (root / "observatory" / "archive").iterdir():
                assert names(folder) == ["tasks", "team"]
            free(root / "observatory" / "archive")

    assert await cancel_at_every_checkpoint(archive, check) > 0


async def test_looking_can_be_cancelled_between_any_two_steps(
    source: FileSource, project: Path, write_team: Any, write_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of teams before stays; a thread has it for no longer than is fair."""
    monkeypatch.setattr(turns, "_SLICE", 0)
    (project / "tasks.jsonl").touch()
    config = write_team("alpha", project)
    for number in range(3):
        write_task("alpha", number)
    whole = await source.find(())
    config.write_text("{")
    with trio.CancelScope() as scope:
        scope.cancel()
        await source.find(())
    assert (await source.find(())).problems == ()
    assert len((await source.find(())).problems) == 1
    write_team("alpha", project)

    async def look() -> None:
        found = await source.find(())
        assert (found.teams, found.projects.keys()) == (whole.teams, whole.projects.keys())

    assert await cancel_at_every_checkpoint(look) > 5
    assert await cancel_at_every_checkpoint(lambda: source.read("team:alpha")) > 3
