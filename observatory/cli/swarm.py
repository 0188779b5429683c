"""`observatory swarm`: how the tasks of a swarm stand, and what is done about them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import attrs
import trio
from cyclopts import App, Parameter

from observatory import SwarmClient, SwarmTask, to_wire
from observatory.cli.endings import OK
from observatory.cli.options import DASHED, ListingOptions
from observatory.cli.output import counted, note, print_json, print_table
from observatory.cli.reaching import in_time, reached_or_opened
from observatory.cli.swarm_view import SwarmView

swarm = App(name="swarm", help="Show how the tasks of the swarm stand, and do something about them.")

_TASKS = "tasks.jsonl"
_BETWEEN = 1.0
"""Seconds between two looks."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SwarmOptions(ListingOptions):
    """The same, and which project."""

    project: Annotated[
        str | None, Parameter(help="Folder of the project; by default this one, if it has a `tasks.jsonl`.")
    ] = None

    def where(self) -> str | None:
        """Return the project that is meant; None for the one that is active where the command is carried out."""
        if self.project is not None:
            return os.path.abspath(self.project) if not self.project.startswith("team:") else self.project
        return os.getcwd() if os.path.exists(_TASKS) else None


@swarm.default
async def show(
    *,
    watch: Annotated[bool, Parameter(negative="")] = False,
    options: SwarmOptions = SwarmOptions(),
) -> int:
    """Show waves, who does what, what is stale, in conflict or held up, and the critical path.

    On a terminal for people; else one line for each thing, which begins with what it is: project, task, critical,
    stale, conflict, blocked, cycle, problem.

    Args:
        watch: Go on, and show it anew when something has changed, until Ctrl-C.
        options: Of which root, and which project; where none is meant, of all.
    """
    where = options.where()
    view = SwarmView(where, json=options.json)
    async with _asked(options) as client:
        if where is not None and not where.startswith("team:"):
            view.only = await in_time(client.add_project, where)
        view.show(await in_time(client.get_state))
        while watch:
            await trio.sleep(_BETWEEN)
            view.show(await in_time(client.get_state))
    return OK


@swarm.command
async def heal(
    id: Annotated[str, DASHED],
    /,
    *,
    options: SwarmOptions = SwarmOptions(),
) -> int:
    """Let a task that does not go on begin again: it is pending, and nobody's.

    Args:
        id: The task's id.
        options: Of which root, and which project.
    """
    async with _asked(options) as client:
        _print([await in_time(client.heal_task, id, project=options.where())], options)
    return OK


@swarm.command
async def reassign(
    id: Annotated[str, DASHED],
    owner: Annotated[str, DASHED],
    /,
    *,
    options: SwarmOptions = SwarmOptions(),
) -> int:
    """Give a task to somebody else.

    Args:
        id: The task's id.
        owner: Who does it from now on.
        options: Of which root, and which project.
    """
    async with _asked(options) as client:
        _print([await in_time(client.reassign_task, id, owner, project=options.where())], options)
    return OK


@swarm.command
async def claim(
    id: Annotated[str, DASHED],
    owner: Annotated[str, DASHED],
    /,
    *,
    options: SwarmOptions = SwarmOptions(),
) -> int:
    """Take a task that is pending and waits for nothing; of several who do so at once one gets it.

    Args:
        id: The task's id.
        owner: Who takes it.
        options: Of which root, and which project.
    """
    async with _asked(options) as client:
        _print([await in_time(client.claim_task, id, owner, project=options.where())], options)
    return OK


@swarm.command
async def complete(
    id: Annotated[str, DASHED],
    owner: Annotated[str | None, DASHED] = None,
    /,
    *,
    options: SwarmOptions = SwarmOptions(),
) -> int:
    """Mark a task in progress as done.

    Args:
        id: The task's id.
        owner: Who says so; then only if the task is theirs.
        options: Of which root, and which project.
    """
    async with _asked(options) as client:
        _print([await in_time(client.complete_task, id, owner, project=options.where())], options)
    return OK


@swarm.command
async def stop(
    id: Annotated[str, DASHED],
    status: Literal["failed", "blocked"],
    owner: Annotated[str | None, DASHED] = None,
    /,
    *,
    options: SwarmOptions = SwarmOptions(),
) -> int:
    """Say that a task in progress does not go on; `heal` lets it begin again.

    Args:
        id: The task's id.
        status: How it stands from now on.
        owner: Who says so; then only if the task is theirs.
        options: Of which root, and which project.
    """
    async with _asked(options) as client:
        _print([await in_time(client.stop_task, id, status, owner, project=options.where())], options)
    return OK


@swarm.command
async def reset_stale(
    *,
    threshold: float | None = None,
    options: SwarmOptions = SwarmOptions(),
) -> int:
    """Let every task in progress begin again of which nothing was heard for long.

    Args:
        threshold: For so many seconds; by default `stale_after` of the settings.
        options: Of which root, and which project.
    """
    async with _asked(options) as client:
        tasks = await in_time(client.reset_all_stale, threshold, project=options.where())
    _print(tasks, options)
    note(f"{counted(len(tasks), 'task')} pending again")
    return OK


@swarm.command
async def gc(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """Put teams aside that have completed all their tasks; nothing is deleted.

    Args:
        options: Of which root.
    """
    async with _asked(options) as client:
        names = await in_time(client.collect_garbage)
    for name in names:
        print_json({"team": name}) if options.json else print_table(("Team",), [(name,)])
    note(f"{counted(len(names), 'team')} put aside")
    return OK


@asynccontextmanager
async def _asked(options: ListingOptions) -> AsyncIterator[SwarmClient]:
    """Reach the swarm of a root: by the service that runs there, or else by its files."""
    async with reached_or_opened(options.settings(), recover=()) as client:
        yield client.swarm


def _print(tasks: Iterable[SwarmTask], options: ListingOptions) -> None:
    if options.json:
        for task in tasks:
            print_json(to_wire(task))
    else:
        rows = [(task.id, task.status, task.owner or "-", task.subject) for task in tasks]
        print_table(("Task", "Status", "Owner", "Subject"), rows)
