"""What clients that never read cost: others, in throughput, and the service, in memory.

`python websocket_stuck.py COUNT SECONDS` prints the most bytes that this process has taken while as many as COUNT did
not read.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import trio
from harness import Figure, Options, at_least, at_most, interleave, speeds
from websocket_clients import Plan, start_clients
from websocket_fan_out import FIRST, TOPIC, run_ours
from websocket_servers import BURST, open_door, receive_report

_PAIRS = 11
_MIB = 1024 * 1024
_PAYLOAD = "x" * 2_000
_PAUSE = 0.005
"""Seconds between two bursts."""


def measure(options: Options) -> Iterator[Figure]:
    """Measure 99 that read beside one that does not, and 500 that do not."""
    root = options.make_folder()
    reading = options.size(99, 3)
    more = attrs.evolve(options, pairs=max(options.pairs, options.size(_PAIRS, 1)))
    sides = [partial(trio.run, run_ours, more, root, reading, stuck) for stuck in (1, 0)]
    beside_stuck, alone = interleave(more, *sides)
    name = f"websocket events to {reading} connections"
    yield Figure(f"{name} beside one that is stuck", "without it", speeds(beside_stuck, alone), at_least(0.9))
    stuck = options.size(500, 3)
    command = [sys.executable, __file__, str(stuck), str(options.size(20, 1))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    name = f"websocket: most resident memory with {stuck} connections that are stuck"
    yield Figure(name, "none", [int(done.stdout) / _MIB], at_most(600), "MiB")


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
