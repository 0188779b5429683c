"""When a registry loads again: after a burst of changes, in its interval, and after it has failed."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from observatory_skills import SkillRegistry
from observatory_skills.news import LONGEST, QUIET
from observatory_skills.registry import RETRY
from trio.testing import MockClock, wait_all_tasks_blocked


async def _pass(clock: MockClock, seconds: float) -> None:
    """Let time pass, and whatever is done in threads be done."""
    await wait_all_tasks_blocked(0.02)
    clock.jump(seconds)
    for _ in range(3):
        await wait_all_tasks_blocked(0.02)


async def _reloads(registry: SkillRegistry) -> int:
    await wait_all_tasks_blocked(0.02)
    reloads: int = registry.statistics()["reloads"]
    return reloads


async def test_a_burst_of_changes(shelf_of: Any, running: Any, mock_clock: MockClock) -> None:
    """Skills are loaded once, when it is over."""
    shelf = shelf_of("pdf")
    async with running(shelf) as registry:
        before = await _reloads(registry)
        shelf.put("csv")
        for _ in range(5):
            shelf.tell()
            await _pass(mock_clock, QUIET / 2)
        assert registry.get("csv") is None
        await _pass(mock_clock, QUIET)
        assert registry.get("csv") is not None
        assert await _reloads(registry) == before + 1


async def test_changes_that_go_on(shelf_of: Any, running: Any, mock_clock: MockClock) -> None:
    """Skills are loaded after a second all the same."""
    shelf = shelf_of("pdf")
    async with running(shelf) as registry:
        shelf.put("csv")
        for _ in range(int(LONGEST / QUIET) * 2 + 2):
            shelf.tell()
            await _pass(mock_clock, QUIET / 2)
        assert registry.get("csv") is not None


async def test_what_has_changed(shelf_of: Any, running: Any, mock_clock: MockClock) -> None:
    """Of all skills those are looked at of which a source has told, and no other source is asked."""
    shelf, other = shelf_of("pdf", "csv"), shelf_of("txt", where="other")
    async with running(shelf, other) as registry:
        before = shelf.looked, other.looked
        shelf.put_all(["pdf", "csv"], "Has changed.")
        other.put("new")
        for name in ("pdf", "pdf"):
            shelf.tell(name)
        await _pass(mock_clock, 2 * QUIET)
        assert [registry.get(name).description for name in ("pdf", "csv")] == ["Has changed.", "Does something."]
        assert registry.get("new") is None
        assert (shelf.looked, other.looked, shelf.looked_at, other.looked_at) == (*before, ["pdf"], [])


async def test_anything_may_have_changed(shelf_of: Any, running: Any, mock_clock: MockClock) -> None:
    """Where a source tells so, before or after it has told of a skill, everything of it is looked at."""
    shelf = shelf_of("pdf", "csv")
    async with running(shelf) as registry:
        for turn, told in enumerate([[["pdf"], []], [[], ["pdf"]]]):
            shelf.put("csv", f"Has changed {turn}.")
            for names in told:
                shelf.tell(*names)
            await _pass(mock_clock, 2 * QUIET)
            assert registry.get("csv").description == f"Has changed {turn}."


async def test_everything_after_a_failure(shelf_of: Any, running: Any, mock_clock: MockClock) -> None:
    """What was told before a failure has been lost with it: after that everything is looked at, and then no more."""
    shelf = shelf_of("pdf", "csv")
    async with running(shelf) as registry:
        shelf.fault = "the disk is gone"
        shelf.put_all(["pdf", "csv"], "Has changed.")
        shelf.tell("pdf")
        await _pass(mock_clock, 2 * QUIET)
        shelf.fault = None
        shelf.tell("csv")
        await _pass(mock_clock, 2 * QUIET)
        assert [skill.description for skill in registry.list()] == ["Has changed."] * 2
        looked = shelf.looked
        shelf.tell("csv")
        await _pass(mock_clock, 2 * QUIET)
        assert (shelf.looked, shelf.looked_at) == (looked, ["pdf", "csv"])


async def test_an_interval(shelf_of: Any, running: Any, mock_clock: MockClock) -> None:
    """Where one is set, skills are loaded after it, without any news."""
    shelf = shelf_of("pdf")
    async with running(shelf, reload_interval=60, watch=False) as registry:
        assert shelf.changed is None
        shelf.put("csv")
        await _pass(mock_clock, 59)
        assert registry.get("csv") is None
        await _pass(mock_clock, 1)
        assert registry.get("csv") is not None


async def test_no_interval(shelf_of: Any, running: Any, mock_clock: MockClock) -> None:
    """Without one, and without news, nobody looks again."""
    shelf = shelf_of("pdf")
    async with running(shelf) as registry:
        before = await _reloads(registry)
        await _pass(mock_clock, 100_000)
        assert await _reloads(registry) == before


async def test_it_fails(shelf_of: Any, running: Any, mock_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """What there was stays, the log says why, and it is tried again."""
    shelf = shelf_of("pdf")
    async with running(shelf) as registry:
        shelf.fault = "the disk is gone"
        with caplog.at_level(logging.WARNING):
            shelf.tell()
            await _pass(mock_clock, 2 * QUIET)
        assert "skills are not loaded again, and stay as they were: shelf: the disk is gone" in caplog.text
        assert registry.count() == 1
        shelf.fault = None
        shelf.put("csv")
        await _pass(mock_clock, RETRY)
        assert registry.count() == 2


async def test_a_source_that_breaks(shelf_of: Any, mock_clock: MockClock) -> None:
    """The registry fails with it, is read all the same, and runs again."""

    async def watch(changed: object, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        raise RuntimeError("broken")

    shelf = shelf_of("pdf")
    shelf.watch = watch
    registry = SkillRegistry(sources={"shelf": shelf})
    with pytest.RaisesGroup(RuntimeError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(registry.run)
            await _pass(mock_clock, 1)
    assert registry.count() == 1
    async with trio.open_nursery() as nursery:
        await nursery.start(registry.run)
        assert registry.count() == 1
        nursery.cancel_scope.cancel()
