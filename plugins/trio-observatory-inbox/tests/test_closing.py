"""Closing that fails: the descriptor is given back all the same, and what was done counts for what it is."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from observatory_inbox import InboxSettings

from observatory import Done, Failed, Retraction

FailToClose: TypeAlias = Callable[..., list[int]]
WRITTEN = Done("written", "flushed")


@pytest.fixture
def fail_to_close(monkeypatch: pytest.MonkeyPatch) -> FailToClose:
    """Return what lets some descriptors be closed with an error, and returns what fails then to be closed again."""
    close = os.close

    def fail_to_close(is_meant: Callable[[int], bool], *, times: int = 1_000) -> list[int]:
        failed: list[int] = []
        twice: list[int] = []

        def close_and_fail(descriptor: int) -> None:
            try:
                mode = os.fstat(descriptor).st_mode
            except OSError:
                twice.append(descriptor)
                raise
            close(descriptor)
            if is_meant(mode) and len(failed) < times:
                failed.append(descriptor)
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "close", close_and_fail)
        return twice

    return fail_to_close


@pytest.mark.parametrize("level", ["flushed", "fsynced"])
async def test_folders(bench: Any, fail_to_close: FailToClose, level: Any) -> None:
    """Everything was written and removed before: no job of the batch fails, and no descriptor is closed twice."""
    await bench.restart(InboxSettings(durability=level))
    first, second, other = bench.post(), bench.post(), bench.post(to="other")
    await bench.channel.deliver([first])
    twice = fail_to_close(stat.S_ISDIR)
    outcomes = await bench.channel.deliver([Retraction("agent-42", first.message.id), second, other])
    assert outcomes == [Done("written"), Done("written", level), Done("written", level)]
    assert bench.files() == sorted(f"{each.message.to}/{each.message.id}.json" for each in (second, other))
    assert twice == []


@pytest.mark.parametrize("named", [False, True])
async def test_a_file_at_flushed(
    bench: Any, fail_to_close: FailToClose, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """Perhaps it is not whole for others: its job fails with what is behind it, nobody else's, and it is replaced."""
    if named:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        await bench.restart()
    first, second, _ = posts = bench.post(), bench.post(), bench.post(to="other")
    twice = fail_to_close(stat.S_ISREG, times=1)
    outcomes = await bench.channel.deliver(posts)
    assert isinstance(outcomes[0], Failed)
    assert not outcomes[0].permanent
    assert str(bench.path(first)) in outcomes[0].error
    assert outcomes[1:] == [outcomes[0], WRITTEN]
    assert not bench.path(second).exists()
    before = bench.path(first).stat().st_ino if bench.path(first).exists() else None
    assert (before is None) == named
    assert await bench.channel.deliver([first, second]) == [WRITTEN] * 2
    assert bench.path(first).stat().st_ino != before
    assert bench.files() == sorted(f"{each.message.to}/{each.message.id}.json" for each in posts)
    assert twice == []


@pytest.mark.parametrize("named", [False, True])
async def test_a_file_at_fsynced(
    bench: Any, fail_to_close: FailToClose, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """Its sync has told that it is whole: it is written."""
    if named:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    await bench.restart(InboxSettings(durability="fsynced"))
    posts = bench.post(), bench.post(), bench.post(to="other")
    twice = fail_to_close(stat.S_ISREG)
    assert await bench.channel.deliver(posts) == [Done("written", "fsynced")] * 3
    assert bench.files() == sorted(f"{each.message.to}/{each.message.id}.json" for each in posts)
    assert twice == []


async def test_what_was_read(bench: Any, fail_to_close: FailToClose) -> None:
    """It was read: every file is recovered, and counted."""
    posts = bench.post(), bench.post(to="other")
    await bench.channel.deliver(posts)
    twice = fail_to_close(lambda mode: stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    assert [message.id for message in await bench.recover()] == [post.message.id for post in posts]
    assert [stats.pending_count for stats in await bench.channel.queue_stats()] == [1, 1]
    assert twice == []


async def test_what_cannot_be_written(bench: Any, fail_to_close: FailToClose, monkeypatch: pytest.MonkeyPatch) -> None:
    """At fsynced the error is that of writing, and no temporary file is left."""
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    await bench.restart(InboxSettings(durability="fsynced"))
    post = bench.post()
    write = os.write

    def fail(descriptor: int, data: bytes) -> int:
        if json.dumps(post.message.id).encode() in bytes(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", fail)
    fail_to_close(stat.S_ISREG)
    (outcome,) = await bench.channel.deliver([post])
    assert outcome.error.endswith("No space left on device")
    assert bench.files() == []
