"""Looking through a folder for skills: what is wrong with one of them takes no other with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeAlias

from observatory import Problem, SkillFile, SkillSourceError
from observatory_skills.places.access import is_ours, is_text, shown, stamp_of, why

Found: TypeAlias = SkillFile | Problem
Look: TypeAlias = Callable[[str, str], SkillFile | None]
"""Look at what may be a skill, by its path and its name; None when it is none."""


class Scan:
    """Looks for skills; what has not changed since it was found before is the same object, and costs one look.

    Args:
        look: how to look at what may be a skill.
        known: what was found before.
    """

    def __init__(self, look: Look, known: Iterable[SkillFile]) -> None:
        self._look = look
        self._before = {file.location: file for file in known}

    def through(self, root: str, inside: str, wanted: Callable[[str], bool], suffix: str = "") -> list[Found]:
        """Look at what lies directly in a folder, in order of names; what is hidden is left out.

        Args:
            root: the folder.
            inside: where in what may be a skill its location is, such as `/SKILL.md`.
            wanted: whether a path may be that of a skill: asked where none was found before.
            suffix: what the names of skills end with.

        Raises:
            SkillSourceError: nothing can be told, as this process has run out of something.
        """
        try:
            names = sorted([name for name in os.listdir(root) if name.endswith(suffix)])
        except OSError as error:
            return [_problem(root, error)]
        found: list[Found] = []
        for name in names:
            one: Found | None = self.unchanged(f"{root}/{name}{inside}")
            if one is None and name[0] != "." and wanted(path := f"{root}/{name}"):
                one = self.at(path, name)
            if one is not None:
                found.append(one)
        return found

    def unchanged(self, location: str) -> SkillFile | None:
        """Return what was found there before, when it has not changed since."""
        old = self._before.get(location)
        if old is None:
            return None
        try:
            return old if old.stamp == stamp_of(os.stat(location)) else None
        except OSError:
            return None

    def at(self, path: str, name: str) -> Found | None:
        """Look at what may be a skill.

        Raises:
            SkillSourceError: nothing can be told, as this process has run out of something.
        """
        try:
            if is_text(path):
                return self._look(path, name)
            return Problem(shown(path), None, "its name is no UTF-8: give it another one")
        except SkillSourceError as error:
            if isinstance(error.__cause__, OSError) and is_ours(error.__cause__):
                raise
            return Problem(shown(error.where), None, error.reason)
        except OSError as error:
            return _problem(path, error)
        except ValueError:
            return Problem(shown(path), None, "no file can have that path")


def _problem(path: str, error: OSError) -> Problem:
    if is_ours(error):
        raise SkillSourceError(path, f"cannot be read: {why(error)}") from error
    return Problem(shown(path), None, f"cannot be read: {why(error)}")
