"""What waits for what: waves, cycles and the critical path, each in time that is linear in tasks and dependencies."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from observatory.swarm.values import SwarmTask

Needs = Sequence[Sequence[int]]
"""For each task the places of those that it waits for."""


@attrs.frozen(eq=False)
class Graph:
    """Tasks by their places, and what they wait for. Those of a cycle wait together: as one, its first member."""

    ids: Sequence[str]
    """The id of each task."""
    said: Sequence[Sequence[str]]
    """The ids that it says it waits for."""
    missing: Sequence[tuple[int, str]]
    """What tasks say that they wait for, and what is not there, or the very same task."""
    needs: Needs
    """What each waits for, as far as it is there."""
    joined: Needs
    """The same with every cycle as one: its first member has all that it waits for, the others nothing."""
    levels: Sequence[int]
    """For each task its wave: one more than the latest of those that it waits for."""
    order: Sequence[int]
    """All places; none stands before one that it waits for, unless that is in a cycle."""
    cycles: Sequence[Sequence[int]]
    """The places of tasks that wait for each other, each in order of places."""

    def waves(self) -> tuple[tuple[str, ...], ...]:
        """Return the ids of all tasks, by their waves."""
        waves: list[list[str]] = [[] for _ in range(max(self.levels, default=-1) + 1)]
        for id, level in zip(self.ids, self.levels, strict=True):
            waves[level].append(id)
        return tuple(map(tuple, waves))

    def edges(self) -> tuple[tuple[str, str], ...]:
        """Return what waits for what: the id of the task that comes first, and of the one that waits."""
        ids = self.ids
        return tuple([(ids[need], id) for id, needs in zip(ids, self.needs, strict=True) for need in needs])

    def longest_path(self, chosen: Sequence[bool]) -> tuple[str, ...]:
        """Return the ids of the longest chain of chosen tasks, each of which waits for the one before it.

        A cycle is one task of it: its first member that is chosen.
        """
        chosen = list(chosen)
        stands_for: dict[int, int] = {}  # for the first member of a cycle
        for cycle in self.cycles:
            members = [place for place in cycle if chosen[place]]
            for place in members:
                chosen[place] = False
            if members:
                chosen[cycle[0]] = True
                stands_for[cycle[0]] = members[0]
        lengths, before = [0] * len(self.ids), [-1] * len(self.ids)
        last, most = -1, 0
        for place in self.order:
            if not chosen[place]:
                continue
            length = 0
            for need in self.joined[place]:
                if lengths[need] > length:
                    length, before[place] = lengths[need], need
            lengths[place] = length = length + 1
            if length > most:
                last, most = place, length
        path: list[str] = []
        while last >= 0:
            path.append(self.ids[stands_for.get(last, last)])
            last = before[last]
        return tuple(reversed(path))


def graph_of(tasks: Sequence[SwarmTask], earlier: Graph | None = None) -> Graph:
    """Find out what waits for what.

    Args:
        tasks: tasks with different ids.
        earlier: what was found out before, which holds while nothing else waits for nothing else.
    """
    ids = [task.id for task in tasks]
    said = [task.blocked_by for task in tasks]
    if earlier is not None and earlier.ids == ids and earlier.said == said:
        return earlier
    needs, missing = _needs(ids, said)
    order, levels = _in_order(needs)
    if len(order) == len(needs):
        return Graph(ids, said, missing, needs, needs, levels, order, ())
    cycles = _cycles(needs)
    joined = _joined(needs, cycles)
    order, levels = _in_order(joined)
    for first, *others in cycles:
        for place in others:
            levels[place] = levels[first]
    return Graph(ids, said, missing, needs, joined, levels, order, cycles)


def _needs(ids: Sequence[str], said: Sequence[Sequence[str]]) -> tuple[list[Sequence[int]], list[tuple[int, str]]]:
    """Find the places of what each task waits for; return, too, what is not there."""
    places = {id: place for place, id in enumerate(ids)}
    needs: list[Sequence[int]] = []  # tuples, which the garbage collector soon forgets where it keeps looking at lists
    missing: list[tuple[int, str]] = []
    for place, names in enumerate(said):
        found = tuple([places.get(name, -1) for name in names]) if names else ()
        if len(found) > 1 and len({*found}) < len(found):
            found = tuple(dict.fromkeys(found))
        if place in found or -1 in found:
            missing += [(place, name) for name in dict.fromkeys(names) if places.get(name, place) == place]
            found = tuple([need for need in found if need not in (-1, place)])
        needs.append(found)
    return needs, missing


def _in_order(needs: Needs) -> tuple[list[int], list[int]]:
    """Put tasks in order, and find everybody's level; stop at the first cycle."""
    levels = [-1] * len(needs)
    order: list[int] = []
    ahead: list[int] = []
    begun: set[int] = set()
    for start in range(len(needs)):
        ahead.append(start)
        while ahead:
            place = ahead[-1]
            level, ready = -1, True
            for need in needs[place]:
                if levels[need] > level:
                    level = levels[need]
                elif levels[need] < 0:
                    ahead.append(need)
                    ready = False
            if ready:
                ahead.pop()
                if levels[place] < 0:
                    levels[place] = level + 1
                    order.append(place)
            elif place in begun:
                return order, levels
            else:
                begun.add(place)
    return order, levels


def _joined(needs: Needs, cycles: Needs) -> list[Sequence[int]]:
    """Return the needs with every cycle as one: its first member."""
    first = list(range(len(needs)))
    for cycle in cycles:
        for place in cycle:
            first[place] = cycle[0]
    joined: list[Sequence[int]] = [list(dict.fromkeys([first[need] for need in found])) for found in needs]
    for cycle in cycles:
        whole = dict.fromkeys([need for place in cycle for need in joined[place] if need != cycle[0]])
        for place in cycle:
            joined[place] = ()
        joined[cycle[0]] = list(whole)
    return joined


def _cycles(needs: Needs) -> list[list[int]]:
    """Find the tasks that wait for each other, after Tarjan; without recursion, since chains may be long."""
    cycles: list[list[int]] = []
    numbers: dict[int, int] = {}  # in the order in which they are met
    lowest: dict[int, int] = {}  # the first one met that each can come back to
    path: list[int] = []
    on_path: set[int] = set()
    for start in range(len(needs)):
        if start in numbers:
            continue
        work = [(start, iter(needs[start]))]
        while work:
            place, rest = work[-1]
            if place not in numbers:
                numbers[place] = lowest[place] = len(numbers)
                path.append(place)
                on_path.add(place)
            for need in rest:
                if need in on_path:
                    lowest[place] = min(lowest[place], numbers[need])
                elif need not in numbers:
                    work.append((need, iter(needs[need])))
                    break
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    lowest[above] = min(lowest[above], lowest[place])
                if lowest[place] == numbers[place]:
                    found = _cut(path, place)
                    on_path.difference_update(found)
                    if len(found) > 1:
                        cycles.append(sorted(found))
    return cycles


def _cut(path: list[int], place: int) -> list[int]:
    """Take the end of a path off, from a place on."""
    found: list[int] = []
    while not found or found[-1] != place:
        found.append(path.pop())
    return found
