"""The file inbox against a bare loop that writes files of the same size into the same folders."""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import trio
from harness import MEMORY_FOLDER, Figure, Goal, Options, at_least, interleave, settings, speeds

from observatory import Observatory, open_observatory

_AGENTS = [f"agent-{number}" for number in range(50)]
_CONTENT = "x" * 100


def measure(options: Options) -> Iterator[Figure]:
    """Measure on disk, and in a file system in memory where there is one."""
    yield from _measure_in(options.make_folder(), options, together_goal=at_least(0.6), alone_goal=at_least(0.15))
    if os.access(MEMORY_FOLDER, os.W_OK):
        # Alone, two hops between threads outweigh a file system that never leaves memory: the figure is printed only.
        with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=MEMORY_FOLDER) as root:
            yield from _measure_in(Path(root), options, together_goal=at_least(0.35), alone_goal=None)
    yield from _measure_synced(options)


def _measure_in(root: Path, options: Options, *, together_goal: Goal, alone_goal: Goal | None) -> Iterator[Figure]:
    place = _file_system(root)
    count = options.size(3_000, 50)
    files = _Files(root, count)
    together, alone, bare = interleave(options, partial(files.ours, 50), partial(files.ours, 1), files.bare)
    microseconds = statistics.median(bare) / count * 1e6
    floor = f"open, write, close, rename in a loop ({microseconds:.0f} µs each)"
    yield Figure(f"inbox on {place}: 50 senders to 50 agents", floor, speeds(together, bare), together_goal)
    yield Figure(f"inbox on {place}: one sequential sender", floor, speeds(alone, bare), alone_goal)


def _measure_synced(options: Options) -> Iterator[Figure]:
    count = options.size(1_000, 50)
    files = _Files(options.make_folder(), count, synced=True)
    together, alone, bare = interleave(options, partial(files.ours, 50), partial(files.ours, 1), files.bare)
    microseconds = statistics.median(bare) / count * 1e6
    floor = f"open, write, fsync, rename, fsync the folder in a loop ({microseconds:.0f} µs each)"
    name = f"inbox at fsynced on {_file_system(options.folder)}"
    yield Figure(f"{name}: 50 senders to 50 agents", floor, speeds(together, bare), at_least(1.8))
    yield Figure(f"{name}: one sequential sender", floor, speeds(alone, bare))


class _Files:
    """Both sides in the same 50 folders, which fill up as they do where nobody acknowledges.

    Nothing is removed before the end: ext4 does not use an inode again for minutes after its file was removed, and
    searches longer for each that it passes over.
    """

    def __init__(self, root: Path, count: int, *, synced: bool = False) -> None:
        self._synced = synced
        durability = {"durability": "fsynced" if synced else "flushed"}
        self._settings = attrs.evolve(settings(root, "inbox"), plugins={"inbox": durability})
        self._count = count
        self._inbox = os.path.join(root, "inbox")
        self._folders = [os.path.join(self._inbox, agent) for agent in _AGENTS]
        self._names = (f"{number:016x}" for number in itertools.count())
        self._written = 0
        trio.run(self._send, 50, 1)
        self._check(100)
        self._data = bytes(os.path.getsize(self._paths()[-1]))

    def ours(self, senders: int) -> float:
        """Send through Observatory and return the seconds it took."""
        seconds = trio.run(self._send, self._count, senders)
        self._check(self._count + 50)
        return seconds

    def bare(self) -> float:
        """Write bare files and return the seconds it took."""
        folders, data = self._folders, self._data
        start = time.perf_counter()
        for number, name in zip(range(self._count), self._names, strict=False):
            folder = folders[number % len(folders)]
            temporary = f"{folder}/.{name}.tmp"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, data)
            if self._synced:
                os.fsync(descriptor)
            os.close(descriptor)
            os.rename(temporary, f"{folder}/{name}.json")
            if self._synced:
                _sync_folder(folder)
        seconds = time.perf_counter() - start
        self._check(self._count)
        return seconds

    async def _send(self, count: int, senders: int) -> float:
        async with open_observatory(self._settings, recover=()) as observatory:
            await _send_all(observatory, _AGENTS)  # not timed: folders, mailboxes and the worker thread are there now
            start = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for first in range(senders):
                    nursery.start_soon(_send_all, observatory, [_AGENTS[n % 50] for n in range(first, count, senders)])
            return time.perf_counter() - start

    def _check(self, expected: int) -> None:
        earlier, self._written = self._written, len(self._paths())
        if self._written - earlier != expected:
            raise RuntimeError(f"{self._written - earlier} files were written, {expected} were expected")

    def _paths(self) -> list[str]:
        return [entry.path for folder in self._folders for entry in os.scandir(folder)]


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


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
