"""Hearing of changes, of the system itself."""

from __future__ import annotations

import errno
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from watchfiles import _rust_notify

from observatory.errors import SwarmSourceError
from observatory.sources.file_source import FileSource

SOON = 0.1
"""Seconds within which a change is heard of, on a machine that is not busy with something else."""


class Watch:
    """What is heard of."""

    def __init__(self) -> None:
        self.count = 0
        self._news = trio.Event()

    def changed(self) -> None:
        """Take news."""
        self.count += 1
        self._news.set()

    async def hears(self, act: Callable[[], object]) -> None:
        """Do something, and be told of it."""
        await self.calm()
        act()
        await self.heard()

    async def heard(self) -> None:
        """Be told of what was done just now."""
        with trio.fail_after(5):
            await self._news.wait()

    async def hears_nothing(self, act: Callable[[], object], then: Callable[[], object]) -> None:
        """Do something that nobody is to hear of, then something that is heard of: once."""
        await self.calm()
        count = self.count
        act()
        await trio.sleep(SOON)  # as long as news would take
        assert self.count == count
        await self.hears(then)

    async def calm(self) -> None:
        """Wait until no more is heard of what was done before."""
        while True:
            self._news = trio.Event()
            with trio.move_on_after(SOON) as scope:
                await self._news.wait()
            if scope.cancelled_caught:
                self._news = trio.Event()
                return


@pytest.fixture
def watching(source: FileSource) -> Callable[..., Any]:
    """Return what watches some projects, as a context manager."""

    @asynccontextmanager
    async def watching(*projects: object) -> AsyncIterator[Watch]:
        watch = Watch()
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(source.watch, [str(project) for project in projects], watch.changed))
            yield watch
            nursery.cancel_scope.cancel()

    return watching


async def test_changes_of_tasks_are_heard_of(source: FileSource, project: Path, watching: Any) -> None:
    """Made, changed, replaced and removed, by us and by others; nothing is, right after it has begun."""
    tasks = project / "tasks.jsonl"
    async with watching(project) as watch:
        assert watch.count == 0
        await watch.hears(lambda: tasks.write_text("{}"))
        await watch.hears(lambda: tasks.write_text("{}{}"))
        await watch.calm()
        await source.change(str(project), lambda data: data + b"\n")
        await watch.heard()
        await watch.hears(tasks.unlink)


async def test_changes_are_heard_of_soon(project: Path, write_task: Any, watching: Any) -> None:
    """Of a known file, and of a new folder, for which listening begins anew; half of them at least."""
    (project / "tasks.jsonl").touch()
    async with watching(project) as watch:
        for act in (lambda _: touch(project / "tasks.jsonl"), lambda number: write_task(f"t{number}", 1)):
            times = []
            for number in range(9):
                await watch.calm()
                started = time.monotonic()
                act(number)
                await watch.heard()
                times.append(time.monotonic() - started)
            assert statistics.median(times) < SOON


def touch(path: Path) -> None:
    """Give a file another time."""
    os.utime(path)


async def test_other_files_are_not_heard_of(root: Path, project: Path, watching: Any) -> None:
    """In the project, below it, and in the root."""
    (project / "below").mkdir()
    async with watching(project) as watch:

        def act() -> None:
            for path in (
                project / "x",
                project / "below" / "tasks.jsonl",
                root / "settings.json",
                root / "tasks.jsonl",
            ):
                path.write_text("x")

        await watch.hears_nothing(act, (project / "tasks.jsonl").touch)


async def test_what_is_below_teams_and_tasks_is_heard_of(
    root: Path, write_team: Any, write_task: Any, watching: Any
) -> None:
    """What is there, and what comes later, from the first folder on."""
    async with watching() as watch:
        await watch.hears(lambda: write_team("alpha"))
        await watch.hears(lambda: write_team("alpha", "/x"))
        await watch.hears(lambda: write_task("alpha", 1))
        await watch.hears(lambda: write_task("alpha", 1, {"id": "2"}))
        await watch.hears(lambda: write_team("beta"))
        await watch.hears(lambda: write_team("beta", "/x"))
        await watch.hears((root / "tasks" / "alpha").joinpath("1.json").unlink)
        await watch.hears((root / "tasks" / "alpha").rmdir)
        await watch.hears(lambda: write_task("alpha", 1))
        await watch.hears(lambda: write_task("alpha", 1, {"id": "3"}))


async def test_a_team_that_is_put_aside_is_heard_of(source: FileSource, write_team: Any, watching: Any) -> None:
    """And nothing breaks by its folder going."""
    write_team("alpha")
    async with watching() as watch:
        count = watch.count
        await source.archive("alpha")
        await watch.hears(lambda: write_team("alpha"))
        assert watch.count > count


async def test_what_is_no_folder_is_passed_over(project: Path, watching: Any) -> None:
    """What is gone, what can be no path, and what a team keeps by itself."""
    (project / "file").touch()
    async with watching(project / "gone", project / "file", "/nul\0", "/\ud800", "team:alpha", project) as watch:
        await watch.hears((project / "tasks.jsonl").touch)


async def test_a_root_that_is_missing_or_odd_is_passed_over(root: Any, project: Path, watching: Any) -> None:
    """Projects are watched all the same."""
    (root / "teams").touch()
    async with watching(project) as watch:
        await watch.hears((project / "tasks.jsonl").touch)
    (root / "teams").unlink()
    root.rmdir()
    async with watching(project) as watch:
        await watch.hears((project / "tasks.jsonl").unlink)


async def test_a_project_that_goes_is_heard_of(project: Path, tmp_path: Path, watching: Any) -> None:
    """And the others are watched on."""
    other = tmp_path / "other"
    other.mkdir()
    async with watching(project, other) as watch:
        await watch.hears(project.rmdir)
        await watch.hears((other / "tasks.jsonl").touch)


async def test_names_that_are_no_utf_8_do_not_end_it(root: Path, project: Path, watching: Any) -> None:
    """Nor does a folder that is called so."""
    bad = os.fsencode(project) + b"/\xff"
    async with watching(project) as watch:
        await watch.hears(lambda: os.close(os.open(bad, os.O_CREAT | os.O_WRONLY)))
        await watch.hears((project / "tasks.jsonl").touch)
        await watch.hears(lambda: os.makedirs(os.fsencode(root) + b"/teams/\xff"))
        await watch.hears((project / "tasks.jsonl").unlink)


async def test_a_link_in_the_way_of_the_root_does_not_matter(tmp_path: Path, root: Path, write_team: Any) -> None:
    """News have the real path."""
    write_team("alpha")
    (tmp_path / "link").symlink_to(root)
    watch = Watch()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(FileSource(tmp_path / "link").watch, [], watch.changed))
        await watch.hears(lambda: write_team("alpha", "/x"))
        nursery.cancel_scope.cancel()


async def test_what_comes_before_it_listens_is_not_missed(
    root: Path, write_team: Any, watching: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that comes between looking and listening is listened to; one that goes then is no error."""
    notify = _rust_notify.RustNotify
    happening = iter((lambda: write_team("alpha"), lambda: (root / "teams/gone").rmdir()))
    (root / "teams" / "gone").mkdir(parents=True)

    def listen(*arguments: Any) -> Any:
        for happen in happening:
            happen()
            break
        return notify(*arguments)

    monkeypatch.setattr(_rust_notify, "RustNotify", listen)
    async with watching() as watch:
        assert list(happening) == []
        await watch.hears(lambda: write_team("alpha", "/x"))


@pytest.mark.parametrize("error", [RuntimeError("OS file watch limit reached."), OSError(errno.EMFILE, "Too many")])
async def test_a_system_that_tells_nothing_is_an_error(
    source: FileSource, root: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """As itself, in no group; such as beyond the system's limit of watches."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(_rust_notify, "RustNotify", fail)
    with pytest.raises(SwarmSourceError, match="the system tells nothing of changes") as raised:
        await source.watch([], lambda: None, task_status=trio.TASK_STATUS_IGNORED)
    assert raised.value.__cause__ is error


async def test_what_changed_raises_comes_out(source: FileSource, project: Path) -> None:
    """As itself, even if it is what the system could raise."""

    def fail() -> None:
        raise RuntimeError("no")

    async def watch(*, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128 -- the source says so
        with pytest.raises(RuntimeError, match="no"):
            await source.watch([str(project)], fail, task_status=task_status)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            await nursery.start(watch)
            (project / "tasks.jsonl").touch()
