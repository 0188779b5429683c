"""Saying that a task that is in progress does not go on."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from observatory import InvalidInputError, SwarmMonitor, TaskRefusedError
from tests.modules.swarm.test_actions import NOW, clock as clock, task


@pytest.mark.parametrize("status", ["failed", "blocked"])
async def test_stop(source: Any, monitor: SwarmMonitor, clock: MockClock, status: Any) -> None:
    """It has failed or is blocked, stays its owner's, and can begin again."""
    source.put("/work", task("a", "in_progress", owner="ann"))
    assert (await monitor.stop_task("a", status, "ann")).status == status
    assert source.tasks("/work") == [task("a", status, owner="ann", updated=NOW)]
    assert (await monitor.heal_task("a")).status == "pending"


@pytest.mark.parametrize("status", ["completed", "pending", "", None, ["failed"]])
async def test_stop_as_what_it_cannot_be(source: Any, monitor: SwarmMonitor, status: Any) -> None:
    """Nothing else can be said of it so."""
    source.put("/work", task("a", "in_progress", owner="ann"))
    with pytest.raises(InvalidInputError, match="status: expected 'failed' or 'blocked', got"):
        await monitor.stop_task("a", status)


@pytest.mark.parametrize(
    ("status", "words"), [("pending", "claim it first"), ("in_progress", "only its owner can stop it, and 'bob'")]
)
async def test_stop_refused(source: Any, monitor: SwarmMonitor, status: str, words: str) -> None:
    """Neither what nobody has begun nor what somebody else does."""
    source.put("/work", task("a", status, owner="ann"))
    with pytest.raises(TaskRefusedError, match=words):
        await monitor.stop_task("a", "failed", "bob")


async def test_stop_a_task_of_a_team(source: Any, monitor: SwarmMonitor) -> None:
    """Teams know no such tasks, and would not read them."""
    source.put("team:blue", task("a", "in_progress", owner="ann"))
    with pytest.raises(TaskRefusedError, match="tasks of teams cannot be blocked"):
        await monitor.stop_task("a", "blocked", "ann", project="team:blue")
