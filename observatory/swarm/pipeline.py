"""Everything about the tasks of one project, from the bytes of its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from observatory.garbage import NoSearchForGarbage
from observatory.problems import Problem
from observatory.swarm import figures
from observatory.swarm.actions import Changes
from observatory.swarm.graph import Graph, graph_of
from observatory.swarm.parsing import MAX_PROBLEMS, NOTHING, Parsed, parse
from observatory.swarm.rewriting import rewritten
from observatory.swarm.values import Pipeline, SwarmTask


@attrs.frozen(eq=False)
class Reading:
    """What was read of a project's file, and what came of it."""

    parsed: Parsed
    """What the file says."""
    graph: Graph
    """What waits for what, of the tasks that were not deleted."""
    pipeline: Pipeline
    """How they stand."""


def read(
    data: bytes,
    where: str,
    now: datetime,
    *,
    earlier: Reading | None = None,
    stale_after: timedelta = figures.STALE_AFTER,
) -> Reading:
    """Read the tasks of a project, and find out how they stand.

    Args:
        data: the whole file.
        where: what it is called in problems.
        now: wall time, UTC.
        earlier: what was read of it before, so that little has to be done where little has changed.
        stale_after: how long a task may be in progress without an update.
    """
    with NoSearchForGarbage():
        return _read(data, where, now, earlier, stale_after)


def _read(data: bytes, where: str, now: datetime, earlier: Reading | None, stale_after: timedelta) -> Reading:
    parsed = parse(data, where, NOTHING if earlier is None else earlier.parsed)
    tasks = tuple([task for task in parsed.tasks if task.status != "deleted"])
    graph = graph_of(tasks, None if earlier is None else earlier.graph)
    pipeline = Pipeline(
        tasks=tasks,
        counts=figures.counts_of(parsed.tasks),
        total=len(tasks),
        waves=graph.waves(),
        edges=graph.edges(),
        cycles=tuple([tuple([graph.ids[place] for place in cycle]) for cycle in graph.cycles]),
        critical_path=graph.longest_path([task.status != "completed" for task in tasks]),
        blocked=figures.blocked_chains(tasks, graph),
        stale=figures.stale_tasks(tasks, now, stale_after),
        conflicts=figures.file_conflicts(tasks),
        progress=figures.progress_of(tasks),
        remaining=figures.remaining_of(tasks, graph),
        problems=(parsed.problems + _problems(parsed, graph, where))[:MAX_PROBLEMS],
        skipped=parsed.skipped,
    )
    if earlier is not None and earlier.pipeline == pipeline:
        pipeline = earlier.pipeline  # so that whoever looks sees at once that nothing has changed
    return Reading(parsed, graph, pipeline)


def at(reading: Reading, now: datetime, *, stale_after: timedelta = figures.STALE_AFTER) -> Reading:
    """Return what was read as it stands later on, when nothing but time has gone by."""
    stale = figures.stale_tasks(reading.pipeline.tasks, now, stale_after)
    if stale == reading.pipeline.stale:
        return reading
    return attrs.evolve(reading, pipeline=attrs.evolve(reading.pipeline, stale=stale))


def advanced(
    readings: Mapping[str, Reading], changed: Mapping[str, bytes], now: datetime, stale_after: timedelta
) -> dict[str, Reading]:
    """Return what was read of several projects as it stands later on, with what has changed of them read anew.

    Args:
        readings: by project.
        changed: the whole files of those that have changed, or are new.
        now: wall time, UTC.
        stale_after: how long a task may be in progress without an update.
    """
    later = {project: at(reading, now, stale_after=stale_after) for project, reading in readings.items()}
    for project, data in changed.items():
        later[project] = read(data, project, now, earlier=readings.get(project), stale_after=stale_after)
    return later


def changed_by(
    decide: Callable[[Sequence[SwarmTask]], Changes], data: bytes, where: str, earlier: Reading | None
) -> tuple[bytes, Changes]:
    """Let somebody who sees the tasks of a file decide what is to be changed.

    Args:
        decide: returns the changes, or raises why there can be none.
        data: the whole file.
        where: what it is called in problems.
        earlier: what was read of it before.

    Returns:
        The file's bytes with that changed, and the changes.
    """
    changes = decide(parse(data, where, NOTHING if earlier is None else earlier.parsed).tasks)
    return rewritten(data, changes), changes


def _problems(parsed: Parsed, graph: Graph, where: str) -> tuple[Problem, ...]:
    """Name what tasks wait for in vain."""
    deleted = {task.id for task in parsed.tasks if task.status == "deleted"}
    problems: list[str] = []
    for place, need in graph.missing:
        id = graph.ids[place]
        if need == id:
            problems.append(f"task {id!r:.80} waits for itself, which is left out")
        elif need not in deleted:  # what was deleted is waited for no more
            problems.append(f"task {id!r:.80} waits for {need!r:.80}, which is not there")
    for cycle in graph.cycles:
        names = ", ".join([f"{graph.ids[place]!r:.80}" for place in cycle[:10]])
        problems.append(f"{len(cycle)} tasks wait for each other, so that none can begin: {names}")
    return tuple([Problem(where, None, problem) for problem in problems])
