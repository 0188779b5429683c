"""Claude Code's teams: `{root}/teams/{team}/config.json`, and those that were put aside.

The format is observed, not documented: it is read leniently, and never written. The only place that knows it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import attrs

from observatory.kinds import kind_of
from observatory.problems import Problem
from observatory.sources.access import folders_in, is_path, read_file, shown, stamp_of, why
from observatory.swarm.values import Member, Team

ARCHIVE = os.path.join("observatory", "archive")
"""Below the root: what was put aside, in a folder for each team."""
ARCHIVED_TEAM, ARCHIVED_TASKS = "team", "tasks"
"""In the folder of a team that was put aside: what was `teams/{team}` and `tasks/{team}`."""

MAX_TEAMS = 1_000
MAX_MEMBERS = 1_000
"""Of one team."""
_CONFIG = "config.json"
_MAX_CONFIG = 8 * 1024 * 1024


@attrs.frozen
class Reading:
    """What was read of a team the last time."""

    stamp: str
    """Of its config."""
    team: Team
    """What could be read last."""
    fault: str | None = None
    """What is wrong with its config."""
    noted: bool = False
    """Whether that is a problem; not yet the first time that it cannot be read: it may be written at this moment."""


@attrs.frozen
class Survey:
    """All teams."""

    teams: tuple[Team, ...]
    """By name; those that were put aside behind the others."""
    readings: Mapping[str, Reading]
    """By the path of the config: for the next survey."""
    problems: tuple[Problem, ...]
    """What is wrong."""


def survey_teams(root: str, earlier: Mapping[str, Reading]) -> Generator[None, None, Survey]:
    """Look at every team, and read what has changed.

    Args:
        root: where everything is.
        earlier: what the last survey has read.
    """
    problems: list[Problem] = []
    readings: dict[str, Reading] = {}
    for folder, name, archived in _folders(root, problems):
        yield
        path = os.path.join(folder, _CONFIG)
        reading = _look(path, Team(name, (), archived), earlier.get(path))
        if reading is not None:
            readings[path] = reading
            if reading.noted and reading.fault is not None:
                problems.append(Problem(shown(path), None, reading.fault))
    return Survey(tuple(reading.team for reading in readings.values()), readings, tuple(problems))


def names_of_teams(folder: str, limit: int, problems: list[Problem]) -> list[str]:
    """Return the names of the folders in a folder, which are those of teams; note what is wrong with that."""
    try:
        names, more = folders_in(folder, limit)
    except OSError as error:
        problems.append(Problem(shown(folder), None, f"cannot be listed: {why(error)}"))
        return []
    if more:
        problems.append(Problem(shown(folder), None, f"more than {MAX_TEAMS:,} teams: what follows is not read"))
    for name in names:
        if not is_path(name):
            problems.append(Problem(shown(folder), None, f"{name!r} is no name of a team: it is no UTF-8"))
    return [name for name in names if is_path(name)]


def _folders(root: str, problems: list[Problem]) -> Iterator[tuple[str, str, bool]]:
    """Return the folder and the name of each team, and whether it was put aside."""
    teams, archive = os.path.join(root, "teams"), os.path.join(root, ARCHIVE)
    names = names_of_teams(teams, MAX_TEAMS, problems)
    for name in names:
        yield os.path.join(teams, name), name, False
    for name in names_of_teams(archive, MAX_TEAMS - len(names), problems):
        yield os.path.join(archive, name, ARCHIVED_TEAM), name, True


def _look(path: str, unread: Team, earlier: Reading | None) -> Reading | None:
    """Read a config if it has changed; return None when its folder is no team's."""
    try:
        stamp = stamp_of(os.stat(path))
    except OSError as error:
        stamp = f"error {error.errno}"
        if isinstance(error, FileNotFoundError):
            return Reading(stamp, unread) if unread.archived and _is_archive(path) else None
    if earlier is not None and earlier.stamp == stamp:
        return attrs.evolve(earlier, noted=True)
    try:
        team, fault = _team(read_file(path, _MAX_CONFIG)[0], unread)
        return Reading(stamp, team, fault, noted=True)
    except OSError as error:
        fault = f"cannot be read: {why(error)}"
    except ValueError as error:
        fault = str(error)
    if earlier is None:
        return Reading(stamp, unread, fault)
    return Reading(stamp, earlier.team, fault, noted=earlier.fault is not None)


def _is_archive(path: str) -> bool:
    """Tell whether anything was put aside there: the folder of a team may have been gone before its tasks."""
    folder = os.path.dirname(path)
    return os.path.isdir(folder) or os.path.isdir(os.path.join(os.path.dirname(folder), ARCHIVED_TASKS))


def _team(raw: bytes, unread: Team) -> tuple[Team, str | None]:
    """Return what a config says, and what is wrong with it.

    Raises:
        ValueError: it cannot be read.
    """
    import orjson  # here, so that `import observatory` is quick

    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is no JSON, or only half written: {error.msg}") from error
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object, got {kind_of(found)}")
    listed = found.get("members", [])
    if not isinstance(listed, list):
        raise ValueError(f"members: expected a list, got {kind_of(listed)}")
    members = (_member(each, unread.name) for each in listed[:MAX_MEMBERS])
    team = attrs.evolve(unread, members=tuple(member for member in members if member is not None))
    more = len(listed) > MAX_MEMBERS
    return team, f"more than {MAX_MEMBERS:,} members: what follows is not read" if more else None


def _member(found: Any, team: str) -> Member | None:
    name = _text(found, "name")
    if name is None:
        return None
    active = found.get("isActive")
    return Member(
        name, _text(found, "agentId") or f"{name}@{team}", _text(found, "cwd"), active if type(active) is bool else None
    )


def _text(found: Any, name: str) -> str | None:
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) and value else None
