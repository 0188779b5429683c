"""What a full mailbox costs beyond an almost empty one."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

import trio
from harness import Figure, Options, at_most, costs, interleave_async, settings

from observatory import Mailbox, open_observatory

_SHALLOW = 10
_CONTENT = "x" * 100

_Work: TypeAlias = Callable[[Mailbox, str, Sequence[str]], Awaitable[None]]
"""Does one operation for each of these ids of unread messages."""


def measure(options: Options) -> Iterator[Figure]:
    """Measure everything that must not depend on depth."""
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=options.folder) as root:
        yield from trio.run(_measure, root, options)
        yield trio.run(_measure_evicting, root, options)


async def _measure(root: str, options: Options) -> list[Figure]:
    depth, count = options.size(100_000, 100), options.size(10_000, 20)
    floor = f"the same at a depth of {_SHALLOW}"
    async with open_observatory(settings(root)) as observatory:
        mailbox = observatory.mailbox
        await _send(mailbox, "deep", range(depth))
        figures = []
        for name, work, choose in _OPERATIONS:
            deep, shallow = await interleave_async(
                options,
                partial(_work_deep, mailbox, work, choose, depth, count),
                partial(_work_shallow, mailbox, work, choose, count),
            )
            figures.append(Figure(f"depth {depth:,}: {name}", floor, costs(deep, shallow), at_most(1.5)))
        await _send(mailbox, "shallow", range(_SHALLOW - mailbox.unread_count("shallow")))
        reads = {"unread_count": mailbox.unread_count, "one agent's statistics": mailbox.agent_stats}
        for name, read in reads.items():
            count = options.size(100_000, 100)
            deep, shallow = await interleave_async(
                options, partial(_read, read, "deep", count), partial(_read, read, "shallow", count)
            )
            figures.append(Figure(f"depth {depth:,}: {name}", floor, costs(deep, shallow), at_most(1.5)))
        return figures


async def _measure_evicting(root: str, options: Options) -> Figure:
    depth, count = options.size(100_000, 100), options.size(10_000, 20)
    async with (
        open_observatory(settings(root, max_messages=depth)) as deep,
        open_observatory(settings(root, max_messages=_SHALLOW)) as shallow,
    ):
        await _fill_with_read(deep.mailbox, depth)
        await _fill_with_read(shallow.mailbox, _SHALLOW)
        at_depth, at_floor = await interleave_async(
            options, partial(_evict, deep.mailbox, count, count), partial(_evict, shallow.mailbox, count, _SHALLOW)
        )
    floor = f"the same at a cap of {_SHALLOW}"
    return Figure(f"cap {depth:,}: send that evicts", floor, costs(at_depth, at_floor), at_most(1.5))


async def _work_deep(
    mailbox: Mailbox, work: _Work, choose: Callable[[list[str], int], list[str]], depth: int, count: int
) -> float:
    """Do the work in a mailbox that holds `depth` unread messages before and afterwards."""
    ids = choose(_unread(mailbox, "deep", depth), count)
    start = time.perf_counter()
    await work(mailbox, "deep", ids)
    seconds = time.perf_counter() - start
    await _send(mailbox, "deep", range(depth - mailbox.unread_count("deep")))
    return seconds


async def _work_shallow(
    mailbox: Mailbox, work: _Work, choose: Callable[[list[str], int], list[str]], count: int
) -> float:
    """Do the same work in rounds, each in a mailbox that was just filled with a few unread messages."""
    seconds = 0.0
    for _ in range(count // _SHALLOW):
        await mailbox.clear_messages("shallow")
        await _send(mailbox, "shallow", range(_SHALLOW))
        ids = choose(_unread(mailbox, "shallow", _SHALLOW), _SHALLOW)
        start = time.perf_counter()
        await work(mailbox, "shallow", ids)
        seconds += time.perf_counter() - start
    return seconds


async def _read(read: Callable[[str], object], agent: str, count: int) -> float:
    await trio.lowlevel.checkpoint()
    start = time.perf_counter()
    for _ in range(count):
        read(agent)
    return time.perf_counter() - start


async def _evict(mailbox: Mailbox, count: int, at_once: int) -> float:
    """Send into a mailbox that is full of read messages; afterwards it is again."""
    seconds = 0.0
    for _ in range(count // at_once):
        start = time.perf_counter()
        await _send(mailbox, "full", range(at_once))
        seconds += time.perf_counter() - start
        await mailbox.mark_read("full", *_unread(mailbox, "full", at_once))
    return seconds


async def _fill_with_read(mailbox: Mailbox, count: int) -> None:
    await _send(mailbox, "full", range(count))
    await mailbox.mark_read("full", *_unread(mailbox, "full", count))


def _unread(mailbox: Mailbox, agent: str, limit: int) -> list[str]:
    """Return the ids of unread messages, oldest first."""
    return [message.id for message in reversed(mailbox.get_messages(agent, limit=limit, unread_only=True))]


async def _send(mailbox: Mailbox, agent: str, numbers: Sequence[object]) -> None:
    for _ in numbers:
        await mailbox.send_message(agent, "dashboard", _CONTENT)


async def _mark_read(mailbox: Mailbox, agent: str, ids: Sequence[str]) -> None:
    for id in ids:
        await mailbox.mark_read(agent, id)


def _oldest(ids: list[str], count: int) -> list[str]:
    return ids[:count]


def _newest(ids: list[str], count: int) -> list[str]:
    return ids[::-1][:count]


_OPERATIONS: Sequence[tuple[str, _Work, Callable[[list[str], int], list[str]]]] = (
    ("send", _send, _oldest),
    ("mark_read, oldest first", _mark_read, _oldest),
    ("mark_read, random", _mark_read, random.sample),
    ("mark_read, newest first", _mark_read, _newest),
)
