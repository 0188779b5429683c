"""How a swarm stands, and when that is told."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import Member, Problem, PubSub, Subscription, SwarmMonitor, SwarmState, Team
from observatory.testing import cancel_at_every_checkpoint

WORKING = {"id": "a", "status": "in_progress", "updated": "2026-01-01T00:00:00Z"}


@pytest.fixture
def clock() -> MockClock:
    """Time stands still unless a test lets it go on."""
    return MockClock()


@pytest.fixture
async def told(pubsub: PubSub) -> AsyncIterator[Subscription]:
    """Return what is told."""
    async with pubsub.subscribe("swarm:update") as subscription:
        yield subscription


async def _next(told: Subscription) -> SwarmState:
    state = (await anext(told)).payload
    assert isinstance(state, SwarmState)
    return state


async def test_nothing(monitor: SwarmMonitor) -> None:
    """Before anything was looked at, and where there is nothing, the state is empty."""
    assert monitor.get_state() == SwarmState(None, {}, (), ())
    assert (await monitor.refresh()).projects == {}


async def test_told_when_something_has_changed(source: Any, monitor: SwarmMonitor, told: Subscription) -> None:
    """A state is told once, and is the one that a plain read gives."""
    source.put("/work", WORKING)
    await monitor.refresh()
    assert await _next(told) == monitor.get_state()
    await monitor.refresh()
    source.put("/work", WORKING | {"unknown": "to everybody"})
    await monitor.refresh()
    assert source.reads == 2
    assert told.statistics().pending == 0


async def test_a_change_is_told(source: Any, monitor: SwarmMonitor, told: Subscription) -> None:
    """What an action has changed is told before it returns."""
    source.put("/work", {"id": "a", "status": "pending"})
    await monitor.refresh()
    await monitor.claim_task("a", "ann")
    before, after = await _next(told), await _next(told)
    assert [state.projects["/work"].tasks[0].owner for state in (before, after)] == [None, "ann"]


async def test_stale_with_time(source: Any, monitor: SwarmMonitor, told: Subscription, clock: MockClock) -> None:
    """A task becomes stale though nothing else happens, and is told of then."""
    source.put("/work", WORKING)
    await monitor.refresh()
    clock.jump(600)
    await monitor.refresh()
    clock.jump(0.001)
    await monitor.refresh()
    assert [(await _next(told)).projects["/work"].stale for _ in range(2)] == [(), ("a",)]
    assert (source.reads, told.statistics().pending) == (1, 0)


async def test_other_patience(source: Any, make: Any, clock: MockClock) -> None:
    """How long that takes can be set."""
    monitor = make(projects=("/work",), stale_after=5.0)
    source.put("/work", WORKING)
    clock.jump(6)
    assert (await monitor.refresh()).projects["/work"].stale == ("a",)


async def test_a_project_that_disappears(source: Any, monitor: SwarmMonitor) -> None:
    """It is gone from the state, and back when it is."""
    source.put("/work", WORKING)
    await monitor.refresh()
    data = source.files.pop("/work")
    assert (await monitor.refresh()).projects == {}
    source.files["/work"] = data
    assert list((await monitor.refresh()).projects) == ["/work"]


async def test_a_project_that_cannot_be_read(source: Any, monitor: SwarmMonitor) -> None:
    """It is a problem, and the others are there; it is tried again."""
    source.put("/work", WORKING)
    source.put("/other", WORKING)
    source.broken["/work"] = "permission denied"
    source.problems.append(Problem("/teams/x/config.json", None, "is no JSON"))
    state = await monitor.refresh()
    assert list(state.projects) == ["/other"]
    assert [problem.problem for problem in state.problems] == ["is no JSON", "permission denied"]
    del source.broken["/work"]
    assert list((await monitor.refresh()).projects) == ["/work", "/other"]


async def test_no_longer_to_be_read(source: Any, monitor: SwarmMonitor) -> None:
    """What can be read no more is not shown as it was."""
    source.put("/work", WORKING)
    await monitor.refresh()
    source.put("/work", WORKING | {"owner": "ann"})
    source.broken["/work"] = "permission denied"
    assert (await monitor.refresh()).projects == {}


async def test_projects(source: Any, make: Any) -> None:
    """Projects of the settings, and those that were added, come first; one can be made active, and none."""
    for name in ("/team", "/set", "/added", "/active"):
        source.put(name, WORKING)
    monitor = make(projects=("/set",))
    assert await monitor.add_project("/added/") == "/added"
    assert await monitor.set_active_project("/active") == "/active"
    state = monitor.get_state()
    assert list(state.projects) == ["/set", "/added", "/active", "/team"]
    assert state.active_project == "/active"
    assert await monitor.set_active_project(None) is None
    assert monitor.get_state().active_project is None


async def _run(nursery: trio.Nursery, monitor: SwarmMonitor) -> None:
    await nursery.start(monitor.run)


async def test_followed(source: Any, make: Any, told: Subscription) -> None:
    """What the source tells of is looked at at once; of a new project it is asked to tell, too."""
    source.put("/work", WORKING)
    async with trio.open_nursery() as nursery:
        await _run(nursery, make(follows=True))
        await _next(told)
        await wait_all_tasks_blocked(0.01)
        source.put("/other", WORKING)
        source.changed()
        assert list((await _next(told)).projects) == ["/work", "/other"]
        await wait_all_tasks_blocked(0.01)
        assert source.watched == [set(), {"/work"}, {"/work", "/other"}]
        source.places = ("/empty",)  # a member has begun to work there
        source.changed()
        await wait_all_tasks_blocked(0.01)
        assert source.watched[-1] == {"/work", "/other", "/empty"}
        nursery.cancel_scope.cancel()


async def test_looked_at_every_three_seconds(source: Any, make: Any, told: Subscription, clock: MockClock) -> None:
    """What the source does not tell of is found by looking."""
    source.put("/work", WORKING)
    async with trio.open_nursery() as nursery:
        await _run(nursery, make(follows=True))
        await _next(told)
        await wait_all_tasks_blocked(0.01)
        source.put("/work", WORKING | {"owner": "ann"})
        clock.jump(2.9)
        await wait_all_tasks_blocked(0.01)
        assert told.statistics().pending == 0
        clock.jump(0.2)
        assert (await _next(told)).projects["/work"].tasks[0].owner == "ann"
        nursery.cancel_scope.cancel()


async def test_nothing_is_told(
    source: Any, make: Any, told: Subscription, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the source can tell nothing it is looked at, and asked again later."""
    caplog.set_level(logging.INFO, "observatory.swarm")
    source.deaf = True
    async with trio.open_nursery() as nursery:
        await _run(nursery, make(follows=True))
        await wait_all_tasks_blocked(0.01)
        source.deaf = False
        clock.jump(31)
        await wait_all_tasks_blocked(0.01)
        source.put("/work", WORKING)
        source.changed()
        await _next(told)
        nursery.cancel_scope.cancel()
    assert "the swarm is looked at every 3 s: SwarmSourceError: the tasks of everything: nothing is told" in caplog.text


async def test_not_followed(source: Any, monitor: SwarmMonitor, clock: MockClock) -> None:
    """A monitor that does not follow looks when it is asked, and else never."""
    source.put("/work", WORKING)
    async with trio.open_nursery() as nursery:
        await _run(nursery, monitor)
        clock.jump(100)
        await wait_all_tasks_blocked(0.01)
        assert source.reads == 0
        nursery.cancel_scope.cancel()


def _team(source: Any, name: str, *statuses: str, active: bool | None = False) -> None:
    source.teams[name] = Team(name, (Member("ann", f"ann@{name}", None, active),))
    source.put(f"team:{name}", *({"id": str(n), "status": status} for n, status in enumerate(statuses)))


async def test_collect_garbage(source: Any, monitor: SwarmMonitor) -> None:
    """Teams are put aside that have completed all they had, and rest; they are still seen."""
    _team(source, "done", "completed", "deleted")
    _team(source, "unsure", "completed", active=None)
    _team(source, "busy", "completed", active=True)
    _team(source, "open", "completed", "pending")
    _team(source, "empty")
    source.teams["unheard"] = Team("unheard", ())
    assert await monitor.collect_garbage() == ("done", "unsure")
    assert [team.name for team in monitor.get_state().teams if team.archived] == ["done", "unsure"]
    assert await monitor.collect_garbage() == ()


async def test_garbage_that_cannot_be_moved(source: Any, monitor: SwarmMonitor) -> None:
    """It is an error, and what was put aside before it is shown."""
    _team(source, "a", "completed")
    _team(source, "b", "completed")
    source.broken["b"] = "permission denied"
    with pytest.raises(Exception, match="permission denied"):
        await monitor.collect_garbage()
    assert [team.archived for team in (await monitor.refresh()).teams] == [True, False]


async def test_cancelled_anywhere(source: Any, make: Any, pubsub: PubSub) -> None:
    """A look that is cancelled leaves a state that was so, and the next one is whole."""
    source.put("/work", WORKING)
    monitors: list[SwarmMonitor] = []

    async def look() -> None:
        monitors.append(make(projects=("/work",)))
        await monitors[-1].refresh()

    async def check() -> None:
        assert list(monitors[-1].get_state().projects) in ([], ["/work"])
        assert list((await monitors[-1].refresh()).projects) == ["/work"]

    assert await cancel_at_every_checkpoint(look, check) > 2


async def test_many_at_once(source: Any, monitor: SwarmMonitor) -> None:
    """Many who look at the same time all see it."""
    source.put("/work", WORKING)
    states: list[SwarmState] = []

    async def look() -> None:
        states.append(await monitor.refresh())

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(look)
    assert states == [monitor.get_state()] * 20
    assert source.reads == 1
