"""SwarmMonitor: how the tasks of a swarm stand, and what is done about them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import attrs
import trio

from observatory.abc import Context, Module
from observatory.arguments import check_name
from observatory.checks import Finding
from observatory.errors import NoActiveProjectError
from observatory.problems import Problem
from observatory.security import Identity
from observatory.settings import SwarmSettings
from observatory.swarm import actions, figures
from observatory.swarm.checking import acting_as, check_owner, check_path, check_stopped, seconds
from observatory.swarm.source import TEAM, SwarmSource
from observatory.swarm.values import Concern, StoppedStatus, SwarmState, SwarmTask
from observatory.swarm.watching import POLL, Watch

if TYPE_CHECKING:
    from observatory.swarm.pipeline import Reading

TOPIC = "swarm:update"

_Decide: TypeAlias = Callable[[Sequence[SwarmTask], datetime], actions.Changes]  # or raises; in a worker thread


class SwarmMonitor(Module):
    """The tasks of a swarm, by project; told on topic `swarm:update` when something has changed.

    Args:
        context: what every module is handed.
        settings: which projects there are besides those of teams, and what counts as stale.
        source: where tasks are kept.
        follows: whether it looks by itself; else somebody has to `refresh` it.
    """

    exposes: ClassVar = (
        "get_state",
        "refresh",
        "heal_task",
        "reassign_task",
        "reset_all_stale",
        "claim_task",
        "complete_task",
        "stop_task",
        "add_project",
        "set_active_project",
        "collect_garbage",
    )

    def __init__(self, context: Context, *, settings: SwarmSettings, source: SwarmSource, follows: bool) -> None:
        self._clock = context.clock
        self._pubsub = context.pubsub
        self._source = source
        self._follows = follows
        self._stale_after = timedelta(seconds=settings.stale_after)
        self._active = settings.active_project and os.path.realpath(settings.active_project)
        self._added = dict.fromkeys([*map(os.path.realpath, settings.projects), *filter(None, [self._active])])
        self._table: dict[str, Reading] = {}
        self._stamps: dict[str, str] = {}  # of what stands in the table
        self._watch = Watch(source, lambda: self._news.set())
        self._state = SwarmState(None, {}, (), ())
        self._health: dict[str, Sequence[Concern]] = {}  # by check
        self._turn = trio.Lock()  # of those who look
        self._news = trio.Event()  # something may have changed

    def get_state(self) -> SwarmState:
        """Return how everything stands."""
        return self._state

    async def refresh(self) -> SwarmState:
        """Look at everything now, and return how it stands."""
        from observatory.swarm import pipeline  # here, so that `import observatory` is quick

        async with self._turn:
            found = await self._source.find(tuple(self._added))
            changed, failed = await self._source.read_changed(found, self._stamps)
            kept = {project: reading for project, reading in self._table.items() if project in found.projects}
            now = self._clock.now()
            table = await trio.to_thread.run_sync(pipeline.advanced, kept, changed, now, self._stale_after)
            self._table = {name: table[name] for name in found.projects if name in table and name not in failed}
            self._follow({project: found.projects[project] for project in self._table}, found.places)
            problems = [Problem(project, None, reason) for project, reason in failed.items()]
            self._tell(attrs.evolve(self._state, teams=found.teams, problems=(*found.problems, *problems)))
        return self._state

    async def add_project(self, path: str, *, identity: Identity | None = None) -> str:
        """Look after the tasks of a project besides those in which teams work; return what it is known by.

        Raises:
            InvalidInputError: the path is none.
            SwarmSourceError: there is no such folder.
            ForbiddenError: an agent asks, over a door.
        """
        check_owner(identity)
        project = await self._located(path)
        self._added[project] = None
        await self.refresh()
        return project

    async def set_active_project(self, path: str | None, *, identity: Identity | None = None) -> str | None:
        """Say which project actions are about that name none; return what it is known by.

        Raises:
            What `add_project` raises.
        """
        check_owner(identity)
        project = None if path is None else await self._located(path)
        if project is not None:
            self._added[project] = None
        self._active = project
        await self.refresh()
        return project

    async def heal_task(self, id: str, *, project: str | None = None, identity: Identity | None = None) -> SwarmTask:
        """Let a task that does not go on begin again: it is pending, and nobody's.

        Raises:
            NoActiveProjectError: no project is named, and none is active.
            UnknownNameError: there is no such task.
            TaskRefusedError: it is over, waits for its turn, or was heard of not long ago.
            SwarmSourceError: the tasks cannot be read or written, or somebody else has changed them meanwhile.
            ForbiddenError: an agent names a folder, over a door, that nobody looks after.
        """
        after = self._stale_after
        [task] = await self._change(project, identity, lambda tasks, now: actions.heal(tasks, id, now, after))
        return task

    async def reassign_task(
        self, id: str, owner: str, *, project: str | None = None, identity: Identity | None = None
    ) -> SwarmTask:
        """Give a task to somebody else.

        Raises:
            InvalidInputError: the owner's name is none.
            TaskRefusedError: it is over; and what `heal_task` raises.
        """
        check_name("owner", owner)
        [task] = await self._change(project, identity, lambda tasks, now: actions.reassign(tasks, id, owner, now))
        return task

    async def reset_all_stale(
        self, threshold: float | None = None, *, project: str | None = None, identity: Identity | None = None
    ) -> tuple[SwarmTask, ...]:
        """Let every task in progress begin again of which nothing was heard for so long.

        Args:
            threshold: seconds; by default `[swarm] stale_after`.
            project: whose tasks; by default the active one's.
            identity: who asks.

        Raises:
            InvalidInputError: the threshold is no number of seconds; and what `heal_task` raises.
        """
        after = self._stale_after if threshold is None else seconds(threshold)
        return await self._change(project, identity, lambda tasks, now: actions.reset_stale(tasks, now, after))

    async def claim_task(
        self, id: str, owner: str, *, project: str | None = None, identity: Identity | None = None
    ) -> SwarmTask:
        """Take a task that is pending and waits for nothing; of several who do so one gets it.

        Raises:
            InvalidInputError: the owner's name is none.
            TaskRefusedError: somebody else has it, or it waits for others; and what `heal_task` raises.
            ForbiddenError: an agent acts as somebody else.
        """
        check_name("owner", owner)
        acting_as(identity, owner)
        [task] = await self._change(project, identity, lambda tasks, now: actions.claim(tasks, id, owner, now))
        return task

    async def complete_task(
        self, id: str, owner: str | None = None, *, project: str | None = None, identity: Identity | None = None
    ) -> SwarmTask:
        """Mark a task in progress as done; with an owner only if it is theirs, and an agent always its own.

        Raises:
            TaskRefusedError: it is not in progress, or somebody else's; and what `claim_task` raises.
        """
        owner = acting_as(identity, owner)
        [task] = await self._change(project, identity, lambda tasks, now: actions.complete(tasks, id, owner, now))
        return task

    async def stop_task(
        self,
        id: str,
        status: StoppedStatus,
        owner: str | None = None,
        *,
        project: str | None = None,
        identity: Identity | None = None,
    ) -> SwarmTask:
        """Say that a task in progress has `failed` or is `blocked`; who may say so is as with `complete_task`.

        It stays its owner's until it is healed or reassigned. Tasks of teams can be neither.

        Raises:
            What `complete_task` raises.
        """
        check_stopped(status)
        owner = acting_as(identity, owner)
        where = await self._chosen(project, identity)
        [task] = await self._change(where, identity, partial(actions.stop, id, status, owner, where))
        return task

    async def collect_garbage(self, *, identity: Identity | None = None) -> tuple[str, ...]:
        """Put aside the teams that have completed all their tasks, and of whom nobody is at work; return their names.

        Raises:
            SwarmSourceError: one cannot be moved; those before it were.
            ForbiddenError: an agent asks for it, over a door.
        """
        check_owner(identity)
        state = await self.refresh()
        over = [team.name for team in state.teams if figures.is_over(team, state.projects.get(TEAM + team.name))]
        try:
            for name in over:
                await self._source.archive(name)
        finally:
            self._news.set()
        await self.refresh()
        return tuple(over)

    def note_health(self, check: str, found: Sequence[Finding]) -> None:
        """Take what a check has found in its round."""
        self._health[check] = [Concern(check, one.subject, one.problem, one.remedy) for one in found]
        self._tell(self._state)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow what happens to tasks and teams, until cancelled."""
        task_status.started()
        if not self._follows:
            await trio.sleep_forever()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch.run)
            while True:
                self._news = trio.Event()
                await self.refresh()
                with trio.move_on_after(POLL):
                    await self._news.wait()

    def _follow(self, stamps: Mapping[str, str], places: Iterable[str]) -> None:
        self._watch.follow([*stamps, *places])
        self._stamps = dict(stamps)

    async def _change(self, project: str | None, identity: Identity | None, decide: _Decide) -> tuple[SwarmTask, ...]:
        """Change tasks of a project; return those that were."""
        from observatory.swarm import pipeline  # here, as above

        where = await self._chosen(project, identity)
        now = self._clock.now()  # the clock belongs to this thread
        known = self._table.get(where)
        changes: actions.Changes = {}

        def edit(data: bytes) -> bytes:
            nonlocal changes
            data, changes = pipeline.changed_by(lambda tasks: decide(tasks, now), data, where, known)
            return data

        data = await self._source.change(where, edit)
        async with self._turn:
            advance = partial(pipeline.advanced, self._table, {where: data}, self._clock.now(), self._stale_after)
            self._table = await trio.to_thread.run_sync(advance)
            self._stamps[where] = ""  # whatever it is by now, it is read again
            self._tell(self._state)
            return tuple([task for task in self._table[where].parsed.tasks if task.id in changes])

    def _tell(self, state: SwarmState) -> None:
        """Take what was found; tell of it if it is something else than before."""
        projects = {project: reading.pipeline for project, reading in self._table.items()}
        health = tuple([concern for concerns in self._health.values() for concern in concerns])
        state = attrs.evolve(state, active_project=self._active, projects=projects, health=health)
        if state != self._state:
            self._state = state
            size = sum([len(reading.parsed.data) for reading in self._table.values()])
            self._pubsub.publish(TOPIC, state, size=size)

    async def _chosen(self, project: str | None, identity: Identity | None) -> str:
        if project is None:
            await trio.lowlevel.checkpoint()
            if self._active is None:
                raise NoActiveProjectError(self._table)
            return self._active
        where = project if isinstance(project, str) and project.startswith(TEAM) else await self._located(project)
        if where not in self._table:
            check_owner(identity)
        return where

    async def _located(self, path: str) -> str:
        check_path(path)
        return await self._source.locate(path)
