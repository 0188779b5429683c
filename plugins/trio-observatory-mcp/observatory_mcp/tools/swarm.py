"""Tools for tasks, and for who is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

from observatory import InvalidInputError, NoActiveProjectError, SwarmState, SwarmTask, UnknownNameError
from observatory_mcp.desk import Call
from observatory_mcp.tools.texts import size_of_task, task_of
from observatory_mcp.values import Agents, Present, Task, Tasks
from observatory_mcp.wrapping import NOTICE, tagless

_SCARCE = 1_000
"""Tasks that are returned at most."""
_MARK = 12
"""Digits of each of the two that make up a place among tasks."""

_is_place = re.compile(f"[0-9a-f]{{{2 * _MARK}}}").fullmatch


async def get_tasks(
    project: str | None = None,
    status: Literal["pending", "in_progress", "completed", "failed", "blocked", "unknown"] | None = None,
    owner: str | None = None,
    limit: int = 100,
    max_chars: int | None = None,
    after: str | None = None,
    *,
    call: Call,
) -> Tasks:
    """Return tasks of the swarm, in the order of their files, as many as there is room for.

    Args:
        project: Of which project, as a call without it returns them; by default of all.
        status: Only those that are this.
        owner: Only those of this agent.
        limit: How many at most, 1 to 1000.
        max_chars: How many characters of them at most, 200 to 1,048,576; the first one is cut where it has more.
        after: What a call with the same project, status and owner returned as `next`, to go on where it ended.
    """
    if not 1 <= limit <= _SCARCE:
        raise InvalidInputError("limit", f"expected 1 to {_SCARCE}, got {limit}")
    room = call.desk.room(max_chars)
    state = await call.desk.client.swarm.get_state()
    everything = [(name, task) for name in _chosen(state, project) for task in state.projects[name].tasks]
    found = [
        (name, task)
        for name, task in everything[_start(everything, after) :]
        if status in (None, task.status) and owner in (None, task.owner)
    ]
    told: list[Task] = []
    for name, task in found[:limit]:
        one = task_of(task, name, at_most=room)
        if told and (one.truncated or size_of_task(one) > room):
            break
        told.append(one)
        room = max(0, room - size_of_task(one))
    rest = found[len(told) :]
    following = _mark(found[len(told) - 1]) + _mark(rest[0]) if rest else None
    return Tasks(NOTICE, tuple(told), len(rest), following, tuple(state.projects))


def _mark(place: tuple[str, SwarmTask]) -> str:
    """Return what a task is found by again, wherever its file has it by then, and whatever has become of it."""
    name, task = place
    return blake2b(f"{name}\0{task.id}".encode(), digest_size=_MARK // 2).hexdigest()


def _start(everything: Sequence[tuple[str, SwarmTask]], after: str | None) -> int:
    """Return where to go on: behind the last task that was told, or else with the one that was to follow.

    Raises:
        InvalidInputError: it is not what was returned, or neither of the two is there any more.
    """
    if after is None:
        return 0
    if not _is_place(after):
        raise InvalidInputError("after", f"expected what a call has returned as `next`, got {after!r:.80}")
    places = {mark: number for number, mark in enumerate(map(_mark, everything))}
    last, following = places.get(after[:_MARK]), places.get(after[_MARK:])
    if last is not None and (following is None or last < following):
        return last + 1
    if following is None:
        raise InvalidInputError("after", "the tasks between which that was are gone; begin again, without it")
    return following


async def claim_task(task_id: str, project: str | None = None, *, call: Call) -> Task:
    """Take a task that is pending and waits for nothing; of several agents who do so at once one gets it.

    Args:
        task_id: The task's id.
        project: Whose task; needed where there are several projects and none is the active one.
    """
    where = await _one(call, project)
    task = await call.desk.client.swarm.claim_task(task_id, call.desk.agent, project=where)
    return task_of(task, where, at_most=call.desk.room(None))


async def update_task_status(
    task_id: str,
    status: Literal["in_progress", "completed", "failed", "blocked", "pending"],
    project: str | None = None,
    *,
    call: Call,
) -> Task:
    """Say how a task stands: that you do it, have done it, cannot do it, cannot go on, or that it is to begin again.

    Only a task of yours, which is in progress, can be completed, fail or be blocked. One begins again, and is nobody's,
    when it has failed, is blocked, or nothing was heard of it for long.

    Args:
        task_id: The task's id.
        status: What it is from now on.
        project: Whose task; needed where there are several projects and none is the active one.
    """
    where = await _one(call, project)
    swarm = call.desk.client.swarm
    if status == "in_progress":
        task = await swarm.claim_task(task_id, call.desk.agent, project=where)
    elif status == "completed":
        task = await swarm.complete_task(task_id, call.desk.agent, project=where)
    elif status == "pending":
        task = await swarm.heal_task(task_id, project=where)
    else:
        task = await swarm.stop_task(task_id, status, call.desk.agent, project=where)
    return task_of(task, where, at_most=call.desk.room(None))


async def list_agents(*, call: Call) -> Agents:
    """Return the agents that are known: to whom you can send messages, and whether they are there."""
    agents = await call.desk.client.presence.list_agents()
    return Agents(call.desk.agent, tuple(Present(tagless(one.name), one.status, one.last_seen) for one in agents))


async def _one(call: Call, project: str | None) -> str:
    """Return the project that is meant: one that is looked after, whatever else the client might reach.

    Raises:
        UnknownNameError: it is none of them.
        NoActiveProjectError: none is named, and it is not clear which is meant.
    """
    state = await call.desk.client.swarm.get_state()
    if project is None:
        project = call.desk.project or state.active_project
    chosen = _chosen(state, project)
    if len(chosen) != 1:
        raise NoActiveProjectError(chosen)
    return chosen[0]


def _chosen(state: SwarmState, project: str | None) -> Sequence[str]:
    if project is None:
        return list(state.projects)
    if project not in state.projects:
        raise UnknownNameError("project", project, state.projects)
    return [project]
