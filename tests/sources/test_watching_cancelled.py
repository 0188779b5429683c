"""Watching is cancelled: it ends at once, and leaves nothing open."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import trio

from observatory.sources.file_source import FileSource
from observatory.testing import cancel_at_every_checkpoint


async def until_open(count: int) -> None:
    """Wait until only so many descriptors are open: the last ones are closed by a thread that is not ours."""
    with trio.fail_after(5):
        while True:
            await trio.sleep(0.001)  # nobody tells
            if len(os.listdir("/proc/self/fd")) <= count:
                return


async def test_it_can_be_cancelled_at_any_moment(source: FileSource, project: Path, write_team: Any) -> None:
    """It ends at once, and leaves nothing open: before it listens, while it does, and while it begins anew."""
    await trio.to_thread.run_sync(lambda: None)
    before = len(os.listdir("/proc/self/fd"))
    for act in (lambda: None, (project / "tasks.jsonl").touch, lambda: write_team("alpha")):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(source.watch, [str(project)], lambda: None))
                act()
                scope.cancel()
                started = time.monotonic()
        assert time.monotonic() - started < 1
        await until_open(before)
    for act in ((project / "tasks.jsonl").unlink, lambda: write_team("beta")):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(source.watch, [str(project)], scope.cancel))
                act()
        assert scope.cancelled_caught
        await until_open(before)


async def test_it_can_be_cancelled_at_every_checkpoint(source: FileSource, project: Path) -> None:
    """From the beginning until it has told of something."""
    before = len(os.listdir("/proc/self/fd"))

    async def watch() -> None:
        async with trio.open_nursery() as nursery:
            news = trio.Event()
            await nursery.start(partial(source.watch, [str(project)], news.set))
            (project / "tasks.jsonl").touch()
            await news.wait()
            nursery.cancel_scope.cancel()

    with trio.fail_after(30):
        assert await cancel_at_every_checkpoint(watch, lambda: until_open(before)) > 3
