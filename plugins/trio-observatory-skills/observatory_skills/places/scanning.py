"""Looking through a folder for skills: what is wrong with one of them takes no other with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

from observatory import Problem, SkillFile, SkillSourceError
from observatory_skills.places.access import is_ours, is_text, shown, why

Found: TypeAlias = SkillFile | Problem
Look: TypeAlias = Callable[[str, str], SkillFile | None]
"""Look at what may be a skill, by its path and its name."""


def look_at(look: Look, path: str, name: str) -> Found | None:
    """Look at what may be a skill, and return what cannot be read as a `Problem`.

    Raises:
        SkillSourceError: nothing can be told, as this process has run out of something.
    """
    try:
        if is_text(path):
            return look(path, name)
        return Problem(shown(path), None, "its name is no UTF-8: give it another one")
    except SkillSourceError as error:
        return Problem(shown(error.where), None, error.reason)
    except OSError as error:
        return problem(path, error)
    except ValueError:
        return Problem(shown(path), None, "no file can have that path")


def problem(path: str, error: OSError) -> Problem:
    """Say that something cannot be read.

    Raises:
        SkillSourceError: nothing can be told, as this process has run out of something.
    """
    if is_ours(error):
        raise SkillSourceError(path, f"cannot be read: {why(error)}") from error
    return Problem(shown(path), None, f"cannot be read: {why(error)}")


def look_through(root: str, look: Look, wanted: Callable[[os.DirEntry[str]], bool]) -> list[Found]:
    """Look at everything in a folder, in order of names; what is hidden is left out.

    Raises:
        NotADirectoryError: it is no folder.
        SkillSourceError: nothing can be told, as this process has run out of something.
    """
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if entry.name[0] != "." and _is(wanted, entry))
    except NotADirectoryError:
        raise
    except OSError as error:
        return [problem(root, error)]
    found = (look_at(look, os.path.join(root, name), name) for name in names)
    return [one for one in found if one is not None]


def _is(wanted: Callable[[os.DirEntry[str]], bool], entry: os.DirEntry[str]) -> bool:
    try:
        return wanted(entry)
    except OSError:
        return False  # a link that leads nowhere, or round in a circle
