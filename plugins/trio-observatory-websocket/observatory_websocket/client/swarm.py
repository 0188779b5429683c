"""What is asked about the tasks of the swarm: the module `SwarmMonitor`, as any module that exposes something."""

from __future__ import annotations

from typing import Any, Literal

from observatory import SwarmClient, SwarmState, SwarmTask, from_wire
from observatory_websocket.client.calls import Again, Calls


class WebSocketSwarm(SwarmClient):
    """The swarm that a service watches.

    Args:
        calls: what is asked.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def get_state(self) -> SwarmState:
        """Look at everything now, and return how it stands."""
        return from_wire(await self._ask("refresh", again=Again.YES), SwarmState)

    async def add_project(self, path: str) -> str:
        """Look after the tasks of a project; return what it is known by."""
        known_by: str = await self._ask("add_project", again=Again.YES, path=path)
        return known_by

    async def set_active_project(self, path: str | None) -> str | None:
        """Say which project actions are about that name none; return what it is known by."""
        known_by: str | None = await self._ask("set_active_project", path=path)
        return known_by

    async def heal_task(self, id: str, *, project: str | None = None) -> SwarmTask:
        """Let a task that does not go on begin again."""
        return from_wire(await self._ask("heal_task", id=id, project=project), SwarmTask)

    async def reassign_task(self, id: str, owner: str, *, project: str | None = None) -> SwarmTask:
        """Give a task to somebody else."""
        return from_wire(await self._ask("reassign_task", id=id, owner=owner, project=project), SwarmTask)

    async def reset_all_stale(
        self, threshold: float | None = None, *, project: str | None = None
    ) -> tuple[SwarmTask, ...]:
        """Let every task in progress begin again of which nothing was heard for so long."""
        tasks = await self._ask("reset_all_stale", threshold=threshold, project=project)
        return from_wire(tasks, tuple[SwarmTask, ...])

    async def claim_task(self, id: str, owner: str, *, project: str | None = None) -> SwarmTask:
        """Take a task that is pending and waits for nothing."""
        return from_wire(await self._ask("claim_task", id=id, owner=owner, project=project), SwarmTask)

    async def complete_task(self, id: str, owner: str | None = None, *, project: str | None = None) -> SwarmTask:
        """Mark a task in progress as done."""
        return from_wire(await self._ask("complete_task", id=id, owner=owner, project=project), SwarmTask)

    async def stop_task(
        self, id: str, status: Literal["failed", "blocked"], owner: str | None = None, *, project: str | None = None
    ) -> SwarmTask:
        """Say that a task in progress does not go on: it has `failed`, or is `blocked`."""
        task = await self._ask("stop_task", id=id, status=status, owner=owner, project=project)
        return from_wire(task, SwarmTask)

    async def collect_garbage(self) -> tuple[str, ...]:
        """Put teams aside that are done; return their names."""
        return tuple(await self._ask("collect_garbage"))

    async def _ask(self, method: str, *, again: Again = Again.NO, **params: Any) -> Any:
        called = {"module": "SwarmMonitor", "method": method, "params": params}
        return await self._calls.ask("modules.call", called, again=again)
