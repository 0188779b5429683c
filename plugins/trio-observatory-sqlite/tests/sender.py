"""A process that appends as fast as it can until it is killed: `python sender.py ROOT SEED PLUGIN …`.

The plugins are left out. It prints, unbuffered, `ready`, and then as JSON arrays what it is about to do and what it
was told: `["send", to, content]`, `["receipt", to, number, content]`, `["read", to, number]`, `["done", to, number]`.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

import trio

from observatory import Observatory, Settings, StorageSettings, open_observatory

SENDERS = 8
AGENTS = 3


def say(*line: object) -> None:
    """Print a line that a kill cannot take back."""
    os.write(sys.stdout.fileno(), json.dumps(line).encode() + b"\n")


async def main(settings: Settings, chance: random.Random) -> None:
    """Send, and acknowledge some of it, with several tasks."""
    async with open_observatory(settings) as observatory, trio.open_nursery() as nursery:
        say("ready")
        for number in range(SENDERS):
            nursery.start_soon(send, observatory, f"{chance.randrange(2**48):x}-{number}", chance)


async def send(observatory: Observatory, name: str, chance: random.Random) -> None:
    """Send without end; no content is sent twice."""
    number = 0
    while True:
        number += 1
        to, content = f"agent-{chance.randrange(AGENTS)}", f"{name}-{number}-".ljust(chance.randrange(3000), "x")
        say("send", to, content)
        receipt = await observatory.mailbox.send_message(to, "dashboard", content)
        say("receipt", to, receipt.sequence, content)
        if chance.random() < 0.2:
            say("read", to, receipt.sequence)
            await observatory.mailbox.mark_read(to, receipt.message.id)
            say("done", to, receipt.sequence)


if __name__ == "__main__":
    settings = Settings(
        root=Path(sys.argv[1]),
        storage=StorageSettings(backend="sqlite"),
        disabled_plugins=tuple(sys.argv[3:]),
    )
    trio.run(main, settings, random.Random(int(sys.argv[2])))
