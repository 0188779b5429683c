"""The tasks of a swarm in the file system."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

import trio

from observatory.errors import SwarmSourceError
from observatory.sources.access import explained, is_name, is_path
from observatory.sources.archive import try_to_archive
from observatory.sources.finding import look
from observatory.sources.own_tasks import read_own_tasks
from observatory.sources.task_file import read_tasks, try_to_change
from observatory.sources.teams import Reading
from observatory.sources.turns import in_slices, in_turn
from observatory.sources.watching import Watching
from observatory.swarm.source import TEAM, Edit, Found, SwarmSource

_THREADS = 4


class FileSource(SwarmSource):
    """Reads and writes the tasks of a swarm: `tasks.jsonl` in projects, and what Claude Code keeps below a root.

    Args:
        root: where `teams` and `tasks` are, as far as there are any.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.path.abspath(root)
        self._readings: Mapping[str, Reading] = {}
        self._limiter = trio.CapacityLimiter(_THREADS)

    async def locate(self, path: str) -> str:
        """Return what a project is known by, as a `SwarmSource` does."""
        return await trio.to_thread.run_sync(_locate, path, limiter=self._limiter)

    async def find(self, added: Collection[str]) -> Found:
        """Look what there is, as a `SwarmSource` does."""
        found, self._readings = await in_slices(look(self._root, tuple(added), self._readings), self._limiter)
        return found

    async def read(self, project: str) -> bytes:
        """Return the tasks of a project, as a `SwarmSource` does."""
        _check(project)
        if not project.startswith(TEAM):
            return await trio.to_thread.run_sync(read_tasks, project, limiter=self._limiter)
        folder = os.path.join(self._root, "tasks", project.removeprefix(TEAM))
        return await in_slices(read_own_tasks(folder, project), self._limiter)

    async def change(self, project: str, edit: Edit) -> bytes:
        """Change the tasks of a project, as a `SwarmSource` does."""
        _check(project)
        if project.startswith(TEAM):
            raise SwarmSourceError(project, "these are Claude Code's own, and only read: let a member change them")
        return await in_turn(partial(try_to_change, project, edit), self._limiter)

    async def archive(self, team: str) -> None:
        """Put a team's folders aside, as a `SwarmSource` does."""
        await in_turn(partial(try_to_archive, self._root, team), self._limiter)

    async def watch(
        self,
        projects: Collection[str],
        changed: Callable[[], None],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Tell when something may have changed, as a `SwarmSource` does."""
        watching = Watching(self._root, projects, changed, lambda: task_status.started())
        await trio.to_thread.run_sync(watching.listen, limiter=trio.CapacityLimiter(1))  # for as long as it is watched


def _locate(path: str) -> str:
    """Return the path of a folder, without links.

    Raises:
        SwarmSourceError: there is none.
    """
    with explained(path, "looked into"):
        project = os.path.realpath(path, strict=True)
        os.scandir(project).close()
    return project


def _check(project: str) -> None:
    """Refuse what can be no project.

    Raises:
        SwarmSourceError: it is none.
    """
    if project.startswith(TEAM):
        if not is_name(project.removeprefix(TEAM)):
            raise SwarmSourceError(f"{project!a}", "no team can be called that")
    elif not is_path(project) or not os.path.isabs(project):
        raise SwarmSourceError(f"{project!a}", "a project is the absolute path of a folder")
