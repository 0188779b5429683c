"""What is done about tasks, and what is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import (
    InvalidInputError,
    NoActiveProjectError,
    SwarmMonitor,
    SwarmSourceError,
    TaskRefusedError,
    UnknownNameError,
)
from observatory.testing import cancel_at_every_checkpoint

NOW = "2026-01-01T00:00:00Z"  # when Trio's clock begins to run in these tests
LONG_AGO = "2025-12-31T23:00:00Z"


@pytest.fixture
def clock() -> MockClock:
    """Time stands still."""
    return MockClock()


def task(id: str, status: str = "pending", **fields: Any) -> dict[str, Any]:
    """Return a task."""
    return {"id": id, "status": status, "custom": [1.0, {"x": None}], **fields}


async def test_claim(source: Any, monitor: SwarmMonitor, clock: MockClock) -> None:
    """It is in progress and the claimant's; other fields and other tasks stay as they are."""
    source.put("/work", task("a"), task("b", updated=LONG_AGO))
    claimed = await monitor.claim_task("b", "ann")
    assert (claimed.status, claimed.owner) == ("in_progress", "ann")
    assert source.tasks("/work") == [task("a"), task("b", "in_progress", updated=NOW, owner="ann")]
    assert monitor.get_state().projects["/work"].counts == {"pending": 1, "in_progress": 1}


async def test_claim_what_was_given(source: Any, monitor: SwarmMonitor) -> None:
    """Who was given a task can claim it."""
    source.put("/work", task("a", owner="ann"))
    assert (await monitor.claim_task("a", "ann")).status == "in_progress"


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([task("a", "in_progress", owner="bob")], "task 'a' is in_progress of 'bob': only what is pending"),
        ([task("a", "completed")], "task 'a' is completed: only what is pending can be claimed"),
        ([task("a", owner="bob")], "it was given to somebody else, and not to 'ann'"),
        ([task("a", blocked_by=["b", "c"]), task("b"), task("c", "completed")], "it waits for 'b'$"),
    ],
)
async def test_claim_refused(source: Any, monitor: SwarmMonitor, tasks: list[Any], words: str) -> None:
    """What somebody has, or waits for others, cannot be claimed, and nothing has happened."""
    source.put("/work", *tasks)
    before = source.files["/work"]
    with pytest.raises(TaskRefusedError, match=words) as info:
        await monitor.claim_task("a", "ann")
    assert (info.value.task, info.value.status) == ("a", tasks[0]["status"])
    assert source.files["/work"] == before


async def test_claim_behind_what_is_over(source: Any, monitor: SwarmMonitor) -> None:
    """What was completed, deleted or is not there is waited for no more, and nothing waits for itself."""
    source.put("/work", task("a", blocked_by=["b", "c", "d", "a"]), task("b", "completed"), task("c", "deleted"))
    assert (await monitor.claim_task("a", "ann")).owner == "ann"


async def test_one_of_many_claimants(source: Any, monitor: SwarmMonitor) -> None:
    """Of many who claim one task at once one gets it, and the others are told who."""
    source.put("/work", task("a"))
    got: list[str] = []
    told: list[str | None] = []

    async def claim(name: str) -> None:
        try:
            got.append((await monitor.claim_task("a", name)).owner or "")
        except TaskRefusedError as error:
            told.append(error.owner)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(claim, f"agent-{number}")
    assert len(got) == 1
    assert told == got * 19


async def test_complete(source: Any, monitor: SwarmMonitor, clock: MockClock) -> None:
    """It is completed, and stays its owner's."""
    source.put("/work", task("a", "in_progress", owner="ann"))
    assert (await monitor.complete_task("a", "ann")).status == "completed"
    assert source.tasks("/work") == [task("a", "completed", owner="ann", updated=NOW)]


async def test_complete_for_somebody_else(source: Any, monitor: SwarmMonitor) -> None:
    """Who names nobody speaks for everybody."""
    source.put("/work", task("a", "in_progress", owner="ann"))
    assert (await monitor.complete_task("a")).owner == "ann"


@pytest.mark.parametrize(
    ("status", "words"), [("pending", "claim it first"), ("in_progress", "only its owner can complete it, and 'bob'")]
)
async def test_complete_refused(source: Any, monitor: SwarmMonitor, status: str, words: str) -> None:
    """Neither what nobody has begun nor what somebody else does."""
    source.put("/work", task("a", status, owner="ann"))
    with pytest.raises(TaskRefusedError, match=words):
        await monitor.complete_task("a", "bob")


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "failed"},
        {"status": "blocked"},
        {"status": "odd"},
        {"status": "in_progress"},
        {"status": "in_progress", "updated": LONG_AGO},
        {"status": "pending"},
    ],
)
async def test_heal(source: Any, monitor: SwarmMonitor, clock: MockClock, fields: dict[str, Any]) -> None:
    """What does not go on is pending, and nobody's."""
    source.put("/work", task("a", **fields, owner="ann"))
    healed = await monitor.heal_task("a")
    assert (healed.status, healed.owner) == ("pending", None)
    assert source.tasks("/work") == [task("a", **fields | {"status": "pending", "owner": None, "updated": NOW})]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "completed"}, "there is nothing to be healed"),
        ({"status": "deleted"}, "there is nothing to be healed"),
        ({"status": "pending"}, "it waits to be claimed already"),
        ({"status": "in_progress", "updated": NOW}, "it was updated within the last 0:10:00; reassign it"),
    ],
)
async def test_heal_refused(
    source: Any, monitor: SwarmMonitor, clock: MockClock, fields: dict[str, Any], words: str
) -> None:
    """What goes on needs no healing."""
    source.put("/work", task("a", **fields))
    with pytest.raises(TaskRefusedError, match=words):
        await monitor.heal_task("a")


async def test_reassign(source: Any, monitor: SwarmMonitor, clock: MockClock) -> None:
    """It is somebody else's, whatever becomes of it."""
    source.put("/work", task("a", "in_progress", owner="ann"))
    assert (await monitor.reassign_task("a", "bob")).owner == "bob"
    assert source.tasks("/work") == [task("a", "in_progress", owner="bob", updated=NOW)]


async def test_reassign_refused(source: Any, monitor: SwarmMonitor) -> None:
    """What is over needs nobody."""
    source.put("/work", task("a", "completed"))
    with pytest.raises(TaskRefusedError, match="nobody needs to do it any more"):
        await monitor.reassign_task("a", "bob")


async def test_reset_all_stale(source: Any, monitor: SwarmMonitor, clock: MockClock) -> None:
    """All of which nothing was heard for long are pending, the others stay as they are."""
    source.put("/work", task("a", "in_progress"), task("b", "in_progress", updated=NOW), task("c", "failed"))
    assert [one.id for one in await monitor.reset_all_stale()] == ["a"]
    assert [one["status"] for one in source.tasks("/work")] == ["pending", "in_progress", "failed"]
    clock.jump(2)
    assert [one.id for one in await monitor.reset_all_stale(1.5)] == ["b"]
    assert await monitor.reset_all_stale() == ()


@pytest.mark.parametrize("threshold", [-1, 1e12, float("nan"), "5", True])
async def test_wrong_threshold(source: Any, monitor: SwarmMonitor, threshold: Any) -> None:
    """A threshold is a number of seconds."""
    source.put("/work", task("a", "in_progress"))
    with pytest.raises(InvalidInputError, match="threshold: expected a number of seconds of at least 0"):
        await monitor.reset_all_stale(threshold)


async def test_the_last_of_an_id(source: Any, monitor: SwarmMonitor) -> None:
    """Where an id stands twice the last one counts, and is changed."""
    source.put("/work", task("a", "completed"), task("a"))
    await monitor.claim_task("a", "ann")
    assert [one["status"] for one in source.tasks("/work")] == ["completed", "in_progress"]


ACTIONS: list[Callable[..., Awaitable[object]]] = [
    lambda monitor, **where: monitor.claim_task("x", "ann", **where),
    lambda monitor, **where: monitor.complete_task("x", **where),
    lambda monitor, **where: monitor.stop_task("x", "failed", **where),
    lambda monitor, **where: monitor.heal_task("x", **where),
    lambda monitor, **where: monitor.reassign_task("x", "ann", **where),
]


@pytest.mark.parametrize("action", ACTIONS)
async def test_no_such_task(source: Any, monitor: SwarmMonitor, action: Callable[..., Awaitable[object]]) -> None:
    """An id that nothing has is said so, with the nearest one."""
    source.put("/work", task("xx"))
    with pytest.raises(UnknownNameError, match="there is no task 'x'; did you mean 'xx'"):
        await action(monitor)


async def test_no_such_task_among_many(source: Any, monitor: SwarmMonitor) -> None:
    """Of very many tasks the error names some, and those that are near first."""
    source.put("/work", *[task(f"part-{number}") for number in range(2_000)])
    with pytest.raises(UnknownNameError) as info:
        await monitor.heal_task("zzz")
    assert len(info.value.known) == 20
    with pytest.raises(UnknownNameError, match="did you mean 'part-77'"):
        await monitor.heal_task("prt-77")


@pytest.mark.parametrize("action", [*ACTIONS, lambda monitor, **where: monitor.reset_all_stale(**where)])
async def test_no_active_project(source: Any, make: Any, action: Callable[..., Awaitable[object]]) -> None:
    """Without an active project it is an error that says which there are; one that is named needs none."""
    source.put("/work", task("x", "in_progress"))
    monitor = make()
    await monitor.refresh()
    with pytest.raises(NoActiveProjectError, match=r"no project is active.*: /work$") as info:
        await action(monitor)
    assert info.value.projects == ("/work",)


async def test_a_project_that_is_named(source: Any, make: Any) -> None:
    """An action is about the project that it names."""
    source.put("/a", task("x"))
    source.put("/b", task("x"))
    await make(active_project="/a").claim_task("x", "ann", project="/b/")
    assert [source.tasks(name)[0]["status"] for name in ("/a", "/b")] == ["pending", "in_progress"]


async def test_a_teams_own_tasks(source: Any, monitor: SwarmMonitor) -> None:
    """Tasks that a team keeps by itself are a project as well; whether they can be changed is for the source to say."""
    with pytest.raises(SwarmSourceError, match="the tasks of team:blue: there are no tasks"):
        await monitor.claim_task("x", "ann", project="team:blue")


@pytest.mark.parametrize("project", ["", "a\0b", 7])
async def test_wrong_project(monitor: SwarmMonitor, project: Any) -> None:
    """What is no path is refused."""
    with pytest.raises(InvalidInputError, match="project: expected the path of a folder"):
        await monitor.add_project(project)


@pytest.mark.parametrize("name", ["", "../x", 7])
async def test_wrong_owner(monitor: SwarmMonitor, name: Any) -> None:
    """An owner is an agent."""
    with pytest.raises(InvalidInputError, match="owner: "):
        await monitor.claim_task("a", name)
    with pytest.raises(InvalidInputError, match="owner: "):
        await monitor.reassign_task("a", name)


async def test_cancelled_anywhere(source: Any, monitor: SwarmMonitor) -> None:
    """A claim that is cancelled has happened or not, and what is shown agrees with it after the next look."""
    source.put("/work", task("a"))

    async def check() -> None:
        state = await monitor.refresh()
        [found] = state.projects["/work"].tasks
        assert found.status == source.tasks("/work")[0]["status"]
        assert (found.owner is None) == (found.status == "pending")
        source.put("/work", task("a"))

    assert await cancel_at_every_checkpoint(lambda: monitor.claim_task("a", "ann"), check) > 3
