"""What may be done with tasks: which fields change, and why something is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from observatory import TaskRefusedError, UnknownNameError
from observatory.swarm.actions import claim, complete, heal, reassign, reset_stale
from observatory.swarm.values import SwarmTask

UPDATED = {"updated": "2026-11-21T12:00:00Z"}
AFTER = timedelta(minutes=10)


def changed(**fields: Any) -> Mapping[str, Any]:
    """Return the fields of task `a` that change, and that it is updated now."""
    return {"a": fields | UPDATED}


@pytest.mark.parametrize(
    ("status", "owner"),
    [("in_progress", "x"), ("failed", None), ("blocked", "x"), ("unknown", None), ("pending", "x")],
)
def test_heal(now: datetime, status: str, owner: str | None) -> None:
    """A task that does not go on is pending, and nobody's."""
    assert heal([SwarmTask("a", status, owner=owner)], "a", now, AFTER) == changed(status="pending", owner=None)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("completed", "there is nothing to be healed"),
        ("deleted", "there is nothing to be healed"),
        ("pending", "it waits to be claimed already"),
        ("in_progress", "it was updated within the last 0:10:00; reassign it if its owner is gone"),
    ],
)
def test_heal_what_goes_on(now: datetime, status: str, reason: str) -> None:
    """A task that goes on by itself, or is over, is not healed."""
    with pytest.raises(TaskRefusedError, match=re.escape(reason)):
        heal([SwarmTask("a", status, updated=now - AFTER)], "a", now, AFTER)


@pytest.mark.parametrize("status", ["pending", "in_progress", "failed", "blocked", "unknown"])
def test_reassign(now: datetime, status: str) -> None:
    """A task that is not over is given to somebody else, and stays what it is."""
    assert reassign([SwarmTask("a", status, owner="x")], "a", "y", now) == changed(owner="y")


@pytest.mark.parametrize("status", ["completed", "deleted"])
def test_reassign_what_is_over(now: datetime, status: str) -> None:
    """A task that is over is given to nobody."""
    with pytest.raises(TaskRefusedError, match="nobody needs to do it any more"):
        reassign([SwarmTask("a", status)], "a", "y", now)


def test_reset_stale(now: datetime) -> None:
    """Every task that is stale begins again, and no other."""
    tasks = [SwarmTask("a", "in_progress"), SwarmTask("b", "in_progress", updated=now), SwarmTask("c", "failed")]
    assert reset_stale(tasks, now, AFTER) == changed(status="pending", owner=None)


@pytest.mark.parametrize("owner", [None, "x"])
def test_claim(now: datetime, owner: str | None) -> None:
    """A task that is pending, and nobody's or the claimant's already, is in progress and the claimant's."""
    assert claim([SwarmTask("a", "pending", owner=owner)], "a", "x", now) == changed(status="in_progress", owner="x")


@pytest.mark.parametrize("status", ["in_progress", "completed", "failed", "blocked", "deleted", "unknown"])
def test_claim_what_is_not_pending(now: datetime, status: str) -> None:
    """A task that is not pending is claimed by nobody, whoever has it."""
    with pytest.raises(TaskRefusedError, match="only what is pending can be claimed"):
        claim([SwarmTask("a", status, owner="x")], "a", "x", now)


def test_claim_what_was_given_to_somebody(now: datetime) -> None:
    """A task that was given to somebody is not claimed by another."""
    with pytest.raises(TaskRefusedError, match="it was given to somebody else, and not to 'x'"):
        claim([SwarmTask("a", "pending", owner="y")], "a", "x", now)


@pytest.mark.parametrize("status", ["completed", "deleted"])
def test_claim_what_has_waited(now: datetime, status: str) -> None:
    """A task is claimed once all that it waits for is over, or not there, or itself."""
    tasks = [SwarmTask("a", "pending", blocked_by=("b", "nowhere", "a")), SwarmTask("b", status)]
    assert claim(tasks, "a", "x", now) == changed(status="in_progress", owner="x")


def test_claim_what_waits(now: datetime) -> None:
    """A task that waits for others is not claimed, and those are named."""
    tasks = [SwarmTask("a", "pending", blocked_by=("b", "c")), SwarmTask("b", "failed"), SwarmTask("c", "pending")]
    with pytest.raises(TaskRefusedError, match="it waits for 'b', 'c'"):
        claim(tasks, "a", "x", now)


@pytest.mark.parametrize("owner", [None, "x"])
def test_complete(now: datetime, owner: str | None) -> None:
    """A task in progress is completed by its owner, or by somebody who may speak for everybody."""
    assert complete([SwarmTask("a", "in_progress", owner="x")], "a", owner, now) == changed(status="completed")


@pytest.mark.parametrize("status", ["pending", "completed", "failed", "blocked", "deleted", "unknown"])
def test_complete_what_is_not_in_progress(now: datetime, status: str) -> None:
    """A task that is not in progress is not completed."""
    with pytest.raises(TaskRefusedError, match="only what is in progress can be completed"):
        complete([SwarmTask("a", status)], "a", None, now)


def test_complete_what_is_somebody_elses(now: datetime) -> None:
    """A task is not completed by somebody who does not have it."""
    with pytest.raises(TaskRefusedError, match="'y' is somebody else"):
        complete([SwarmTask("a", "in_progress", owner="x")], "a", "y", now)


def test_task_that_is_not_there(now: datetime) -> None:
    """A task that is not there is not changed, and those that are there are named."""
    with pytest.raises(UnknownNameError) as caught:
        complete([SwarmTask("a", "in_progress"), SwarmTask("b", "pending")], "c", None, now)
    assert (caught.value.kind, caught.value.name, caught.value.known) == ("task", "c", ("a", "b"))
