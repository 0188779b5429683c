"""A process that sends as fast as it can until it is killed: `python sender.py ROOT LOG SEED`.

It prints a line when it is ready, and notes in LOG, unbuffered, what it is about to do and what it was told. Each line
is a JSON array that begins with one of `send`, `receipt`, `acknowledge`, `acknowledged`.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import trio

from observatory import Observatory, Settings, open_observatory

SENDERS = 12
AGENTS = 4
LARGEST = 6_000  # characters: more than one page of a file
ACKNOWLEDGED = 0.25  # of what was sent


async def main(root: Path, log: int, chance: random.Random) -> None:
    """Send, and acknowledge some of it, with several tasks."""

    def note(*line: object) -> None:
        os.write(log, json.dumps(line).encode() + b"\n")

    async with open_observatory(Settings(root=root)) as observatory, trio.open_nursery() as nursery:
        os.write(sys.stdout.fileno(), b"ready\n")
        for number in range(SENDERS):
            nursery.start_soon(send, observatory, f"sender-{number}", note, chance)


async def send(observatory: Observatory, name: str, note: Callable[..., None], chance: random.Random) -> None:
    """Send without end; the content tells which message it is and ends with as many `x` as was noted."""
    mailbox = observatory.mailbox
    number = 0
    while True:
        number += 1
        to, key, size = f"agent-{chance.randrange(AGENTS)}", f"{name}:{number}:", chance.randrange(LARGEST)
        note("send", to, key + "x" * size)
        receipt = await mailbox.send_message(to, name, key + "x" * size)
        id = receipt.message.id
        note("receipt", to, id, receipt.sequence, receipt.deliveries["inbox"].state)
        if chance.random() < ACKNOWLEDGED:
            note("acknowledge", id)
            await mailbox.mark_read(to, id)
            note("acknowledged", id)


if __name__ == "__main__":
    descriptor = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    trio.run(main, Path(sys.argv[1]), descriptor, random.Random(int(sys.argv[3])))
