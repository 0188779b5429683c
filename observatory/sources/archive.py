"""Teams that are put aside: moved as they are, never over anything, and nothing is deleted."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain, count

from observatory.errors import SwarmSourceError
from observatory.sources.access import explained, is_name, make_folder, shown
from observatory.sources.teams import ARCHIVE, ARCHIVED_TASKS, ARCHIVED_TEAM
from observatory.swarm.source import TEAM


def try_to_archive(root: str, team: str) -> bool | None:
    """Put the folders of a team aside, unless somebody else is doing so with any.

    Args:
        root: where everything is.
        team: its name. A second one of the same name is put aside as `{team}-2`, and so on.

    Returns:
        True; None while somebody else has the lock.

    Raises:
        SwarmSourceError: there is no such team, or it cannot be moved.
    """
    if not is_name(team):
        raise SwarmSourceError(f"{TEAM}{team!a}", "no team can be called that")
    with explained(TEAM + team, "put aside"):
        archive = _make_archive(root)
        lock = os.open(archive, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folders = {
                ARCHIVED_TEAM: os.path.join(root, "teams", team),
                ARCHIVED_TASKS: os.path.join(root, "tasks", team),
            }
            present = {name: path for name, path in folders.items() if _is_folder(path)}
            if not present:
                raise SwarmSourceError(TEAM + team, "there is no such team")
            _move(team, present, archive)
        except BlockingIOError:
            return None
        finally:
            os.close(lock)
    return True


def _make_archive(root: str) -> str:
    path = root
    for name in ARCHIVE.split(os.sep):
        path = os.path.join(path, name)
        with suppress(FileExistsError):
            make_folder(path)
    return path


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _move(team: str, folders: Mapping[str, str], archive: str) -> None:
    """Move all folders or none."""
    place = _make_place(team, archive)
    moved: list[str] = []
    try:
        for name, path in folders.items():
            os.rename(path, os.path.join(place, name))
            moved.append(name)
    except OSError:
        try:
            for name in moved:
                os.rename(os.path.join(place, name), folders[name])
            os.rmdir(place)
        except OSError as error:
            reason = f"only half of the team could be put aside, and not be put back; it lies in {shown(place)}"
            raise SwarmSourceError(TEAM + team, reason) from error
        raise


def _make_place(team: str, archive: str) -> str:
    """Make a folder where there is nothing yet."""
    names = chain([team], (f"{team}-{number}" for number in count(2)))
    while True:
        place = os.path.join(archive, next(names))
        with suppress(FileExistsError):
            make_folder(place)
            return place
