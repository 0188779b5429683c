"""What may be done with tasks: from how they stand to the fields that change. Nothing is done here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from observatory.errors import TaskRefusedError, UnknownNameError
from observatory.swarm.figures import stale_tasks
from observatory.swarm.source import TEAM
from observatory.swarm.values import StoppedStatus, SwarmTask

Fields: TypeAlias = Mapping[str, Any]
"""New values of a task's fields."""

Changes: TypeAlias = Mapping[str, Fields]
"""New values by the task's id."""

_LOOKED_AT, _SHOWN = 1_000, 20
"""Tasks whose ids are compared with one that nothing has, and those that an error names: there may be very many."""

_OVER = frozenset(("completed", "deleted"))


def heal(tasks: Sequence[SwarmTask], id: str, now: datetime, stale_after: timedelta) -> Changes:
    """Let a task that does not go on begin again: it is pending, and nobody's.

    Raises:
        UnknownNameError: there is no such task.
        TaskRefusedError: it does not need that: it is over, waits for its turn, or was heard of not long ago.
    """
    task = _find(tasks, id)
    if task.status in _OVER:
        raise _refusal(task, "there is nothing to be healed")
    if task.status == "pending" and task.owner is None:
        raise _refusal(task, "it waits to be claimed already")
    if task.status == "in_progress" and not stale_tasks([task], now, stale_after):
        raise _refusal(task, f"it was updated within the last {stale_after}; reassign it if its owner is gone")
    return {id: _fields(now, status="pending", owner=None)}


def reassign(tasks: Sequence[SwarmTask], id: str, owner: str, now: datetime) -> Changes:
    """Give a task to somebody else, whatever becomes of it.

    Raises:
        UnknownNameError: there is no such task.
        TaskRefusedError: it is over.
    """
    task = _find(tasks, id)
    if task.status in _OVER:
        raise _refusal(task, "nobody needs to do it any more")
    return {id: _fields(now, owner=owner)}


def reset_stale(tasks: Sequence[SwarmTask], now: datetime, stale_after: timedelta) -> Changes:
    """Let every task in progress begin again of which nothing was heard for so long."""
    return {id: _fields(now, status="pending", owner=None) for id in stale_tasks(tasks, now, stale_after)}


def claim(tasks: Sequence[SwarmTask], id: str, owner: str, now: datetime) -> Changes:
    """Take a task: it is in progress, and the claimant's.

    Raises:
        UnknownNameError: there is no such task.
        TaskRefusedError: somebody else has it, it is no longer pending, or waits for others.
    """
    task = _find(tasks, id)
    if task.status != "pending":
        raise _refusal(task, "only what is pending can be claimed")
    if task.owner not in (None, owner):
        raise _refusal(task, f"it was given to somebody else, and not to {owner!r:.80}")
    status = {other.id: other.status for other in tasks}
    waits_for = [need for need in task.blocked_by if need != id and status.get(need, "deleted") not in _OVER]
    if waits_for:
        raise _refusal(task, f"it waits for {', '.join([f'{need!r:.80}' for need in waits_for[:5]])}")
    return {id: _fields(now, status="in_progress", owner=owner)}


def complete(tasks: Sequence[SwarmTask], id: str, owner: str | None, now: datetime) -> Changes:
    """Mark a task as done.

    Args:
        tasks: all of them.
        id: which.
        owner: who says so; None for somebody who may speak for everybody.
        now: wall time.

    Raises:
        UnknownNameError: there is no such task.
        TaskRefusedError: it is not in progress, or somebody else's.
    """
    _check_own(_find(tasks, id), owner, "complete", "completed")
    return {id: _fields(now, status="completed")}


def stop(
    id: str, status: StoppedStatus, owner: str | None, project: str, tasks: Sequence[SwarmTask], now: datetime
) -> Changes:
    """Mark a task as one that does not go on; it stays its owner's.

    Args:
        id: which.
        status: how it stands from now on.
        owner: who says so; None for somebody who may speak for everybody.
        project: whose they are.
        tasks: all of them.
        now: wall time.

    Raises:
        UnknownNameError: there is no such task.
        TaskRefusedError: it is not in progress, somebody else's, or a team's.
    """
    task = _find(tasks, id)
    _check_own(task, owner, "stop", "stopped")
    if project.startswith(TEAM):
        raise _refusal(
            task, f"tasks of teams cannot be {status}; give it to somebody else, or send its owner a message"
        )
    return {id: _fields(now, status=status)}


def _check_own(task: SwarmTask, owner: str | None, act: str, done: str) -> None:
    if task.status != "in_progress":
        raise _refusal(task, f"only what is in progress can be {done}; claim it first")
    if owner is not None and task.owner != owner:
        raise _refusal(task, f"only its owner can {act} it, and {owner!r:.80} is somebody else")


def _find(tasks: Sequence[SwarmTask], id: str) -> SwarmTask:
    for task in tasks:
        if task.id == id:
            return task
    import difflib  # here, so that `import observatory` is quick

    ids = [task.id for task in tasks[:_LOOKED_AT]]
    raise UnknownNameError("task", id[:80], difflib.get_close_matches(id[:80], ids, n=5) or ids[:_SHOWN])


def _refusal(task: SwarmTask, reason: str) -> TaskRefusedError:
    return TaskRefusedError(task.id, task.status, task.owner, reason)


def _fields(now: datetime, **changed: Any) -> Fields:
    return {**changed, "updated": now.isoformat(timespec="seconds").replace("+00:00", "Z")}
