"""A process that changes tasks: `python changer.py HOW PROJECT ...`, where HOW is the name of a function here."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from functools import partial
from pathlib import Path

import trio

from observatory.errors import SwarmSourceError
from observatory.sources.file_source import FileSource
from observatory.swarm.rewriting import rewritten

SIZE = 400_000  # bytes of a file, so that writing takes a while


async def claim(project: str, name: str, times: str) -> None:
    """Say when ready, wait for a line, then add a mark to a list in the second line, as many times."""
    source = FileSource(Path(project))

    def add(data: bytes) -> bytes:
        marks = json.loads(data.splitlines()[1])["marks"]
        return rewritten(data, {"1": {"marks": [*marks, name]}})

    print("ready", flush=True)
    await trio.to_thread.run_sync(sys.stdin.readline)
    for _ in range(int(times)):
        await source.change(project, add)


async def fill(project: str) -> None:
    """Write whole files, each of one digit, until killed; say so once the first one is there."""
    source = FileSource(Path(project))
    await source.change(project, lambda _: b"0" * SIZE)
    print("ready", flush=True)
    while True:
        await source.change(project, lambda data: b"%d" % ((int(data[:1]) + 1) % 10) * SIZE)


async def masked(project: str, umask: str) -> None:
    """Change, and put a team aside, under a umask."""
    os.umask(int(umask, 8))
    source = FileSource(Path(project).parent / "root")
    await source.change(project, lambda data: data + b"x")
    await source.archive("alpha")


async def full(project: str) -> None:
    """Print the error of a change beyond what may be written."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
    await refused(project)


async def denied(project: str, user: str) -> None:
    """Print the error of a change, and of reading, without rights."""
    become(int(user))
    os.chmod(project, 0o500)
    await refused(project)
    os.chmod(os.path.join(project, "tasks.jsonl"), 0)
    await refused(project)


async def blind(project: str, user: str) -> None:
    """Watch a project without rights to it."""
    importlib.import_module("watchfiles")  # while it can be read
    become(int(user))
    os.chmod(project, 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(FileSource(Path(project).parent).watch, [project], lambda: None))
        print("watching")
        nursery.cancel_scope.cancel()


def become(user: int) -> None:
    """Give up every right."""
    if not os.geteuid():
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


async def refused(project: str) -> None:
    """Print the error of a change, and what lies in the project then."""
    try:
        await FileSource(Path(project)).change(project, lambda data: data + b"x" * 2_000)
    except SwarmSourceError as error:
        print(json.dumps([error.reason, sorted(os.listdir(project))]))


if __name__ == "__main__":
    trio.run(globals()[sys.argv[1]], *sys.argv[2:])
