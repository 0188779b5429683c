"""Which teams there are, and who is in them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from observatory.problems import Problem
from observatory.sources.file_source import FileSource
from observatory.swarm.values import Member, Team


async def test_nothing_is_found_where_there_is_nothing(source: FileSource) -> None:
    """A root without any folder is no problem."""
    found = await source.find(())
    assert (found.teams, dict(found.projects), found.problems) == ((), {}, ())


async def test_teams_are_found_with_their_members(source: FileSource, write_team: Any) -> None:
    """As the config says, with what it leaves out made up; members without a name are passed over."""
    members: list[Any] = [
        {"name": "lead", "agentId": "lead@a-team", "cwd": "/somewhere", "isActive": True, "prompt": "…"},
        {"name": "second", "agentId": 7, "cwd": "", "isActive": "yes"},
        {"agentId": "nobody@a-team"},
        "neither",
    ]
    write_team("alpha", members=members)
    found = await source.find(())
    lead, second = Member("lead", "lead@a-team", "/somewhere", True), Member("second", "second@alpha", None, None)
    assert found.teams == (Team("alpha", (lead, second)),)
    assert found.problems == ()


async def test_teams_stand_by_name_and_archived_ones_behind(source: FileSource, write_team: Any, root: Path) -> None:
    """A folder without a config is no team; one that was put aside with nothing but tasks is."""
    write_team("b")
    write_team("c", archived=True)
    write_team("a")
    (root / "teams" / "unmade").mkdir()
    (root / "teams" / "file").touch()
    (root / "observatory" / "archive" / "tasks-only" / "tasks").mkdir(parents=True)
    (root / "observatory" / "archive" / "team-only" / "team").mkdir(parents=True)
    (root / "observatory" / "archive" / "nothing").mkdir()
    found = await source.find(())
    names = [(team.name, team.archived) for team in found.teams]
    assert names == [("a", False), ("b", False), ("c", True), ("tasks-only", True), ("team-only", True)]


async def test_a_config_is_read_only_when_it_has_changed(
    source: FileSource, write_team: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking again costs no reading."""
    write_team("alpha")
    read: list[object] = []
    open_file = os.open

    def note(path: Any, *arguments: Any, **options: Any) -> int:
        read.append(path)
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(os, "open", note)
    for _ in range(3):
        await source.find(())
    assert len(read) == 1
    write_team("alpha", "/x")
    assert len((await source.find(())).teams[0].members) == 1
    assert len(read) == 2


async def test_what_is_half_written_is_no_problem_at_first(source: FileSource, write_team: Any) -> None:
    """The last good reading stays, and a problem is noted when the next look finds it so."""
    config = write_team("alpha", "/x")
    good = (await source.find(())).teams
    config.write_text('{"members": [')
    found = await source.find(())
    assert (found.teams, found.problems) == (good, ())
    config.write_text('{"members": [{')
    found = await source.find(())
    assert found.teams == good
    assert [(problem.where, problem.line) for problem in found.problems] == [(str(config), None)]
    assert found.problems[0].problem.startswith("is no JSON, or only half written")
    write_team("alpha")
    found = await source.find(())
    assert (found.teams, found.problems) == ((Team("alpha", ()),), ())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is no JSON, or only half written"),
        ("[]", "expected a JSON object, got a list"),
        ('{"members": {}}', "members: expected a list, got a table"),
        ("[" * 100_000, "is no JSON, or only half written"),
        ('{"name": "\\ud800"}', "is no JSON, or only half written"),
    ],
)
async def test_what_stays_unreadable_is_a_problem(
    source: FileSource, write_team: Any, content: str, problem: str
) -> None:
    """It is still a team, of which nothing is known."""
    config = write_team("alpha")
    config.write_text(content)
    assert (await source.find(())).problems == ()
    found = await source.find(())
    assert found.teams == (Team("alpha", ()),)
    assert found.problems[0].problem.startswith(problem)


async def test_what_is_no_file_is_not_waited_for(source: FileSource, root: Path) -> None:
    """A FIFO, a folder, and a link that leads to itself are problems."""
    for name in ("fifo", "folder", "link"):
        (root / "teams" / name).mkdir(parents=True)
    os.mkfifo(root / "teams" / "fifo" / "config.json")
    (root / "teams" / "folder" / "config.json").mkdir()
    (root / "teams" / "link" / "config.json").symlink_to("config.json")
    await source.find(())
    problems = (await source.find(())).problems
    no_file = "cannot be read: something that is no file has its name: move that away"
    circle = "cannot be read: symbolic links lead round in a circle: remove them"
    assert [problem.problem for problem in problems] == [no_file, no_file, circle]


async def test_a_config_that_is_too_large_is_a_problem(source: FileSource, write_team: Any) -> None:
    """It says how large one may be."""
    os.truncate(write_team("alpha"), 8 * 1024 * 1024 + 1)
    await source.find(())
    problems = (await source.find(())).problems
    assert problems[0].problem == "cannot be read: more than 8 MiB are too much: make it smaller"


async def test_there_is_a_bound_of_members(source: FileSource, write_team: Any) -> None:
    """The first thousand count, and what is left out is named at once."""
    config = write_team("alpha", *range(1_001))
    found = await source.find(())
    assert len(found.teams[0].members) == 1_000
    assert found.problems == (Problem(str(config), None, "more than 1,000 members: what follows is not read"),)


@pytest.mark.parametrize(("live", "archived"), [(1_001, 0), (1_000, 1), (999, 2)])
async def test_there_is_a_bound_of_teams(
    source: FileSource, root: Path, write_team: Any, live: int, archived: int
) -> None:
    """Those that were put aside count, too, and are left out first."""
    for number in range(live):
        write_team(f"t{number:04}")
    for number in range(archived):
        write_team(f"a{number}", archived=True)
    found = await source.find(())
    assert len(found.teams) == 1_000
    assert found.teams[998].name == "t0998"
    where = root / ("observatory/archive" if archived else "teams")
    assert Problem(str(where), None, "more than 1,000 teams: what follows is not read") in found.problems


async def test_hostile_names_are_harmless(source: FileSource, root: Path, write_team: Any) -> None:
    """They stand in one line in problems; one that is no UTF-8 is no team's."""
    write_team("..x\n\x1b[2J").write_text("[]")
    os.makedirs(os.fsencode(root / "teams") + b"/\xff\n")
    await source.find(())
    found = await source.find(())
    assert [team.name for team in found.teams] == ["..x\n\x1b[2J"]
    assert len(found.problems) == 2
    assert all((problem.where + problem.problem).isprintable() for problem in found.problems)
    json.dumps([team.name for team in found.teams]).encode()


async def test_links_to_folders_are_no_teams(source: FileSource, root: Path, write_team: Any) -> None:
    """Neither one that leads to itself, nor one that leads to a team."""
    folder = write_team("alpha").parent
    (root / "teams" / "loop").symlink_to("loop")
    (root / "teams" / "other").symlink_to(folder)
    found = await source.find(())
    assert [team.name for team in found.teams] == ["alpha"]
    assert found.problems == ()


async def test_what_cannot_be_listed_is_a_problem(source: FileSource, root: Path) -> None:
    """And nothing else is lost by it."""
    (root / "teams").touch()
    found = await source.find(())
    assert found.problems == (Problem(str(root / "teams"), None, "cannot be listed: its folder is no folder"),)
