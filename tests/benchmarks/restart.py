"""What a start with a full inbox takes, and how soon what another process writes is there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import orjson
import trio
from harness import Figure, Options, at_most, costs, interleave, settings

from observatory import Settings, open_observatory

_AGENTS = 50
_ROUNDS = 20


def measure(options: Options) -> Iterator[Figure]:
    """Measure recovery at start, and adopting while running."""
    yield from _measure_recovery(options)
    yield from _measure_adopting(options)


def _measure_recovery(options: Options) -> Iterator[Figure]:
    count = options.size(100_000, 200)
    few = attrs.evolve(options, pairs=min(options.pairs, 5))
    root = options.make_folder()
    for number in range(count):
        _write(root, number)
    given = settings(root, "inbox")
    ours, bare = interleave(few, partial(trio.run, _open, given, count), partial(_read_all, root / "inbox", count))
    floor = "list, read, and parse by orjson in a loop"
    yield Figure(f"inbox: start with {count:,} files", floor, costs(ours, bare), at_most(1.5))


async def _open(given: Settings, count: int) -> float:
    start = time.perf_counter()
    async with open_observatory(given, services=False) as observatory:
        seconds = time.perf_counter() - start
        if observatory.statistics().mailbox.messages != count:
            raise RuntimeError("not every message was recovered")
    return seconds


def _read_all(inbox: Path, count: int) -> float:
    start = time.perf_counter()
    found = []
    for agent in os.scandir(inbox):
        for entry in os.scandir(agent.path):
            with open(entry.path, "rb") as file:
                found.append(orjson.loads(file.read()))
    if len(found) != count:
        raise RuntimeError("not every file is there")
    return time.perf_counter() - start


def _measure_adopting(options: Options) -> Iterator[Figure]:
    root = options.make_folder()
    rounds = options.size(_ROUNDS, 2)
    there, new, gone = trio.run(_adopt, settings(root, "inbox"), root, rounds)
    floor = "none: a file is renamed to its place"
    yield Figure("inbox: another's file is in the table, known recipient", floor, there, at_most(50), "ms")
    yield Figure("inbox: another's file is in the table, new recipient", floor, new, at_most(50), "ms")
    yield Figure("inbox: a removed file is acknowledged", "none: it is unlinked", gone, at_most(50), "ms")


async def _adopt(given: Settings, root: Path, rounds: int) -> tuple[list[float], list[float], list[float]]:
    there: list[float] = []
    new: list[float] = []
    gone: list[float] = []
    async with open_observatory(given) as observatory, observatory.pubsub.subscribe("agent:*") as subscription:
        for number in range(2 * rounds):
            start = time.perf_counter()
            path = _write(root, number, f"agent-{number // 2}")
            await anext(subscription)
            (there if number % 2 else new).append((time.perf_counter() - start) * 1e3)
            start = time.perf_counter()
            path.unlink()
            await anext(subscription)
            gone.append((time.perf_counter() - start) * 1e3)
    return there, new, gone


def _write(root: Path, number: int, to: str | None = None) -> Path:
    """Write the file of a message as any process may."""
    to = to or f"agent-{number % _AGENTS}"
    fields = {
        "type": "message",
        "from": "writer",
        "content": "x" * 100,
        "message_type": "text",
        "metadata": {},
        "id": f"{number:016x}",
        "session_id": to,
        "timestamp": "2026-11-21T10:00:00.000001+00:00",
    }
    folder = root / "inbox" / to
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / ".new"
    temporary.write_text(json.dumps(fields), encoding="utf-8")
    return temporary.rename(folder / f"{fields['id']}.json")
