"""A process that loses the right to write to an inbox and gets it back: `python denied.py ROOT USER`.

Started as root it becomes that user, for good, as soon as all is loaded. It prints, as a JSON array of [state, error],
what three receipts say: before, without the right, and behind that; then how many deliveries were left when it ended.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import trio

from observatory import Delivery, Settings, open_observatory


async def main(root: Path, user: int) -> None:
    """Send before and while the agent's folder cannot be written, then try again what has failed."""
    folder = root / "inbox" / "agent-42"
    deliveries: list[Delivery] = []
    async with open_observatory(Settings(root=root)) as observatory:
        if not os.geteuid():
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        for content in ("first", "second", "third"):
            receipt = await observatory.mailbox.send_message("agent-42", "dashboard", content)
            deliveries.append(receipt.deliveries["inbox"])
            folder.chmod(0o500)
        folder.chmod(0o700)
        await observatory.redeliver()
    print(json.dumps([[delivery.state, delivery.error] for delivery in deliveries]))
    print(observatory.undelivered)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
