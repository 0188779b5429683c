"""A process that opens an Observatory where it may not write: `python denied.py FOLDER USER BELOW`.

Started as root it becomes that user, for good, as soon as all is loaded. It makes FOLDER/locked, which it cannot write
to, takes what lies BELOW that for the root, and prints, as JSON, why it has not opened and how many parts were made.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import trio

from observatory import Context, RootError, Settings, open_observatory
from observatory.testing import RecordingChannel, observatory_plugin


async def main(folder: Path, user: int, below: str) -> None:
    """Give up every right, and try to open."""
    if not os.geteuid():
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    locked = folder / "locked"
    locked.mkdir(mode=0o500)
    made: list[Context] = []

    def make(context: Context) -> RecordingChannel:
        made.append(context)
        return RecordingChannel()

    try:
        async with open_observatory(
            Settings(root=locked / below), plugins=[observatory_plugin("p", channels={"c": make})]
        ):
            print(json.dumps("it has opened"))
    except RootError as error:
        print(json.dumps([str(error), len(made)]))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
