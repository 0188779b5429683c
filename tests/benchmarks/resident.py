"""What a million messages take in memory: `python resident.py COUNT` prints this process's bytes when it holds them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import trio
from harness import Figure, Options, at_most, settings

from observatory import Mailbox, open_observatory

_AGENTS = 100
_MIB = 1024 * 1024


def measure(options: Options) -> Iterator[Figure]:
    """Measure once, in a process of its own: the value does not depend on the machine's load."""
    count = options.size(1_000_000, 1_000)
    command = [sys.executable, __file__, str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    name = f"{count:,} messages of 100 characters: resident memory"
    yield Figure(name, "none", [int(done.stdout) / _MIB], at_most(750), "MiB")


async def _hold(count: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        async with open_observatory(settings(root)) as observatory:
            async with trio.open_nursery() as nursery:
                for agent in range(_AGENTS):
                    nursery.start_soon(_fill, observatory.mailbox, f"agent-{agent}", range(agent, count, _AGENTS))
            if observatory.statistics().mailbox.unread != count:
                raise RuntimeError("not every message is held")
            print(_resident_bytes())


async def _fill(mailbox: Mailbox, agent: str, numbers: range) -> None:
    for number in numbers:
        await mailbox.send_message(agent, "dashboard", f"{number:0100d}")


def _resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell how much memory is resident")


if __name__ == "__main__":
    trio.run(_hold, int(sys.argv[1]))
