"""What Claude Code keeps for a team, as lines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from observatory.errors import SwarmSourceError
from observatory.sources import own_tasks
from observatory.sources.file_source import FileSource
from observatory.swarm.parsing import parse


async def test_tasks_become_lines_in_the_order_of_numbers(source: FileSource, write_task: Any) -> None:
    """Names that are no numbers stand behind them, and what is hidden or has another ending is none."""
    for number in ("10", "9", "b", "a", "01", ".hidden"):
        write_task("alpha", number, {"id": number})
    (write_task("alpha", 9, {"id": "9"}).parent / ".highwatermark").touch()
    lines = (await source.read("team:alpha")).splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["01", "9", "10", "a", "b"]


async def test_a_line_has_the_fields_of_a_swarms_task(source: FileSource, write_task: Any) -> None:
    """What the file leaves out is left out; `updated` is the file's time."""
    task = {
        "id": "1",
        "subject": "s",
        "description": "d",
        "status": "in_progress",
        "owner": "o",
        "blocks": ["3"],
        "blockedBy": ["2"],
        "metadata": {"x": 1},
    }
    path = write_task("alpha", 1, task)
    os.utime(path, (1_800_000_000.5, 1_800_000_000.5))
    expected = task | {"blocked_by": ["2"], "updated": 1_800_000_000.5}
    for name in ("blocks", "blockedBy", "metadata"):
        del expected[name]
    assert json.loads(await source.read("team:alpha")) == expected


@pytest.mark.parametrize(
    "content", ['{"id": "1', "[]", "", '{"id": "\\ud800"}', '{"subject": ' + "[" * 400 + "]" * 400 + "}"]
)
async def test_what_is_no_task_becomes_a_line_that_is_none(source: FileSource, write_task: Any, content: str) -> None:
    """So that the parser names it, and the others are read."""
    write_task("alpha", 1, content)
    write_task("alpha", 2)
    parsed = parse(await source.read("team:alpha"), "team:alpha")
    assert (len(parsed.tasks), parsed.skipped) == (1, 1)
    assert [problem.line for problem in parsed.problems] == [1]


async def test_what_is_no_file_becomes_a_line_that_is_none(source: FileSource, write_task: Any) -> None:
    """Nothing is waited for, links lead nowhere, and a name may be any; one that has just gone is no task."""
    folder = write_task("alpha", 1).parent
    os.mkfifo(folder / "2.json")
    (folder / "3.json").symlink_to("3.json")
    (folder / "4.json").symlink_to("gone")
    (folder / "5.json").mkdir()
    os.close(os.open(os.fsencode(folder) + b"/\xff\n.json", os.O_CREAT))
    os.truncate(write_task("alpha", 6), 1024 * 1024 + 1)
    parsed = parse(await source.read("team:alpha"), "team:alpha")
    assert (len(parsed.tasks), parsed.skipped) == (1, 5)
    assert "team:alpha" in (await source.find(())).projects


async def test_a_team_without_tasks_has_none(source: FileSource, root: Path) -> None:
    """An empty folder is no project."""
    assert await source.read("team:alpha") == b""
    (root / "tasks" / "alpha").mkdir(parents=True)
    assert await source.read("team:alpha") == b""
    assert dict((await source.find(())).projects) == {}


async def test_too_many_files_are_refused(source: FileSource, write_task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how many there may be; looking does not take all of them, either."""
    monkeypatch.setattr(own_tasks, "MAX_FILES", 3)
    for number in range(3):
        write_task("alpha", number)
    assert len((await source.read("team:alpha")).splitlines()) == 3
    write_task("alpha", 4)
    write_task("alpha", 5)
    with pytest.raises(SwarmSourceError, match="more than 3 files are too many"):
        await source.read("team:alpha")
    assert "team:alpha" in (await source.find(())).projects


async def test_too_large_tasks_are_refused(
    source: FileSource, write_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a team together, as those of a project."""
    monkeypatch.setattr(own_tasks, "MAX_SIZE", 1024 * 1024)
    for number in range(2):
        write_task("alpha", number, {"id": "1", "subject": "x" * 600_000})
    with pytest.raises(SwarmSourceError, match="cannot be read: more than 1 MiB are too much"):
        await source.read("team:alpha")


async def test_a_teams_own_tasks_are_only_read(source: FileSource, write_task: Any) -> None:
    """Changing them is refused, and touches nothing."""
    path = write_task("alpha", 1)
    before = path.read_bytes()
    with pytest.raises(SwarmSourceError, match="only read"):
        await source.change("team:alpha", lambda data: b"")
    assert path.read_bytes() == before


async def test_what_cannot_be_listed_is_an_error(source: FileSource, root: Path) -> None:
    """A file in the place of the folder, for one."""
    (root / "tasks").mkdir()
    (root / "tasks" / "alpha").touch()
    with pytest.raises(SwarmSourceError, match="cannot be read: its folder is no folder"):
        await source.read("team:alpha")
