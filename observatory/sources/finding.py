"""Teams and projects: what there is, and stamps that tell whether it has changed."""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterator, Mapping
from itertools import chain, islice
from typing import TypeAlias

from observatory.problems import Problem
from observatory.sources.access import is_path, shown, why
from observatory.sources.own_tasks import stamp_of_own_tasks
from observatory.sources.task_file import TASKS, stamp_of_tasks
from observatory.sources.teams import MAX_TEAMS, Reading, names_of_teams, survey_teams
from observatory.swarm.source import TEAM, Found
from observatory.swarm.values import Team

MAX_PROJECTS = 1_000
_MAX_FOLDERS = 10_000
"""Folders of members that are looked into."""

_Stamped: TypeAlias = tuple[str, str]
_Problems: TypeAlias = list[Problem]


def look(
    root: str, added: Collection[str], earlier: Mapping[str, Reading]
) -> Generator[None, None, tuple[Found, Mapping[str, Reading]]]:
    """Look what there is.

    Args:
        root: where everything is.
        added: projects besides those in which teams work.
        earlier: what was read of teams the last time.

    Returns:
        What there is, and what was read of teams.
    """
    survey = yield from survey_teams(root, earlier)
    problems = list(survey.problems)
    stamps: dict[str, str] = {}
    places: dict[str, None] = {}
    of_members = _of_members(survey.teams, places, problems)
    all_projects = chain(_added(added, problems), of_members, _own(root, problems))
    for stamped in all_projects:
        yield
        if stamped is None or stamped[0] in stamps:
            continue
        if len(stamps) == MAX_PROJECTS:
            problems.append(Problem(shown(root), None, f"more than {MAX_PROJECTS:,} projects: others are left out"))
            break
        stamps[stamped[0]] = stamped[1]
    return Found(survey.teams, stamps, tuple(problems), tuple(islice(places, MAX_PROJECTS))), survey.readings


def _added(added: Collection[str], problems: _Problems) -> Iterator[_Stamped | None]:
    for path in added:
        if not is_path(path) or not os.path.isabs(path):
            problems.append(Problem(repr(path), None, "a project is the absolute path of a folder"))
        elif not os.path.isdir(path):
            problems.append(Problem(shown(path), None, "this project is gone: there is no such folder"))
        else:
            yield _stamped(path)
            continue
        yield None


def _of_members(teams: Collection[Team], places: dict[str, None], problems: _Problems) -> Iterator[_Stamped | None]:
    folders = dict.fromkeys(member.cwd for team in teams for member in team.members if member.cwd)
    if len(folders) > _MAX_FOLDERS:
        problem = f"members work in more than {_MAX_FOLDERS:,} folders: others are not looked into"
        problems.append(Problem("teams", None, problem))
    for path in islice(folders, _MAX_FOLDERS):
        if not is_path(path) or not os.path.isabs(path):
            yield None
        elif os.path.lexists(os.path.join(path, TASKS)):
            yield _stamped(path)
        else:
            if os.path.isdir(path):
                places[os.path.realpath(path)] = None
            yield None


def _stamped(path: str) -> _Stamped:
    project = os.path.realpath(path)
    return project, stamp_of_tasks(project)


def _own(root: str, problems: _Problems) -> Iterator[_Stamped | None]:
    folder = os.path.join(root, "tasks")
    for name in names_of_teams(folder, MAX_TEAMS, problems):
        path = os.path.join(folder, name)
        try:
            stamp = yield from stamp_of_own_tasks(path)
        except OSError as error:
            problems.append(Problem(shown(path), None, f"cannot be listed: {why(error)}"))
        else:
            yield (TEAM + name, stamp) if stamp else None
