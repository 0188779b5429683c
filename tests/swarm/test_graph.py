"""Waves, cycles, the critical path and what is blocked, of any tasks that wait for each other, beside networkx."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import networkx as nx
import pytest
from hypothesis import given, strategies as st

from observatory.swarm.values import STATUSES, BlockedChain, Pipeline

PipelineOf: TypeAlias = Callable[[Iterable[Mapping[str, Any]]], Pipeline]

STUCK = {"failed", "blocked", "unknown"}
LIVING = [status for status in STATUSES if status != "deleted"]


@attrs.frozen
class Case:
    """Tasks, what networkx takes them for, and what each id stands for when a cycle is one."""

    tasks: Sequence[Mapping[str, Any]]
    graph: nx.DiGraph[str]
    whole: nx.DiGraph[int]

    @property
    def open(self) -> set[str]:
        """The ids of what is not completed."""
        return {task["id"] for task in self.tasks if task["status"] != "completed"}

    @property
    def cycles(self) -> set[frozenset[str]]:
        """The ids of tasks that wait for each other."""
        return {frozenset(found) for found in nx.strongly_connected_components(self.graph) if len(found) > 1}

    @property
    def roots(self) -> set[str]:
        """The ids of what does not go on by itself."""
        stuck = {task["id"] for task in self.tasks if task["status"] not in {"pending", "in_progress", "completed"}}
        return stuck | (self.open & set().union(*self.cycles))

    def number_of(self, id: str) -> int:
        """Return which of the graph without cycles a task belongs to."""
        return int(self.whole.graph["mapping"][id])


def case_of(needs: Sequence[Sequence[int]], statuses: Sequence[str]) -> Case:
    """Return a case of tasks by their places."""
    tasks: list[dict[str, Any]] = [
        {"id": f"task {place}", "status": status, "blocked_by": [f"task {need}" for need in found]}
        for place, (found, status) in enumerate(zip(needs, statuses, strict=True))
    ]
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(task["id"] for task in tasks)
    graph.add_edges_from((need, task["id"]) for task in tasks for need in task["blocked_by"] if need != task["id"])
    return Case(tasks, graph, nx.condensation(graph))


@st.composite
def cases(draw: st.DrawFn, *, cycles: bool = True) -> Case:
    """Generate tasks that wait for some of each other, themselves included, in any order of lines."""
    count = draw(st.integers(0, 12))
    places = st.integers(0, max(0, count - 1))
    needs = draw(st.lists(st.lists(places, max_size=3), min_size=count, max_size=count))
    if not cycles or draw(st.booleans()):
        rank = draw(st.permutations(range(count)))
        needs = [[need for need in found if rank[need] < rank[place]] for place, found in enumerate(needs)]
    statuses = draw(st.lists(st.sampled_from([*LIVING, "unknown"]), min_size=count, max_size=count))
    return case_of(needs, statuses)


def levels_of(pipeline: Pipeline) -> Mapping[str, int]:
    """Return the number of each task's wave."""
    return {id: number for number, wave in enumerate(pipeline.waves) for id in wave}


@given(case=cases())
def test_waves_hold_every_task_once(pipeline_of: PipelineOf, case: Case) -> None:
    """Every task stands in exactly one wave."""
    waves = pipeline_of(case.tasks).waves
    assert sorted(id for wave in waves for id in wave) == sorted(case.graph)


@given(case=cases())
def test_no_task_stands_before_what_it_waits_for(pipeline_of: PipelineOf, case: Case) -> None:
    """What a task waits for stands in an earlier wave, unless both are in one cycle."""
    levels = levels_of(pipeline_of(case.tasks))
    assert all(levels[need] < levels[id] or {need, id} <= set(_cycle(case, id)) for need, id in case.graph.edges)


@given(case=cases())
def test_a_cycle_stands_in_one_wave(pipeline_of: PipelineOf, case: Case) -> None:
    """Tasks that wait for each other stand in the same wave."""
    levels = levels_of(pipeline_of(case.tasks))
    assert all(len({levels[id] for id in cycle}) == 1 for cycle in case.cycles)


@given(case=cases())
def test_waves_are_as_early_as_can_be(pipeline_of: PipelineOf, case: Case) -> None:
    """The wave of a task, or of a cycle, is the one behind the latest that it waits for."""
    levels = levels_of(pipeline_of(case.tasks))
    level = {case.number_of(id): levels[id] for id in case.graph}
    for number in case.whole:
        assert level[number] == 1 + max((level[need] for need in case.whole.predecessors(number)), default=-1)


@given(case=cases(cycles=False))
def test_waves_are_topological_generations(pipeline_of: PipelineOf, case: Case) -> None:
    """Where nothing waits in a cycle, waves are what networkx calls topological generations."""
    waves = pipeline_of(case.tasks).waves
    assert list(map(set, waves)) == list(map(set, nx.topological_generations(case.graph)))


@given(case=cases())
def test_cycles_are_strongly_connected(pipeline_of: PipelineOf, case: Case) -> None:
    """Cycles are the strongly connected components of more than one task, each named once."""
    cycles = pipeline_of(case.tasks).cycles
    assert len(cycles) == len(case.cycles)
    assert set(map(frozenset, cycles)) == case.cycles


@given(case=cases())
def test_edges(pipeline_of: PipelineOf, case: Case) -> None:
    """What waits for what is told once each, and nothing waits for itself."""
    edges = pipeline_of(case.tasks).edges
    assert sorted(edges) == sorted(case.graph.edges)


@given(case=cases(cycles=False))
def test_critical_path_is_a_longest_path(pipeline_of: PipelineOf, case: Case) -> None:
    """Where nothing waits in a cycle, the critical path is a path of open tasks, and as long as networkx's."""
    path = pipeline_of(case.tasks).critical_path
    rest = case.graph.subgraph(case.open)
    assert len(path) == len(nx.dag_longest_path(rest))
    assert nx.is_path(rest, path) or len(path) < 2
    assert set(path) <= case.open


@given(case=cases())
def test_critical_path_goes_through_a_cycle_as_one(pipeline_of: PipelineOf, case: Case) -> None:
    """With cycles, the critical path names one open task of each, and is as long as it gets with cycles as one."""
    path = pipeline_of(case.tasks).critical_path
    rest = case.whole.subgraph(map(case.number_of, case.open))
    numbers = list(map(case.number_of, path))
    assert len(path) == len(nx.dag_longest_path(rest))
    assert nx.is_path(rest, numbers) or len(path) < 2
    assert set(path) <= case.open


@given(case=cases())
def test_blocked_names_who_waits_once(pipeline_of: PipelineOf, case: Case) -> None:
    """Blocked are exactly the open tasks that wait, through open ones, for one that is stuck or in a cycle."""
    chains = pipeline_of(case.tasks).blocked
    rest = case.graph.subgraph(case.open)
    waiting = set().union(*(nx.descendants(rest, root) for root in case.roots)) - case.roots
    assert sorted(id for chain in chains for id in chain.waiting) == sorted(waiting)


@given(case=cases())
def test_blocked_stand_with_one_that_they_wait_for(pipeline_of: PipelineOf, case: Case) -> None:
    """Whoever stands in a chain waits for its root, and stands behind everybody of it whom they wait for."""
    for chain in pipeline_of(case.tasks).blocked:
        assert set(chain.waiting) <= nx.descendants(case.graph.subgraph(case.open), chain.root)
        assert not any(
            case.graph.has_edge(later, id)
            for place, id in enumerate(chain.waiting)
            for later in chain.waiting[place + 1 :]
        )


@given(case=cases())
def test_blocked_names_every_root_that_matters(pipeline_of: PipelineOf, case: Case) -> None:
    """There is a chain for each open task of a cycle, and for each that is stuck only while somebody waits for it."""
    chains = {chain.root: chain for chain in pipeline_of(case.tasks).blocked}
    in_cycles = set().union(*case.cycles) & case.open
    assert in_cycles <= chains.keys() <= case.roots
    assert all(chain.waiting for root, chain in chains.items() if root not in in_cycles)


@given(case=cases())
def test_blocked_says_why(pipeline_of: PipelineOf, case: Case) -> None:
    """The reason of a chain is what its root's status says, else that it stands in a cycle."""
    status = {task["id"]: task["status"] for task in case.tasks}
    for chain in pipeline_of(case.tasks).blocked:
        assert chain.reason == (status[chain.root] if status[chain.root] in STUCK else "cycle")


def test_blocked_by_several_stands_with_the_first(pipeline_of: PipelineOf) -> None:
    """Who waits for several tasks that are stuck stands with the one whose line comes first."""
    case = case_of([[], [], [1, 0]], ["failed", "blocked", "pending"])
    assert pipeline_of(case.tasks).blocked == (BlockedChain("task 0", "failed", ("task 2",)),)


def test_blocked_by_a_cycle_that_stands_behind(pipeline_of: PipelineOf) -> None:
    """Who waits for a later task of a cycle is blocked by that, wherever its line stands."""
    case = case_of([[2], [2], [0]], ["pending"] * 3)
    blocked = pipeline_of(case.tasks).blocked
    assert blocked == (BlockedChain("task 0", "cycle", ()), BlockedChain("task 2", "cycle", ("task 1",)))


def test_critical_path_names_what_is_open_of_a_cycle(pipeline_of: PipelineOf) -> None:
    """A cycle of which a part is completed stands in the critical path with a task that is not."""
    case = case_of([[1], [0]], ["completed", "pending"])
    assert pipeline_of(case.tasks).critical_path == ("task 1",)


def test_critical_path_past_a_cycle_that_is_completed(pipeline_of: PipelineOf) -> None:
    """A cycle that is completed as a whole is no part of the critical path."""
    case = case_of([[1], [0], [1]], ["completed", "completed", "pending"])
    assert pipeline_of(case.tasks).critical_path == ("task 2",)


@pytest.mark.parametrize("backwards", [False, True])
def test_long_chain(pipeline_of: PipelineOf, backwards: bool) -> None:
    """A chain of more tasks than there are stack frames is followed, in whatever order its lines are."""
    case = case_of([[place - 1] if place else [] for place in range(5_000)], ["pending"] * 5_000)
    pipeline = pipeline_of(case.tasks[::-1] if backwards else case.tasks)
    assert pipeline.critical_path == tuple(task["id"] for task in case.tasks)


def test_long_cycle(pipeline_of: PipelineOf) -> None:
    """A cycle of more tasks than there are stack frames is found."""
    case = case_of([[(place - 1) % 5_000] for place in range(5_000)], ["pending"] * 5_000)
    [cycle] = pipeline_of(case.tasks).cycles
    assert len(cycle) == 5_000


def _cycle(case: Case, id: str) -> Iterable[str]:
    return next((cycle for cycle in case.cycles if id in cycle), ())
