"""How it goes: counts, tasks that nobody seems to work at, who gets into whose way, how far it is."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from observatory.swarm.values import BlockedChain, FileConflict, Pipeline, Remaining, SwarmTask, Team

if TYPE_CHECKING:
    from observatory.swarm.graph import Graph

STALE_AFTER = timedelta(minutes=10)
"""How long a task may be in progress without an update."""

_STUCK = frozenset(("failed", "blocked", "unknown"))


def counts_of(tasks: Sequence[SwarmTask]) -> Mapping[str, int]:
    """Return how many tasks there are of each status."""
    return dict(Counter([task.status for task in tasks]))


def stale_tasks(tasks: Sequence[SwarmTask], now: datetime, after: timedelta = STALE_AFTER) -> tuple[str, ...]:
    """Return the ids of tasks in progress of which nothing was heard for longer, or never."""
    since = now - after
    return tuple(
        [task.id for task in tasks if task.status == "in_progress" and (task.updated is None or task.updated < since)]
    )


def file_conflicts(tasks: Sequence[SwarmTask]) -> tuple[FileConflict, ...]:
    """Return the files that several tasks in progress change, by path."""
    by_path: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for task in tasks:
        if task.status == "in_progress":
            for path in task.files:
                by_path[posixpath.normpath(path)][task.id] = None
    return tuple([FileConflict(path, tuple(ids)) for path, ids in sorted(by_path.items()) if len(ids) > 1])


def blocked_chains(tasks: Sequence[SwarmTask], graph: Graph) -> tuple[BlockedChain, ...]:
    """Return what waits for tasks that do not go on by themselves, by those, in the order of lines."""
    in_cycle = {place for cycle in graph.cycles for place in cycle}
    waiting: dict[int, list[str]] = {}  # by the task that is waited for
    is_open = [task.status != "completed" for task in tasks]
    for place, task in enumerate(tasks):
        if task.status in _STUCK or (place in in_cycle and is_open[place]):
            waiting[place] = []
    if not waiting:
        return ()
    roots = [-1] * len(tasks)
    for place in waiting:
        roots[place] = place
    for place in graph.order:
        if is_open[place] and place not in waiting:
            held_up = [roots[need] for need in graph.needs[place] if roots[need] >= 0]
            if held_up:
                roots[place] = root = min(held_up)
                waiting[root].append(tasks[place].id)
    chains = []
    for root, names in waiting.items():
        status = tasks[root].status
        if names or root in in_cycle:
            chains.append(BlockedChain(tasks[root].id, status if status in _STUCK else "cycle", tuple(names)))
    return tuple(chains)


def progress_of(tasks: Sequence[SwarmTask]) -> float:
    """Return how much is completed, from 0 to 1; 1 when there is nothing to do."""
    return sum([task.status == "completed" for task in tasks]) / len(tasks) if tasks else 1.0


def remaining_of(tasks: Sequence[SwarmTask], graph: Graph) -> Remaining:
    """Return what is left to do, and how long that takes if it goes on as it went."""
    left = [place for place, task in enumerate(tasks) if _is_open(task)]
    waves = {graph.levels[place] for place in left}
    moments = [task.updated for task in tasks if task.status == "completed" and task.updated is not None]
    seconds = None
    if len(moments) > 1 and (span := (max(moments) - min(moments)).total_seconds()) > 0:
        seconds = span / (len(moments) - 1) * len(left)
    return Remaining(len(left), len(waves), seconds)


def is_over(team: Team, tasks: Pipeline | None) -> bool:
    """Return whether a team that was not put aside yet has completed its own tasks, of which it had some, and rests."""
    if team.archived or tasks is None or not tasks.total:
        return False
    return tasks.remaining.tasks == 0 and not any(member.active for member in team.members)


def _is_open(task: SwarmTask) -> bool:
    return task.status != "completed"
