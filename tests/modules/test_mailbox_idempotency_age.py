"""How long idempotency keys hold: a day, whatever the clock does, and what is older leaves storage."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import (
    Clock,
    MemoryStorage,
    Observatory,
    Receipt,
    StorageError,
    StoredKey,
)
from observatory.testing import DurableStorage, FailingStorage

Open = Callable[..., AbstractAsyncContextManager[Observatory]]
HOUR = 3600.0


async def send(
    obs: Observatory, content: str = "hello", *, key: str = "key", sender: str = "x", **more: Any
) -> Receipt:
    """Send to `a` under a key."""
    return await obs.mailbox.send_message("a", sender, content, metadata={"n": [1]}, idempotency_key=key, **more)


async def keys_in(storage: MemoryStorage) -> list[str]:
    """Return the keys that a storage backend keeps."""
    kept: list[Any] = []
    await storage.replay(kept.extend)
    return sorted(each.key.key for each in kept if isinstance(each, StoredKey))


async def test_after_a_day(open_here: Open, autojump_clock: MockClock) -> None:
    """A key is forgotten 24 hours after its message."""
    async with open_here() as obs:
        await send(obs)
        await trio.sleep(24 * HOUR - 1)
        assert (await send(obs)).duplicate
        await trio.sleep(2)
        assert not (await send(obs)).duplicate


class SetClock(Clock):
    """Shows what it is set to."""

    time = datetime(2026, 5, 1, tzinfo=UTC).timestamp()

    def _read(self) -> int:
        return int(self.time * 1_000_000)


@pytest.mark.parametrize("hours", [-48, -1, 1, 23])
async def test_the_clock_is_set(open_here: Open, hours: int) -> None:
    """Set back by any time, or forward within the day, a key still holds."""
    clock = SetClock()
    async with open_here(clock=clock) as obs:
        await send(obs)
        clock.time += hours * HOUR
        assert (await send(obs)).duplicate


async def test_a_key_that_is_used_again_after_a_day(open_here: Open, autojump_clock: MockClock) -> None:
    """It is not forgotten with the one that it replaces, although others come in the same batch."""
    async with open_here() as obs:
        await send(obs)
        await trio.sleep(25 * HOUR)
        async with trio.open_nursery() as nursery:
            for key in ("key", "other", "third"):
                nursery.start_soon(lambda key: send(obs, key=key), key)
        assert [(await send(obs, key=key)).duplicate for key in ("key", "other", "third")] == [True] * 3


async def test_old_keys_leave_storage(open_here: Open, autojump_clock: MockClock) -> None:
    """With each new one up to two that are older than a day, also when many come at once."""
    storage = DurableStorage()
    async with open_here(storage=storage) as obs:
        for number in range(10):
            await send(obs, key=f"old-{number}")
        autojump_clock.jump(25 * HOUR)  # at once: a clock that goes there stops at every second
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(lambda number: send(obs, key=f"new-{number}"), number)
    assert await keys_in(storage) == [f"new-{number}" for number in range(5)]


async def test_old_keys_stay_when_the_commit_fails(open_here: Open, autojump_clock: MockClock) -> None:
    """What should have gone is as it was, and goes with the next one."""
    storage = FailingStorage()
    async with open_here(storage=storage) as obs:
        await send(obs, key="old")
        await trio.sleep(25 * HOUR)
        storage.failing = True
        with pytest.raises(StorageError):
            await send(obs, key="new")
        assert await keys_in(storage) == ["old"]
        storage.failing = False
        assert not (await send(obs, key="new")).duplicate
        assert await keys_in(storage) == ["new"]
