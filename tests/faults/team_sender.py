"""A process that sends to one member of a team: `python team_sender.py ROOT TO NAME COUNT SENDERS PAUSE`.

It prints `ready`, waits for a line, sends COUNT messages `NAME:NUMBER` with SENDERS tasks that wait PAUSE seconds after
each, and prints what it did as JSON: how many messages were written at once and how many later, the errors of dead
letters, and how many deliveries were left over in the end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import trio

from observatory import Observatory, Settings, open_observatory

CAPS = {"team_max_entries": 1_000_000, "team_max_bytes": 1_000_000_000}


async def main(root: str, to: str, name: str, count: int, senders: int, pause: float) -> None:
    """Send, and wait until everything is where it belongs."""
    written: list[str] = []
    async with open_observatory(Settings(root=root, plugins={"inbox": CAPS}), recover=()) as observatory:
        os.write(sys.stdout.fileno(), b"ready\n")
        await trio.to_thread.run_sync(sys.stdin.readline)
        numbers = iter(range(count))
        async with trio.open_nursery() as nursery:
            for _ in range(senders):
                nursery.start_soon(send, observatory, to, name, numbers, pause, written)
    dead = [letter.error for letter in observatory.dead_letters()]
    left = observatory.undelivered
    print(json.dumps({"at_once": len(written), "later": count - len(written), "dead": dead, "left": left}))


async def send(
    observatory: Observatory, to: str, name: str, numbers: Iterator[int], pause: float, written: list[str]
) -> None:
    """Send while there are numbers."""
    for number in numbers:
        receipt = await observatory.mailbox.send_message(to, name, f"{name}:{number}")
        if receipt.deliveries["inbox"].state == "written":
            written.append(receipt.message.id)
        await trio.sleep(pause)


if __name__ == "__main__":
    root, to, name, count, senders, pause = sys.argv[1:]
    trio.run(main, root, to, name, int(count), int(senders), float(pause))
