"""What sources of skills that are files have in common."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Collection, Container, Iterable, Sequence

import trio

from observatory import Problem, SkillFile, SkillScope, SkillSource, SkillSourceError
from observatory_skills.places import open_place
from observatory_skills.places.access import shown
from observatory_skills.sources.watching import Watching

_AGAIN = 2  # seconds between two looks where the system tells nothing


class FilesSource(SkillSource):
    """Skills that are files in folders.

    Looking at them can be cancelled, also where a folder does not answer: its thread, which changes nothing, is left to
    itself.

    Args:
        paths: folders in order of precedence, each with whose skills it has; `~` is the user's own folder.
            One that is not there may come later.
    """

    def __init__(self, paths: Iterable[tuple[str | os.PathLike[str], SkillScope]]) -> None:
        self._paths = [(os.path.abspath(os.path.expanduser(path)), scope) for path, scope in paths]

    @abstractmethod
    def _scan(self, path: str, known: Sequence[SkillFile], scope: SkillScope) -> list[SkillFile | Problem]:
        """Find the skills in a folder."""

    @abstractmethod
    def _place(self, file: SkillFile) -> str:
        """Return the path of a skill: whatever changes in that, or is that, is a change of the skill."""

    @abstractmethod
    def _folders(self, path: str) -> Iterable[str]:
        """Return the folders in which something changes when skills of that folder do; itself is one of them."""

    async def load(self, known: Sequence[SkillFile] = ()) -> Sequence[SkillFile | Problem]:
        """Look at everything, as a `SkillSource` does."""
        return await trio.to_thread.run_sync(self._load, known, abandon_on_cancel=True)

    async def load_changed(
        self, known: Sequence[SkillFile | Problem], paths: Collection[str]
    ) -> Sequence[SkillFile | Problem]:
        """Look at the skills that these paths belong to, as a `SkillSource` does."""
        return await trio.to_thread.run_sync(self._load_changed, known, paths, abandon_on_cancel=True)

    async def resources(self, skill: SkillFile) -> Sequence[str]:
        """Return the paths of all files of a skill but SKILL.md, as a `SkillSource` does."""
        return await trio.to_thread.run_sync(open_place(skill.location).names, abandon_on_cancel=True)

    async def read(self, skill: SkillFile, path: str) -> bytes:
        """Return what stands in a file of a skill, as a `SkillSource` does."""
        return await trio.to_thread.run_sync(open_place(skill.location).read, path, abandon_on_cancel=True)

    async def watch(
        self, changed: Callable[..., None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Call `changed` when something may have changed, as a `SkillSource` does.

        Where the system tells nothing, such as at its limit of watches, that is every two seconds.
        """
        watching = Watching([path for path, _ in self._paths], self._folders, changed, lambda: task_status.started())
        limiter = trio.CapacityLimiter(1)  # a thread for as long as it is watched
        while True:
            await trio.to_thread.run_sync(watching.listen, limiter=limiter)
            await trio.sleep(_AGAIN)

    def _load_changed(
        self, known: Sequence[SkillFile | Problem], paths: Collection[str]
    ) -> Sequence[SkillFile | Problem]:
        files = [one for one in known if isinstance(one, SkillFile)]
        places = {self._place(file): file for file in files}
        again: dict[SkillFile | Problem, SkillFile] = {}
        for place in {_place_of(path, places) for path in paths}:
            old = places.get(place)
            match self._scan(place, [old], old.scope) if old else []:
                case [SkillFile() as new] if old and new.location == old.location:
                    again[old] = new
                case _:  # it may be others that have come, gone, or count instead
                    return self._load(files)
        return [again.get(one, one) for one in known]

    def _load(self, known: Sequence[SkillFile]) -> list[SkillFile | Problem]:
        found: dict[str, SkillFile | Problem] = {}
        for path, scope in self._paths:
            if os.path.lexists(path):
                for one in self._scan(path, known, scope):
                    if isinstance(one, SkillFile):
                        found.setdefault(one.location, one)
                    else:
                        _refuse(one, path, known)
                        found.setdefault(one.where, one)
        return list(found.values())


def _place_of(path: str, places: Container[str]) -> str:
    """Return the place that a path is, or lies in; the empty one where it is none of them."""
    while path and path not in places:
        path = path.rpartition("/")[0]
    return path


def _refuse(problem: Problem, path: str, known: Sequence[SkillFile]) -> None:
    """Refuse to tell anything when a whole folder in which there were skills cannot be read, such as over a network.

    Raises:
        SkillSourceError: it cannot.
    """
    if problem.where == shown(path) and any(file.location.startswith(f"{path}/") for file in known):
        raise SkillSourceError(path, problem.problem)
