"""A process that opens a storage backend: `python opener.py ROOT [USER [MODE FOLDER_MODE]]`.

Started as root it becomes that user, for good, as soon as all is loaded, and gives the database and its folder those
modes. It prints how many messages there are, or why it does not open.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import trio
from observatory_sqlite import SqliteStorage

from observatory import Context, PubSub, StorageError, Stored, TrioClock


async def main(root: Path, *numbers: int) -> None:
    """Open, count, and close."""
    user, *modes = numbers or (0,)
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    folder = root / "observatory"
    if modes:
        (folder / "observatory.db").chmod(modes[0])
        folder.chmod(modes[1])
    storage = SqliteStorage(Context(root, TrioClock(), PubSub(), None, {}, {}))
    found: list[Stored] = []
    try:
        await storage.start()
        await storage.replay(found.extend)
    except StorageError as error:
        print(error)
    else:
        print(f"{len(found)} messages")
    finally:
        await storage.aclose()
        if modes:
            folder.chmod(0o700)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), *map(int, sys.argv[2:]))
