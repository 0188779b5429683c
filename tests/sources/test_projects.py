"""Which projects there are, and how one sees that their tasks have changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from observatory import ObservatoryError
from observatory.errors import SwarmSourceError
from observatory.problems import Problem
from observatory.sources.file_source import FileSource


async def test_projects_stand_in_their_order(
    source: FileSource, tmp_path: Path, write_team: Any, write_task: Any
) -> None:
    """Those that were added, those of members, of archived teams too, and what teams keep by themselves."""
    folders = [tmp_path / name for name in ("z-added", "live", "archived")]
    for folder in folders:
        folder.mkdir()
        (folder / "tasks.jsonl").touch()
    write_team("alpha", folders[1], folders[0], folders[1])
    write_team("beta", folders[2], archived=True)
    write_task("alpha", 1)
    found = await source.find([str(folders[0])])
    assert list(found.projects) == [*map(str, folders), "team:alpha"]
    assert found.problems == ()


async def test_only_folders_with_tasks_are_projects_of_members(
    source: FileSource, project: Path, write_team: Any
) -> None:
    """A relative path, one that nothing has, one that nothing can have, and a folder without tasks are none."""
    write_team("alpha", "project", "/nowhere", "/a\0b", project)
    found = await source.find(())
    assert (dict(found.projects), found.problems) == ({}, ())
    assert found.places == (str(project),)  # where there may be some later
    (project / "tasks.jsonl").touch()
    found = await source.find(())
    assert (list(found.projects), found.places) == ([str(project)], ())


async def test_a_project_is_known_by_its_real_path(
    source: FileSource, tmp_path: Path, project: Path, write_team: Any
) -> None:
    """Two ways to one folder are one project."""
    (project / "tasks.jsonl").touch()
    link = tmp_path / "link"
    link.symlink_to(project)
    write_team("alpha", link, project)
    assert list((await source.find([str(link)])).projects) == [str(project)]


async def test_an_added_project_needs_no_tasks_yet(source: FileSource, project: Path) -> None:
    """It has a stamp, which changes when there are some."""
    before = (await source.find([str(project)])).projects[str(project)]
    assert await source.read(str(project)) == b""
    (project / "tasks.jsonl").touch()
    assert (await source.find([str(project)])).projects[str(project)] != before


async def test_an_added_project_that_is_gone_is_a_problem(source: FileSource, project: Path) -> None:
    """So is one that never was, and one that cannot be; the others are found all the same."""
    added = [str(project / "gone\n"), "relative", "/nul\0", "/surrogate\ud800", str(project)]
    found = await source.find(added)
    assert list(found.projects) == [str(project)]
    assert [problem.problem for problem in found.problems] == [
        "this project is gone: there is no such folder",
        *["a project is the absolute path of a folder"] * 3,
    ]
    assert all(problem.where.isprintable() for problem in found.problems)


def append(path: Path) -> None:
    """Add to a file."""
    path.write_text(path.read_text() + " ")


def replace(path: Path) -> None:
    """Put another file in its place, of the same size and time."""
    new, status = path.with_suffix(".new"), path.stat()
    new.write_bytes(path.read_bytes())
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.rename(path)


def touch(path: Path) -> None:
    """Give it another time."""
    os.utime(path, (1, 1))


def remove(path: Path) -> None:
    """Remove it, but not the last one."""
    path.unlink()
    path.with_name("2.json").touch()


@pytest.mark.parametrize("change", [append, replace, touch])
async def test_a_stamp_tells_of_changes(source: FileSource, project: Path, change: Callable[[Path], None]) -> None:
    """Of every kind; and only of those."""
    path = project / "tasks.jsonl"
    path.write_text("{}")
    before = (await source.find([str(project)])).projects
    assert (await source.find([str(project)])).projects == before
    change(path)
    assert (await source.find([str(project)])).projects != before


@pytest.mark.parametrize("change", [append, replace, touch, remove])
async def test_a_stamp_tells_of_changes_of_a_teams_own_tasks(
    source: FileSource, write_task: Any, change: Callable[[Path], None]
) -> None:
    """Of every kind; and only of those."""
    path = write_task("alpha", 1)
    before = (await source.find(())).projects
    (path.parent / ".lock").touch()
    assert (await source.find(())).projects == before
    change(path)
    assert (await source.find(())).projects != before


async def test_a_link_that_leads_round_changes_its_stamp_when_it_does_no_more(
    source: FileSource, project: Path, write_team: Any
) -> None:
    """So that it is read again then."""
    (project / "tasks.jsonl").symlink_to("tasks.jsonl")
    write_team("alpha", project)
    before = (await source.find(())).projects
    assert list(before) == [str(project)]
    (project / "tasks.jsonl").unlink()
    (project / "tasks.jsonl").touch()
    assert (await source.find(())).projects != before


async def test_there_is_a_bound_of_projects(source: FileSource, root: Path, tmp_path: Path) -> None:
    """What is beyond is named; what is known already does not count again."""
    folders = [tmp_path / f"p{number:04}" for number in range(1_001)]
    for folder in folders:
        folder.mkdir()
    found = await source.find([*map(str, folders[:1_000]), str(folders[0])])
    assert (len(found.projects), found.problems) == (1_000, ())
    found = await source.find([*map(str, folders)])
    assert len(found.projects) == 1_000
    assert found.problems == (Problem(str(root), None, "more than 1,000 projects: others are left out"),)


async def test_there_is_a_bound_of_folders_of_members(source: FileSource, write_team: Any) -> None:
    """What is not looked into is named."""
    for number in range(11):
        write_team(f"t{number}", *(f"/nowhere/{number}/{member}" for member in range(910)))
    problem = "members work in more than 10,000 folders: others are not looked into"
    assert (await source.find(())).problems == (Problem("teams", None, problem),)


async def test_an_unreadable_folder_of_tasks_is_a_problem(
    source: FileSource, root: Path, write_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other ones are found all the same."""
    write_task("alpha", 1)
    write_task("beta", 1)
    scandir = os.scandir

    def deny(path: Any) -> Any:
        if os.fspath(path) == str(root / "tasks" / "alpha"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    found = await source.find(())
    assert list(found.projects) == ["team:beta"]
    assert found.problems == (Problem(str(root / "tasks" / "alpha"), None, "cannot be listed: Permission denied"),)


@pytest.mark.parametrize("project", ["relative", "", "/nul\0", "/\ud800", "team:", "team:..", "team:a/b", "team:\0"])
async def test_what_can_be_no_project_is_refused(source: FileSource, project: str) -> None:
    """By reading and by changing, with an error of ours that stands in one line."""
    with pytest.raises(SwarmSourceError) as read:
        await source.read(project)
    with pytest.raises(SwarmSourceError) as change:
        await source.change(project, lambda data: data)
    assert str(read.value) == str(change.value)
    assert str(read.value).isprintable()
    assert isinstance(read.value, ObservatoryError)
