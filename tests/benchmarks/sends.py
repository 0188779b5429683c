"""Sending in memory, without delivery channels, against what Trio's channels can do."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TypeAlias

import attrs
import trio
from harness import Figure, Options, at_least, at_most, costs, interleave, settings, speeds

from observatory import Observatory, TracesSettings, open_observatory

_SENDERS = 50
_BUFFER = 100
_CONTENT = "x" * 100

_Work: TypeAlias = Callable[[Observatory, int], Awaitable[None]]


def measure(options: Options) -> Iterator[Figure]:
    """Measure one sequential sender, and 50 at the same time."""
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=options.folder) as root:
        count = options.size(20_000, 50)
        ours, bare = interleave(options, partial(_ours, root, _sequential, count), partial(trio.run, _request, count))
        floor = "a request with a fresh reply channel to a task"
        yield Figure("memory only: one sequential sender", floor, speeds(ours, bare), at_least(0.5))
        count = options.size(50_000, 100)
        ours, bare = interleave(options, partial(_ours, root, _concurrent, count), partial(trio.run, _buffered, count))
        yield Figure("memory only: 50 senders", "a buffered channel", speeds(ours, bare), at_least(0.5))
        yield from _traced(options, root)


def _traced(options: Options, root: str) -> Iterator[Figure]:
    """Measure what noting the way of messages costs who sends them."""
    for name, work, count in (("one sequential sender", _sequential, 20_000), ("50 senders", _concurrent, 50_000)):
        count = options.size(count, 50)
        sides = [
            partial(_ours, root, work, count, traces) for traces in (TracesSettings(), TracesSettings(max_traces=0))
        ]
        traced, untraced = interleave(options, *sides)
        yield Figure(f"memory only, traced: {name}", "the same without traces", costs(traced, untraced), at_most(1.1))


def _ours(root: str, work: _Work, count: int, traces: TracesSettings | None = None) -> float:
    async def run() -> float:
        given = attrs.evolve(settings(root), traces=traces or TracesSettings())
        async with open_observatory(given) as observatory:
            start = time.perf_counter()
            await work(observatory, count)
            return time.perf_counter() - start

    return trio.run(run)


async def _sequential(observatory: Observatory, count: int, agent: str = "agent-1") -> None:
    for _ in range(count):
        await observatory.mailbox.send_message(agent, "dashboard", _CONTENT)


async def _concurrent(observatory: Observatory, count: int) -> None:
    async with trio.open_nursery() as nursery:
        for sender in range(_SENDERS):
            nursery.start_soon(_sequential, observatory, count // _SENDERS, f"agent-{sender}")


async def _request(count: int) -> float:
    requests_in, requests = trio.open_memory_channel[tuple[int, trio.MemorySendChannel[int]]](_BUFFER)

    async def answer() -> None:
        async for value, reply in requests:
            await reply.send(value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        start = time.perf_counter()
        for number in range(count):
            reply, answers = trio.open_memory_channel[int](1)
            await requests_in.send((number, reply))
            await answers.receive()
        seconds = time.perf_counter() - start
        requests_in.close()
    return seconds


async def _buffered(count: int) -> float:
    values_in, values = trio.open_memory_channel[int](_BUFFER)

    async def send() -> None:
        for number in range(count // _SENDERS):
            await values_in.send(number)

    async with trio.open_nursery() as nursery:
        start = time.perf_counter()
        for _ in range(_SENDERS):
            nursery.start_soon(send)
        for _ in range(count // _SENDERS * _SENDERS):
            await values.receive()
        seconds = time.perf_counter() - start
    return seconds
