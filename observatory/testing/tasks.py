"""What clients do about the tasks of a swarm."""

from __future__ import annotations

import pytest
import trio

from observatory import Client, Observatory, SwarmTask, TaskRefusedError
from observatory.testing.same import assert_same


async def work_at_tasks(obs: Observatory, client: Client) -> None:
    """Do with tasks whatever a client can, and compare it with what the Observatory knows."""
    await (folder := trio.Path(obs.settings.root / "project")).mkdir()
    tasks = '{"id": "a", "status": "pending"}\n{"id": "b", "status": "in_progress", "blocked_by": ["a"], "x": 1}\n'
    await (folder / "tasks.jsonl").write_text(tasks)
    swarm = client.swarm
    project = await swarm.add_project(str(folder))
    assert_same(await swarm.set_active_project(str(folder)), project)
    assert_same(await swarm.get_state(), obs.swarm.get_state())

    def first() -> SwarmTask:
        return obs.swarm.get_state().projects[project].tasks[0]

    assert_same(await swarm.claim_task("a", "ann"), first())
    assert_same(await swarm.reassign_task("a", "bob", project=project), first())
    assert_same(await swarm.complete_task("a", "bob"), first())
    assert_same([task.id for task in await swarm.reset_all_stale()], ["b"])
    assert_same((await swarm.claim_task("b", "ann")).owner, "ann")
    assert_same([task.status for task in await swarm.reset_all_stale(0.0)], ["pending"])
    assert_same((await swarm.claim_task("b", "ann")).owner, "ann")
    assert_same((await swarm.stop_task("b", "failed")).status, "failed")
    await swarm.heal_task("b", project=project)
    with pytest.raises(TaskRefusedError):
        await swarm.heal_task("b")
    assert_same(await swarm.collect_garbage(), ())
    assert_same(await swarm.set_active_project(None), None)
    assert_same(await swarm.get_state(), obs.swarm.get_state())
