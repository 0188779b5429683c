"""Counts, what is stale, who gets into whose way, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import attrs
import pytest
from hypothesis import given, strategies as st

from observatory.swarm.figures import STALE_AFTER, is_over, stale_tasks
from observatory.swarm.values import STATUSES, FileConflict, Member, Pipeline, Remaining, SwarmTask, Team

PipelineOf: TypeAlias = Callable[[Iterable[Mapping[str, Any]]], Pipeline]

SECOND = timedelta(seconds=1)


@given(statuses=st.lists(st.sampled_from(STATUSES)))
def test_counts(pipeline_of: PipelineOf, statuses: list[str]) -> None:
    """Every task is counted with its status; those that were deleted are no part of the total."""
    pipeline = pipeline_of({"id": str(number), "status": status} for number, status in enumerate(statuses))
    assert pipeline.counts == {status: statuses.count(status) for status in set(statuses)}
    assert pipeline.total == len(pipeline.tasks) == len(statuses) - statuses.count("deleted")


@pytest.mark.parametrize(
    ("age", "stale"),
    [(STALE_AFTER + timedelta.resolution, True), (STALE_AFTER, False), (timedelta(), False), (-SECOND, False)],
)
def test_stale_by_age(now: datetime, age: timedelta, stale: bool) -> None:
    """A task in progress is stale once its last update is longer ago than the bound, and not at the bound."""
    task = SwarmTask("a", "in_progress", updated=now - age)
    assert stale_tasks([task], now) == (("a",) if stale else ())


def test_stale_without_a_moment(now: datetime) -> None:
    """A task in progress of which nobody knows when it was updated is stale."""
    assert stale_tasks([SwarmTask("a", "in_progress")], now) == ("a",)


@pytest.mark.parametrize("status", [*STATUSES, "unknown"])
def test_stale_is_what_is_in_progress(now: datetime, status: str) -> None:
    """Only what is in progress can be stale."""
    assert bool(stale_tasks([SwarmTask("a", status)], now)) == (status == "in_progress")


def test_stale_after_another_time(now: datetime) -> None:
    """How long a task may be silent can be said."""
    task = SwarmTask("a", "in_progress", updated=now - 2 * SECOND)
    assert stale_tasks([task], now, SECOND) == ("a",)


def test_conflicts(pipeline_of: PipelineOf) -> None:
    """A file that several tasks in progress change is named with all of them, in the order of lines."""
    pipeline = pipeline_of({"id": id, "status": "in_progress", "files": ["b", "a", id]} for id in ("z", "y"))
    assert pipeline.conflicts == (FileConflict("a", ("z", "y")), FileConflict("b", ("z", "y")))


def test_conflicts_of_paths_that_are_written_differently(pipeline_of: PipelineOf) -> None:
    """Paths that lead to the same file are the same file."""
    pipeline = pipeline_of({"id": path, "status": "in_progress", "files": [path]} for path in ("a/b", "./a//c/../b"))
    assert pipeline.conflicts == (FileConflict("a/b", ("a/b", "./a//c/../b")),)


def test_conflicts_with_oneself(pipeline_of: PipelineOf) -> None:
    """A task that names a file twice is in nobody's way."""
    assert pipeline_of([{"id": "a", "status": "in_progress", "files": ["x", "x"]}]).conflicts == ()


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "in_progress"])
def test_conflicts_are_between_tasks_in_progress(pipeline_of: PipelineOf, status: str) -> None:
    """A task that is not in progress is in nobody's way."""
    tasks = [{"id": "a", "status": "in_progress", "files": ["x"]}, {"id": "b", "status": status, "files": ["x"]}]
    assert pipeline_of(tasks).conflicts == ()


@given(statuses=st.lists(st.sampled_from(STATUSES)))
def test_progress(pipeline_of: PipelineOf, statuses: list[str]) -> None:
    """Progress is the share of what is completed, of what was not deleted; with nothing to do it is whole."""
    pipeline = pipeline_of({"id": str(number), "status": status} for number, status in enumerate(statuses))
    total = len(statuses) - statuses.count("deleted")
    assert pipeline.progress == (statuses.count("completed") / total if total else 1)


def test_remaining_counts_open_tasks_and_their_waves(pipeline_of: PipelineOf) -> None:
    """What remains are the tasks that are not completed, and the waves that have any."""
    tasks: list[Mapping[str, Any]] = [
        {"id": "a", "status": "completed"},
        {"id": "b", "blocked_by": ["a"]},
        {"id": "c", "blocked_by": ["a"]},
        {"id": "d", "blocked_by": ["c"]},
    ]
    assert pipeline_of(tasks).remaining == Remaining(3, 2, None)


def test_remaining_time(pipeline_of: PipelineOf, now: datetime) -> None:
    """What remains takes as long a task as those took that were completed, from the first to the last."""
    moments = [now - timedelta(seconds=seconds) for seconds in (100, 0, 60)]
    done: list[Mapping[str, Any]] = [
        {"id": str(moment), "status": "completed", "updated": moment.isoformat()} for moment in moments
    ]
    assert pipeline_of([*done, {"id": "a"}, {"id": "b"}, {"id": "c"}]).remaining == Remaining(3, 1, 150.0)


@pytest.mark.parametrize("updated", [[0], [0, None], [0, 0], []])
def test_remaining_time_that_nobody_knows(pipeline_of: PipelineOf, updated: list[int | None]) -> None:
    """How long it takes is not known before two tasks were completed at different moments."""
    done: list[Mapping[str, Any]] = [
        {"id": str(place), "status": "completed", "updated": moment} for place, moment in enumerate(updated)
    ]
    assert pipeline_of([*done, {"id": "a"}]).remaining.seconds is None


RESTING = Team("builders", (Member("a", "a@builders", None, None), Member("b", "b@builders", None, False)))


def test_team_is_over(pipeline_of: PipelineOf) -> None:
    """A team whose members all rest is over once all its tasks are completed."""
    assert is_over(RESTING, pipeline_of([{"id": "a", "status": "completed"}]))


@pytest.mark.parametrize("tasks", [None, [], [{"id": "a", "status": "deleted"}], [{"id": "a"}]])
def test_team_is_not_over_by_its_tasks(pipeline_of: PipelineOf, tasks: list[Mapping[str, Any]] | None) -> None:
    """A team that has no tasks, or any that is not completed, is not over."""
    assert not is_over(RESTING, None if tasks is None else pipeline_of(tasks))


@pytest.mark.parametrize(
    "team",
    [attrs.evolve(RESTING, archived=True), attrs.evolve(RESTING, members=(Member("a", "a@builders", None, True),))],
    ids=["archived", "at work"],
)
def test_team_is_not_over_by_itself(pipeline_of: PipelineOf, team: Team) -> None:
    """A team that was put aside already, or of which somebody is at work, is not over."""
    assert not is_over(team, pipeline_of([{"id": "a", "status": "completed"}]))
