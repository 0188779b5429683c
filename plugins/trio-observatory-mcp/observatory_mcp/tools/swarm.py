"""Tools for tasks, and for who is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from observatory import InvalidInputError, NoActiveProjectError, SwarmState, UnknownNameError
from observatory_mcp.desk import Call
from observatory_mcp.tools.texts import task_of
from observatory_mcp.values import Agents, Present, Task, Tasks
from observatory_mcp.wrapping import NOTICE, tagless

_SCARCE = 1_000
"""Tasks that are returned at most."""


async def get_tasks(
    project: str | None = None,
    status: Literal["pending", "in_progress", "completed", "failed", "blocked", "unknown"] | None = None,
    owner: str | None = None,
    limit: int = 100,
    *,
    call: Call,
) -> Tasks:
    """Return tasks of the swarm, in the order of their files.

    Args:
        project: Of which project, as a call without it returns them; by default of all.
        status: Only those that are this.
        owner: Only those of this agent.
        limit: How many at most, 1 to 1000.
    """
    if not 1 <= limit <= _SCARCE:
        raise InvalidInputError("limit", f"expected 1 to {_SCARCE}, got {limit}")
    state = await call.desk.client.swarm.get_state()
    found = [
        (task, name)
        for name in _chosen(state, project)
        for task in state.projects[name].tasks
        if status in (None, task.status) and owner in (None, task.owner)
    ]
    return Tasks(
        NOTICE, tuple(task_of(task, name) for task, name in found[:limit]), len(found[limit:]), tuple(state.projects)
    )


async def claim_task(task_id: str, project: str | None = None, *, call: Call) -> Task:
    """Take a task that is pending and waits for nothing; of several agents who do so at once one gets it.

    Args:
        task_id: The task's id.
        project: Whose task; needed where there are several projects and none is the active one.
    """
    where = await _one(call, project)
    return task_of(await call.desk.client.swarm.claim_task(task_id, call.desk.agent, project=where), where)


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
    return task_of(task, where)


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
