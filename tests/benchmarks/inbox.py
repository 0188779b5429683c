"""The file inbox against a bare loop that writes files of the same size into the same folders."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio
from harness import Figure, Options, at_least, interleave, settings, speeds

from observatory import Observatory, open_observatory

_AGENTS = [f"agent-{number}" for number in range(50)]
_CONTENT = "x" * 100
_FLOOR = "open, write, close, rename in a loop"
_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108  # the usual tmpfs, where there is one


def measure(options: Options) -> Iterator[Figure]:
    """Measure on disk, and in a file system in memory where there is one."""
    yield from _measure_in(options.folder, options, goal=0.6)
    if os.access(_MEMORY_FOLDER, os.W_OK):
        yield from _measure_in(_MEMORY_FOLDER, options, goal=0.35)


def _measure_in(folder: Path, options: Options, *, goal: float) -> Iterator[Figure]:
    place = _file_system(folder)
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=folder) as root:
        files = _Files(root, options.size(4_000, 50))
        together, alone, bare = interleave(options, partial(files.ours, len(_AGENTS)), partial(files.ours, 1), files.bare)
        yield Figure(f"inbox on {place}: 50 senders to 50 agents", _FLOOR, speeds(together, bare), at_least(goal))
        yield Figure(f"inbox on {place}: one sequential sender", _FLOOR, speeds(alone, bare), at_least(0.15))


class _Files:
    """Both sides, in the same folders, each starting with them empty."""

    def __init__(self, root: str, count: int) -> None:
        self._settings = settings(root, "inbox")
        self._count = count
        self._folders = [f"{root}/inbox/{agent}" for agent in _AGENTS]
        trio.run(self._send, 50)  # makes the folders
        self._data = bytes(os.path.getsize(self._paths()[-1]))
        self._clear(50)

    def ours(self, senders: int) -> float:
        """Send through Observatory and return the seconds it took."""
        seconds = trio.run(self._send, self._count, senders)
        self._clear(self._count)
        return seconds

    def bare(self) -> float:
        """Write bare files and return the seconds it took."""
        folders, data = self._folders, self._data
        start = time.perf_counter()
        for number in range(self._count):
            folder = folders[number % len(folders)]
            temporary = f"{folder}/.{number}.tmp"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, data)
            os.close(descriptor)
            os.rename(temporary, f"{folder}/{number:016x}.json")
        seconds = time.perf_counter() - start
        self._clear(self._count)
        return seconds

    async def _send(self, count: int, senders: int = 1) -> float:
        async with open_observatory(self._settings, recover=()) as observatory:
            start = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for first in range(senders):
                    nursery.start_soon(_send_all, observatory, [_AGENTS[n % 50] for n in range(first, count, senders)])
            return time.perf_counter() - start

    def _clear(self, expected: int) -> None:
        paths = self._paths()
        if len(paths) != expected:
            raise RuntimeError(f"{len(paths)} files were written, {expected} were expected")
        for path in paths:
            os.unlink(path)

    def _paths(self) -> list[str]:
        return [entry.path for folder in self._folders for entry in os.scandir(folder)]


async def _send_all(observatory: Observatory, agents: list[str]) -> None:
    for agent in agents:
        receipt = await observatory.mailbox.send_message(agent, "dashboard", _CONTENT)
        if receipt.deliveries["inbox"].state != "written":
            raise RuntimeError(f"a message was not written: {receipt}")


def _file_system(folder: Path) -> str:
    """Return the kind of file system that a folder is on, such as `ext4`."""
    found = (Path("/"), "disk")
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    except OSError:
        return found[1]
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        if folder.resolve().is_relative_to(point) and len(Path(point).parts) >= len(found[0].parts):
            found = (Path(point), kind)
    return found[1]
