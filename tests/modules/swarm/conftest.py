"""A SwarmMonitor whose source is the test's own, and lies in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory import Context, PubSub, SwarmMonitor, SwarmSettings, Team, TrioClock
from observatory.errors import SwarmSourceError
from observatory.problems import Problem
from observatory.swarm.source import Edit, Found, SwarmSource


class MemorySource(SwarmSource):
    """Tasks that lie in memory; faults as a test wants them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.teams: dict[str, Team] = {}
        self.problems: list[Problem] = []
        self.places: tuple[str, ...] = ()
        self.broken: dict[str, str] = {}
        self.watched: list[set[str]] = []
        self.deaf = False
        self.reads = 0
        self.changed: Callable[[], None] = lambda: None
        self._turn = trio.Lock()

    def put(self, project: str, *tasks: dict[str, Any]) -> None:
        """Write a project's tasks, and tell nobody."""
        self.files[project] = b"".join(json.dumps(task).encode() + b"\n" for task in tasks)

    def tasks(self, project: str) -> list[Any]:
        """Return a project's tasks."""
        return [json.loads(line) for line in self.files[project].splitlines()]

    async def locate(self, path: str) -> str:
        """Return the path; there is whatever does not begin with `/no`."""
        await trio.lowlevel.checkpoint()
        if path.startswith("/no"):
            raise SwarmSourceError(path, "there is no such folder")
        return path.rstrip("/")

    async def find(self, added: Collection[str]) -> Found:
        """Return what is there; those that were added come first."""
        await trio.lowlevel.checkpoint()
        names = [name for name in dict.fromkeys((*added, *self.files)) if name in self.files]
        stamps = {name: str(hash(self.files[name])) for name in names}
        return Found(tuple(self.teams.values()), stamps, tuple(self.problems), self.places)

    async def read(self, project: str) -> bytes:
        """Return the bytes."""
        await trio.lowlevel.checkpoint()
        self.reads += 1
        if project in self.broken:
            raise SwarmSourceError(project, self.broken[project])
        return self.files[project]

    async def change(self, project: str, edit: Edit) -> bytes:
        """Change the bytes; one after another."""
        async with self._turn:
            if project not in self.files:
                raise SwarmSourceError(project, "there are no tasks")
            data = await trio.to_thread.run_sync(edit, self.files[project])
            self.files[project] = data
            return data

    async def archive(self, team: str) -> None:
        """Put a team aside."""
        await trio.lowlevel.checkpoint()
        if team in self.broken:
            raise SwarmSourceError(team, self.broken[team])
        found = self.teams[team]
        self.teams[team] = Team(found.name, found.members, archived=True)

    async def watch(
        self,
        projects: Collection[str],
        changed: Callable[[], None],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Let `changed` be called by the test."""
        self.watched.append(set(projects))
        if self.deaf:
            raise SwarmSourceError("everything", "nothing is told here")
        self.changed = changed
        task_status.started()
        await trio.sleep_forever()


@pytest.fixture
def source() -> MemorySource:
    """Return a source with no tasks."""
    return MemorySource()


@pytest.fixture
def pubsub() -> PubSub:
    """Return topics."""
    return PubSub()


Make = Callable[..., SwarmMonitor]


@pytest.fixture
def make(tmp_path: Path, source: MemorySource, pubsub: PubSub) -> Make:
    """Return what makes a monitor, with settings."""

    def make(*, follows: bool = False, **settings: Any) -> SwarmMonitor:
        context = Context(tmp_path, TrioClock(), pubsub, None, {}, {})
        return SwarmMonitor(context, settings=SwarmSettings(**settings), source=source, follows=follows)

    return make


@pytest.fixture
async def monitor(make: Make) -> SwarmMonitor:
    """Return a monitor that has to be asked, with one project active."""
    return make(active_project="/work")
