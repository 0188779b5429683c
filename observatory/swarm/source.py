"""Where the tasks of a swarm are kept: what a monitor reads, and has written. The module itself touches no file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

import attrs
import trio

from observatory.errors import SwarmSourceError
from observatory.problems import Problem
from observatory.swarm.values import Team

TEAM = "team:"
"""What the names of projects begin with that are tasks which a team keeps by itself."""

Edit: TypeAlias = Callable[[bytes], bytes]
"""Returns a file's bytes as they shall be; called in a worker thread. It raises what keeps it from doing so."""


@attrs.frozen
class Found:
    """What there is to be read."""

    teams: tuple[Team, ...]
    """Every team, by name; those that were archived behind the others."""
    projects: Mapping[str, str]
    """A stamp for each project, which changes when its tasks may have changed: projects that were added first, then
    those of teams, then the teams' own tasks, `team:NAME`."""
    problems: tuple[Problem, ...]
    """What was found to be wrong."""
    places: tuple[str, ...] = ()
    """Folders in which members of teams work and there are no tasks yet: to be watched, for they may come."""


class SwarmSource(ABC):
    """Reads and writes the tasks of a swarm.

    A project is known by the path of its root, as `os.path.realpath` gives it. The tasks that a team keeps by itself
    are a project, too, which is only read: `team:NAME`.
    """

    @abstractmethod
    async def locate(self, path: str) -> str:
        """Return what the project is known by that lies in a folder.

        Raises:
            SwarmSourceError: there is no such folder.
        """

    @abstractmethod
    async def find(self, added: Collection[str]) -> Found:
        """Look what there is: a few system calls for each project, and no file is read that has not changed.

        Args:
            added: projects besides those in which teams work.
        """

    @abstractmethod
    async def read(self, project: str) -> bytes:
        """Return the tasks of a project, one JSON object a line; nothing where there are none.

        Raises:
            SwarmSourceError: they cannot be read.
        """

    async def read_changed(
        self, found: Found, stamps: Mapping[str, str]
    ) -> tuple[Mapping[str, bytes], Mapping[str, str]]:
        """Read the projects whose stamps are others than before; return, too, which cannot be read, and why."""
        changed: dict[str, bytes] = {}
        failed: dict[str, str] = {}
        for project, stamp in found.projects.items():
            if stamps.get(project) != stamp:
                try:
                    changed[project] = await self.read(project)
                except SwarmSourceError as error:
                    failed[project] = error.reason
        return changed, failed

    @abstractmethod
    async def change(self, project: str, edit: Edit) -> bytes:
        """Change the tasks of a project, as one change: while others who do so by this way wait for their turn.

        Cancelled, it has happened or not; then, as always, as a whole.

        Args:
            project: which.
            edit: is handed the bytes that are there now, and returns those that shall be there.

        Returns:
            What is there now.

        Raises:
            SwarmSourceError: they cannot be read or written, are only read, or were changed by somebody else meanwhile.
            What `edit` raises; then nothing has happened.
        """

    @abstractmethod
    async def archive(self, team: str) -> None:
        """Put a team's folders aside, where `find` still sees them; nothing is deleted.

        Raises:
            SwarmSourceError: there is no such team, or it cannot be moved.
        """

    @abstractmethod
    async def watch(
        self,
        projects: Collection[str],
        changed: Callable[[], None],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Tell when something may have changed in projects, teams, or their tasks, until cancelled.

        Args:
            projects: which; those that are no folders are passed over.
            changed: called in a task when something may have.
            task_status: told once nothing is missed any more.

        Raises:
            SwarmSourceError: the system tells nothing.
        """
