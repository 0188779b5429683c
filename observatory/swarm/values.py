"""The tasks of a swarm, and what is known of them: frozen values without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

import attrs

from observatory.problems import Problem

STATUSES = ("pending", "in_progress", "completed", "failed", "blocked", "deleted")
"""What a task can be. One that is anything else counts as `unknown`."""

Priority: TypeAlias = str | int | float | None

StoppedStatus: TypeAlias = Literal["failed", "blocked"]
"""How a task stands that does not go on."""


@attrs.frozen(weakref_slot=False)
class SwarmTask:
    """One task: a line of `tasks.jsonl`."""

    id: str
    """What it is known by, in its project."""
    status: str
    """`pending`, `in_progress`, `completed`, `failed`, `blocked`, `deleted`, or `unknown` for anything else."""
    subject: str = ""
    """What is to be done, in one line."""
    description: str = ""
    """What is to be done."""
    owner: str | None = None
    """Who does it."""
    priority: Priority = None
    """How urgent it is, as the file says it."""
    blocked_by: tuple[str, ...] = ()
    """Ids of the tasks that have to be completed before."""
    files: tuple[str, ...] = ()
    """Paths that it changes."""
    done_when: str = ""
    """How one sees that it is done."""
    updated: datetime | None = None
    """When it was changed last, else when it was made, as far as the file says; UTC."""
    notes: str = ""
    """What was noted about it."""
    tags: tuple[str, ...] = ()
    """What it is about."""


@attrs.frozen
class BlockedChain:
    """Tasks that wait, directly or through others, for one that does not go on by itself."""

    root: str
    """The one that they wait for."""
    reason: str
    """Why it does not go on: it has `failed`, is `blocked` or `unknown`, or stands in a `cycle`."""
    waiting: tuple[str, ...]
    """The others, none before one that it waits for; one that waits for several roots stands with the first of them."""


@attrs.frozen
class FileConflict:
    """A file that several tasks in progress change."""

    path: str
    """The file."""
    tasks: tuple[str, ...]
    """Their ids."""


@attrs.frozen
class Remaining:
    """What is left to do."""

    tasks: int
    """Tasks that are not completed."""
    waves: int
    """Waves that have such tasks: as often has one to wait for another, however many work at it."""
    seconds: float | None
    """How long that takes if it goes on as it went from the first completed task to the last; None while that says
    nothing."""


@attrs.frozen
class Pipeline:
    """Everything about the tasks of one project."""

    tasks: tuple[SwarmTask, ...]
    """All that were not deleted, in the order of their lines."""
    counts: Mapping[str, int]
    """How many there are of each status, of those deleted too."""
    total: int
    """How many there are that were not deleted."""
    waves: tuple[tuple[str, ...], ...]
    """Ids of all: a task stands one wave behind the last one that it waits for; those of a cycle stand together."""
    edges: tuple[tuple[str, ...], ...]
    """What waits for what: two ids each, of the task that has to be completed first, and of the one that waits."""
    cycles: tuple[tuple[str, ...], ...]
    """Tasks that wait for each other, so that none can ever begin."""
    critical_path: tuple[str, ...]
    """The longest chain of tasks that are still to be completed one after the other."""
    blocked: tuple[BlockedChain, ...]
    """What holds others up."""
    stale: tuple[str, ...]
    """Tasks in progress of which nothing was heard for long."""
    conflicts: tuple[FileConflict, ...]
    """Files that several tasks in progress change."""
    progress: float
    """How much is completed: from 0 to 1; 1 when there is nothing to do."""
    remaining: Remaining
    """What is left."""
    problems: tuple[Problem, ...]
    """What is wrong with the file, as far as they were noted."""
    skipped: int
    """Lines that are no tasks."""


@attrs.frozen
class Member:
    """A member of a team."""

    name: str
    """Its name in the team."""
    agent: str
    """Its name everywhere, `name@team`."""
    cwd: str | None
    """The folder that it works in."""
    active: bool | None
    """Whether it is at work, as far as the team's file says."""


@attrs.frozen
class Team:
    """A team, as its `config.json` says."""

    name: str
    """The name of its folder."""
    members: tuple[Member, ...]
    """Who is in it."""
    archived: bool = False
    """Whether it was put aside."""


@attrs.frozen
class Concern:
    """Something that a check has found in an Observatory that is open."""

    check: str
    """The check's name."""
    subject: str
    """What it is about."""
    problem: str
    """What is wrong with it, in one line."""
    remedy: str
    """The command that mends it, or else what to do, in one line."""


@attrs.frozen
class SwarmState:
    """Everything that is known of a swarm."""

    active_project: str | None
    """The project that actions are about."""
    projects: Mapping[str, Pipeline]
    """How the tasks of each project stand, by the path of its root; what a team keeps by itself as `team:NAME`."""
    teams: tuple[Team, ...]
    """Every team."""
    problems: tuple[Problem, ...]
    """What is wrong with what cannot be read; problems of what can be read stand with their project."""
    health: tuple[Concern, ...] = ()
    """What the checks have found in their last round, by check."""
