"""Giving back room."""

from __future__ import annotations

from typing import Any

import trio

from observatory import Cleared
from observatory.testing.samples import messages


async def test_room_goes_back(bench: Any) -> None:
    """After many messages have gone, the file is small again, but for some room to go on with."""
    async with bench.open() as storage:
        for _ in range(20):
            await storage.append(messages(*["a"] * 1000, content="x" * 1000))
        await storage.append([*messages("b"), Cleared("a")])
        await storage.flush()
        large = bench.path.stat().st_size
        await storage.compact()
        await storage.flush()
        assert bench.path.stat().st_size < large / 3
        await storage.compact()
        assert len(await bench.everything(storage)) == 1
        assert await storage.append(messages("a", "b")) == [20_001, 2]


async def test_beside_appending(bench: Any) -> None:
    """While room is given back, commits take their turns."""
    order: list[str] = []
    async with bench.open() as storage:
        await storage.append(messages(*["a"] * 20_000, content="x" * 1000))
        await storage.append([Cleared("a")])

        async def compact() -> None:
            await storage.compact()
            order.append("compacted")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(compact)
            await trio.lowlevel.checkpoint()
            for number in range(1, 6):
                assert await storage.append(messages("b")) == [number]
            order.append("appended")
    assert order == ["appended", "compacted"]
    assert len(await bench.everything()) == 5


async def test_the_log_does_not_grow_for_ever(bench: Any) -> None:
    """The log is written back on the way, also without any flush."""
    async with bench.open() as storage:
        for _ in range(3000):
            await storage.append(messages("a", content="x" * 4000))
        assert bench.log.stat().st_size < 3000 * 4000 / 2
