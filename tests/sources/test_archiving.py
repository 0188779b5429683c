"""Putting teams aside."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from observatory.errors import SwarmSourceError
from observatory.sources.file_source import FileSource
from tests.sources.looking import contents, names


async def test_a_team_is_moved_as_it_is(source: FileSource, root: Path, write_team: Any, write_task: Any) -> None:
    """Both its folders; `find` sees it behind the others, and its own tasks no more."""
    config, task = write_team("alpha", "/x"), write_task("alpha", 1)
    write_team("beta")
    (before,) = [team for team in (await source.find(())).teams if team.name == "alpha"]
    files = {"team/config.json": config.read_bytes(), "tasks/1.json": task.read_bytes()}
    await source.archive("alpha")
    assert contents(root / "observatory" / "archive" / "alpha") == files
    assert not config.parent.exists()
    assert not task.parent.exists()
    found = await source.find(())
    assert [(team.name, team.archived) for team in found.teams] == [("beta", False), ("alpha", True)]
    assert found.teams[1].members == before.members
    assert dict(found.projects) == {}


async def test_one_of_both_folders_is_enough(source: FileSource, write_team: Any, write_task: Any) -> None:
    """A session that has ended takes the folder of its team with it."""
    write_team("alpha")
    write_task("beta", 1)
    await source.archive("alpha")
    await source.archive("beta")
    assert [(team.name, team.archived) for team in (await source.find(())).teams] == [("alpha", True), ("beta", True)]


async def test_nothing_is_overwritten(source: FileSource, root: Path, write_team: Any) -> None:
    """A second one of the same name gets a number."""
    for number in range(3):
        write_team("alpha", number=number)
        await source.archive("alpha")
    archive = root / "observatory" / "archive"
    assert names(archive) == ["alpha", "alpha-2", "alpha-3"]
    assert '"number": 1' in (archive / "alpha-2" / "team" / "config.json").read_text()


async def test_an_unknown_team_is_an_error(source: FileSource, root: Path, write_team: Any) -> None:
    """So is a link, or a file, that has its name; nothing is moved."""
    folder = write_team("alpha").parent
    (root / "teams" / "link").symlink_to(folder)
    (root / "teams" / "file").touch()
    for name in ("beta", "link", "file"):
        with pytest.raises(SwarmSourceError, match=f"the tasks of team:{name}: there is no such team"):
            await source.archive(name)
    assert names(root / "observatory" / "archive") == []


@pytest.mark.parametrize("name", ["", ".", "..", "../alpha", "/", "a/b", "a\0b", "a\ud800\n"])
async def test_what_can_be_no_name_is_refused(source: FileSource, root: Path, write_team: Any, name: str) -> None:
    """Nothing leaves the root, or is made."""
    write_team("alpha")
    with pytest.raises(SwarmSourceError, match="no team can be called that") as raised:
        await source.archive(name)
    assert str(raised.value).isprintable()
    assert names(root) == ["teams"]


async def test_a_name_that_is_too_long_with_its_number_is_an_error(source: FileSource, write_team: Any) -> None:
    """The team stays where it is."""
    write_team("a" * 254)
    await source.archive("a" * 254)
    config = write_team("a" * 254)
    with pytest.raises(SwarmSourceError, match="cannot be put aside: File name too long"):
        await source.archive("a" * 254)
    assert config.exists()


async def test_a_root_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """And is not made."""
    with pytest.raises(SwarmSourceError, match="cannot be put aside: there is no such folder"):
        await FileSource(tmp_path / "gone").archive("alpha")
    assert not (tmp_path / "gone").exists()


class Renaming:
    """Fails to rename, as the disk may, at the calls that are named."""

    def __init__(self, *failing: int) -> None:
        self.calls = 0
        self._failing = failing
        self._rename = os.rename

    def __call__(self, *arguments: Any) -> None:
        """Rename, or fail."""
        self.calls += 1
        if self.calls in self._failing:
            raise OSError(5, "Input/output error")
        self._rename(*arguments)


@pytest.mark.parametrize("failing", [1, 2])
async def test_what_fails_halfway_is_undone(
    source: FileSource, root: Path, write_team: Any, write_task: Any, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Everything is where it was, and the next attempt gets the name."""
    write_team("alpha")
    write_task("alpha", 1)
    before = contents(root)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", Renaming(failing))
        with pytest.raises(SwarmSourceError, match="cannot be put aside: Input/output error"):
            await source.archive("alpha")
    assert contents(root) == before
    await source.archive("alpha")
    assert names(root / "observatory" / "archive") == ["alpha"]


async def test_what_cannot_be_undone_is_said(
    source: FileSource, root: Path, write_team: Any, write_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With where the half lies that was moved."""
    write_team("alpha")
    write_task("alpha", 1)
    monkeypatch.setattr(os, "rename", Renaming(2, 3))
    with pytest.raises(SwarmSourceError, match="only half of the team could be put aside") as raised:
        await source.archive("alpha")
    assert str(root / "observatory" / "archive" / "alpha") in raised.value.reason
    assert (root / "observatory" / "archive" / "alpha" / "team" / "config.json").exists()


async def test_one_is_put_aside_after_the_other(
    source: FileSource, root: Path, write_team: Any, hurried_clock: trio.testing.MockClock
) -> None:
    """By whichever process; who waits can be cancelled."""
    write_team("alpha")
    await source.archive("alpha")
    config = write_team("alpha")
    lock = os.open(root / "observatory" / "archive", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with trio.move_on_after(10) as scope:
        await source.archive("alpha")
    assert scope.cancelled_caught
    assert config.exists()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.archive, "alpha")
        await trio.sleep(10)
        os.close(lock)
    assert not config.exists()
