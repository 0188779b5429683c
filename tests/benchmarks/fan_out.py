"""Live readers: subscriptions read in batches, against bare channels, asyncio's queues and `broadcaster`."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import trio
from harness import Figure, Options, at_least, interleave, speeds

from observatory import ClosedError, PubSub, Subscription

_READERS = 100
_TOPIC = "agent:agent-42"
_PAYLOAD = "x" * 100

_Side = Callable[[int, int], float]


def measure(options: Options) -> Iterator[Figure]:
    """Measure bursts of 16 and one event at a time; after each, every reader reads all that is there."""
    beside: dict[str, _Side] = {"asyncio.Queue": _run_asyncio(_queues)}
    if find_spec("broadcaster"):
        beside["broadcaster"] = _run_asyncio(_broadcaster)
    for burst, bursts, goal, name in (
        (16, options.size(150, 2), 8.0, "in bursts of 16"),
        (1, options.size(2_000, 2), 1.2, "one at a time"),
    ):
        sides = [partial(side, burst, bursts) for side in (_ours, _bare, *beside.values())]
        ours, bare, *others = interleave(options, *sides)
        floor = f"send_nowait to {_READERS} tasks reading one by one"
        yield Figure(f"fan-out {name}: subscriptions", floor, speeds(ours, bare), at_least(goal))
        for other, seconds in zip(beside, others, strict=True):
            yield Figure(f"fan-out {name}: {other}", floor, speeds(seconds, bare))


def _ours(burst: int, bursts: int) -> float:
    async def run() -> float:
        pubsub = PubSub()
        subscriptions = [pubsub.subscribe(_TOPIC) for _ in range(_READERS)]
        async with trio.open_nursery() as nursery:
            for subscription in subscriptions:
                nursery.start_soon(_read_batches, subscription)
            await _settle(lambda: 0)
            start = time.perf_counter()
            for _ in range(bursts):
                for _ in range(burst):
                    pubsub.publish(_TOPIC, _PAYLOAD)
                await _settle(lambda: subscriptions[-1].statistics().pending)
            seconds = time.perf_counter() - start
            pubsub.close()
        _check([subscription.statistics().delivered for subscription in subscriptions], burst * bursts)
        return seconds

    return trio.run(run)


async def _read_batches(subscription: Subscription) -> None:
    try:
        while True:
            await subscription.receive_batch()
    except ClosedError:
        return


def _bare(burst: int, bursts: int) -> float:
    async def run() -> float:
        channels = [trio.open_memory_channel[str](math.inf) for _ in range(_READERS)]
        senders = [sender for sender, _ in channels]
        async with trio.open_nursery() as nursery:
            for _, receiver in channels:
                nursery.start_soon(_read_one_by_one, receiver)
            await _settle(lambda: 0)
            start = time.perf_counter()
            for _ in range(bursts):
                for _ in range(burst):
                    for sender in senders:
                        sender.send_nowait(_PAYLOAD)
                await _settle(lambda: senders[-1].statistics().current_buffer_used)
            seconds = time.perf_counter() - start
            _check([sender.statistics().current_buffer_used for sender in senders], 0)
            for sender in senders:
                sender.close()
        return seconds

    return trio.run(run)


async def _read_one_by_one(receiver: trio.MemoryReceiveChannel[str]) -> None:
    async for _ in receiver:
        pass


async def _settle(pending: Callable[[], int]) -> None:
    """Let readers run until the last one has nothing left, and then all others, who run in the same rounds."""
    left = 1
    while left:
        await trio.lowlevel.checkpoint()
        left = pending()
    await trio.lowlevel.checkpoint()


def _run_asyncio(side: Callable[[int, int], Awaitable[float]]) -> _Side:
    async def run(burst: int, bursts: int) -> float:
        return await side(burst, bursts)

    return lambda burst, bursts: asyncio.run(run(burst, bursts))


async def _queues(burst: int, bursts: int) -> float:
    queues: list[asyncio.Queue[str]] = [asyncio.Queue() for _ in range(_READERS)]
    readers = [asyncio.create_task(_read_queue(queue)) for queue in queues]
    await asyncio.sleep(0)
    start = time.perf_counter()
    for _ in range(bursts):
        for _ in range(burst):
            for queue in queues:
                queue.put_nowait(_PAYLOAD)
        await _settle_asyncio(queues[-1].qsize)
    seconds = time.perf_counter() - start
    _check([queue.qsize() for queue in queues], 0)
    await _cancel(readers)
    return seconds


async def _read_queue(queue: asyncio.Queue[str]) -> None:
    while True:
        await queue.get()


async def _broadcaster(burst: int, bursts: int) -> float:
    broadcaster = import_module("broadcaster")  # only there where benchmarks are run
    counts = [0] * _READERS
    ready = [asyncio.Event() for _ in range(_READERS)]

    async def read(number: int) -> None:
        async with broadcast.subscribe(_TOPIC) as subscriber:
            ready[number].set()
            async for _ in subscriber:
                counts[number] += 1

    async with broadcaster.Broadcast("memory://") as broadcast:
        readers = [asyncio.create_task(read(number)) for number in range(_READERS)]
        for event in ready:
            await event.wait()
        start = time.perf_counter()
        for number in range(bursts):
            for _ in range(burst):
                await broadcast.publish(_TOPIC, _PAYLOAD)
            await _settle_asyncio(partial(_behind, counts, (number + 1) * burst))
        seconds = time.perf_counter() - start
        await _cancel(readers)
    return seconds


async def _settle_asyncio(pending: Callable[[], int]) -> None:
    left = 1
    while left:
        await asyncio.sleep(0)
        left = pending()


def _behind(counts: list[int], expected: int) -> int:
    return expected - min(counts)


async def _cancel(readers: list[asyncio.Task[None]]) -> None:
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)


def _check(values: list[int], expected: int) -> None:
    if any(value != expected for value in values):
        raise RuntimeError(f"every reader should be at {expected}: {values}")
