"""What clients that never read cost: others, in throughput, and the service, in memory.

`python websocket_stuck.py COUNT SECONDS` prints the most bytes that this process has taken while as many as COUNT did
not read.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import trio
from harness import Figure, Options, at_least, at_most
from websocket_clients import Plan, start_clients
from websocket_fan_out import FIRST, TOPIC, open_fan_out
from websocket_servers import BURST, Burst, open_door, receive_report

_PAIRS = 11
_SECONDS = 1.0
_MIB = 1024 * 1024
_PAYLOAD = "x" * 2_000
_PAUSE = 0.005
"""Seconds between two bursts."""


def measure(options: Options) -> Iterator[Figure]:
    """Measure 99 that read beside one that does not, and 500 that do not."""
    reading = options.size(99, 3)
    values = trio.run(_compare, options, reading)
    yield Figure(f"websocket events to {reading}, and one stuck", "without that", values, at_least(0.9))
    stuck = options.size(500, 3)
    command = [sys.executable, __file__, str(stuck), str(options.size(20, 1))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    yield Figure(
        f"websocket, {stuck} that are stuck: most memory", "none", [int(done.stdout) / _MIB], at_most(600), "MiB"
    )


async def _compare(options: Options, reading: int) -> list[float]:
    """Publish in turn to connections of which one is stuck, and to as many without it."""
    beside, alone = options.make_folder(), options.make_folder()
    async with open_fan_out(beside, reading, stuck=1) as publish_beside, open_fan_out(alone, reading) as publish_alone:
        await publish_alone()
        pairs = max(options.pairs, options.size(_PAIRS, 1))
        seconds = [await _time(options, publish_beside, publish_alone) for _ in range(pairs)]
    return [without / with_one for with_one, without in seconds]


async def _time(options: Options, *sides: Burst) -> list[float]:
    """Let each side publish for a second, in turn, burst for burst."""
    seconds = [0.0] * len(sides)
    bursts = 0
    while min(seconds) < _SECONDS and bursts < options.size(1_000_000, 2):
        for side, burst in enumerate(sides):
            start = time.perf_counter()
            await burst()
            seconds[side] += time.perf_counter() - start
        bursts += 1
    return seconds


async def _hold(count: int, seconds: float) -> None:
    """Publish until all of them were closed, or for so many seconds."""
    with tempfile.TemporaryDirectory() as root:
        async with open_door(Path(root)) as door:
            plan = Plan(work="count", port=door.port, token=door.token, connections=0, stuck=count, first=FIRST)
            with start_clients(plan) as reports, trio.move_on_after(seconds):
                await receive_report(reports)
                while door.clients():
                    for _ in range(BURST):
                        door.observatory.pubsub.publish(TOPIC, _PAYLOAD, size=len(_PAYLOAD))
                    await trio.sleep(_PAUSE)
    print(_most_resident_bytes())


def _most_resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell how much memory was resident")


if __name__ == "__main__":
    trio.run(_hold, int(sys.argv[1]), float(sys.argv[2]))
