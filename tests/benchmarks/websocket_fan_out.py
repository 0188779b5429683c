"""Events of 200 bytes to many connections, against what sends to each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import trio
from harness import Figure, Options, at_least, interleave, speeds
from websocket_clients import Plan, start_clients
from websocket_servers import BURST, EVENT, Burst, open_door, receive_report, time_bursts

TOPIC = "benchmark"

FIRST = f'{{"jsonrpc": "2.0", "id": 1, "method": "topics.subscribe", "params": ["{TOPIC}"]}}'
"""What a client sends to follow it."""

_WIDE = 100_000
"""Events before the first one that counts, so that all numbers are equally wide, and all frames of one size."""

_Side: TypeAlias = Callable[[Options, int], Coroutine[None, None, float]]


def measure(options: Options) -> Iterator[Figure]:
    """Measure with few connections, and with many."""
    root = options.make_folder()
    for connections, goal in ((options.size(10, 2), 4.0), (options.size(100, 3), 4.0), (options.size(500, 4), 3.0)):
        yield from _measure(options, root, connections, goal)


def _measure(options: Options, root: Path, connections: int, goal: float) -> Iterator[Figure]:
    from websocket_bare import run_each  # only there where the plugin is installed

    others = _others(options, connections)
    ours, bare, *rest = interleave(
        options,
        partial(trio.run, _ours, options, root, connections),
        partial(trio.run, run_each, options, connections),
        *others.values(),
    )
    name = f"websocket events to {connections} connections"
    floor = "trio-websocket's send_message to each"
    yield Figure(f"{name}: ours", floor, speeds(ours, bare), at_least(10))
    seconds = dict(zip(others, rest, strict=True))
    on_asyncio = [seconds.pop(other) for other in ("websockets.broadcast", "aiohttp") if other in seconds]
    if on_asyncio:
        better = [min(pair) for pair in zip(*on_asyncio, strict=True)]
        yield Figure(f"{name}: ours", "the better of websockets and aiohttp", speeds(ours, better), at_least(goal))
    for other, of_other in zip(others, rest, strict=True):
        yield Figure(f"{name}: {other}", floor, speeds(of_other, bare))
    if "Redis" in seconds:
        yield Figure(f"{name}: ours", "Redis", speeds(ours, seconds["Redis"]))
    yield Figure(f"{name}: ours", "none", [BURST * connections / one for one in ours], unit="a second")


def _others(options: Options, connections: int) -> dict[str, Callable[[], float]]:
    if not find_spec("websockets") or not find_spec("aiohttp"):
        return {}
    installed = import_module("websocket_others")  # only there where benchmarks are run
    sides: dict[str, _Side] = {
        "websockets.broadcast": installed.run_websockets,
        "aiohttp": installed.run_aiohttp,
    }
    if installed.has_redis():
        sides["Redis"] = installed.run_redis
    return {name: partial(_run, side, options, connections) for name, side in sides.items()}


def _run(side: _Side, options: Options, connections: int) -> float:
    return asyncio.run(side(options, connections))


async def _ours(options: Options, root: Path, connections: int) -> float:
    async with open_fan_out(root, connections) as burst:
        return await time_bursts(options, burst)


@asynccontextmanager
async def open_fan_out(root: Path, connections: int, *, stuck: int = 0) -> AsyncIterator[Burst]:
    """Connect some that read to a service, and some that are stuck; the block gets what publishes to them."""
    async with open_door(root, close_stuck=False) as door:
        plan = Plan(
            work="count",
            port=door.port,
            token=door.token,
            connections=connections,
            stuck=stuck,
            first=FIRST,
            burst=BURST,
        )
        publish = door.observatory.pubsub.publish
        for _ in range(_WIDE):
            publish(TOPIC, EVENT)
        with start_clients(plan) as reports:

            async def burst() -> None:
                for _ in range(BURST):
                    publish(TOPIC, EVENT)
                await receive_report(reports)

            await receive_report(reports)  # they are connected
            while door.full() < stuck:
                await burst()
            yield burst
