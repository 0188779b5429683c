"""Reading the tasks of a swarm, and finding out how they stand, against reading the same lines as JSON alone."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import networkx
from harness import Figure, Options, at_most, costs, interleave

from observatory.swarm.graph import graph_of
from observatory.swarm.pipeline import Reading, read

_NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
_WHERE = "tasks.jsonl"


def measure(options: Options) -> Iterator[Figure]:
    """Measure a reading, a large one, and one more after one line has changed; and waves and paths beside networkx.

    The large one is compared with ten readings that are kept, too: whatever is kept takes pages that the system has to
    hand out and time of the garbage collector, while a single small reading gets the pages of the one before.
    """
    count = options.size(10_000, 30)
    lines, many = _lines(count), _lines(10 * count)
    first = read(_joined(lines), _WHERE, _NOW)
    status, dependency = _changed(lines, status="failed"), _changed(lines, blocked_by=["task-0"])
    ours, loading, ten, large, after_status, after_dependency = interleave(
        options,
        partial(_read, lines),
        partial(_load, lines),
        partial(_read_ten, lines),
        partial(_read, many),
        partial(_read, status, first),
        partial(_read, dependency, first),
    )
    name = f"swarm of {count:,} tasks with {len(first.pipeline.edges):,} dependencies:"
    yield Figure(f"{name} read", "json.loads of the same lines", costs(ours, loading), at_most(4))
    yield Figure(f"{name} ten times as many", "ten of them, all kept", costs(large, ten), at_most(1.2))
    yield Figure(f"{name} ten times as many", "read", costs(large, ours), at_most(12))
    yield Figure(f"{name} read again, one status changed", "read", costs(after_status, ours), at_most(0.5))
    yield Figure(f"{name} read again, one dependency changed", "read", costs(after_dependency, ours), at_most(0.5))
    yield from _beside_networkx(name, first, options)


def _beside_networkx(name: str, reading: Reading, options: Options) -> Iterator[Figure]:
    """Compare waves, the graph included, and the longest path in a graph that is there."""
    tasks, edges = reading.pipeline.tasks, reading.pipeline.edges
    graph: networkx.DiGraph[str] = networkx.DiGraph(edges)
    chosen = [True] * len(tasks)
    waves, their_waves, path, their_path = interleave(
        options,
        partial(_time, lambda: graph_of(tasks).waves()),
        partial(_time, lambda: list(networkx.topological_generations(networkx.DiGraph(edges)))),
        partial(_time, lambda: reading.graph.longest_path(chosen)),
        partial(_time, lambda: networkx.dag_longest_path(graph)),
    )
    yield Figure(f"{name} waves", "networkx.topological_generations", costs(waves, their_waves))
    yield Figure(f"{name} longest path", "networkx.dag_longest_path", costs(path, their_path))


def _lines(count: int) -> list[bytes]:
    """Make tasks that are half done, each of which waits for three of the hundred before it, as far as there are."""
    made = random.Random(count)
    tasks = []
    for number in range(count):
        before = range(max(0, number - 100), number)
        tasks.append(
            {
                "id": f"task-{number}",
                "status": "completed" if number < count // 2 else "in_progress" if number % 10 == 0 else "pending",
                "subject": f"Move part {number} to the new interface",
                "description": "What uses the old one is changed, and what nobody uses any more is removed.",
                "owner": f"agent-{number % 50}",
                "priority": "high",
                "blocked_by": [f"task-{need}" for need in made.sample(before, min(3, len(before)))],
                "files": [f"src/part_{number}.py"],
                "done_when": "the tests pass",
                "updated": (_NOW - timedelta(seconds=count - number)).isoformat(),
                "notes": "",
                "tags": ["interface"],
            }
        )
    return [json.dumps(task).encode() for task in tasks]


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"".join([line + b"\n" for line in lines])


def _changed(lines: Sequence[bytes], **fields: Any) -> list[bytes]:
    """Return lines with a task in the middle changed."""
    middle = len(lines) // 2
    return [*lines[:middle], json.dumps(json.loads(lines[middle]) | fields).encode(), *lines[middle + 1 :]]


def _read(lines: Sequence[bytes], earlier: Reading | None = None) -> float:
    data = _joined(lines)
    return _time(lambda: read(data, _WHERE, _NOW, earlier=earlier))


def _read_ten(lines: Sequence[bytes]) -> float:
    data = _joined(lines)
    return _time(lambda: [read(data, _WHERE, _NOW) for _ in range(10)])


def _load(lines: Sequence[bytes]) -> float:
    start = time.perf_counter()
    for line in lines:
        json.loads(line)
    return time.perf_counter() - start


def _time(work: Callable[[], object]) -> float:
    """Time work, but not how what came of it goes away: it is kept where this is used."""
    start = time.perf_counter()
    kept = work()
    seconds = time.perf_counter() - start
    del kept
    return seconds
