"""Sending with the SQLite storage, against the same library, durability and table without Observatory."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import attrs
import trio
from harness import Figure, Options, at_least, at_most, costs, interleave, settings, speeds

from observatory import Message, Observatory, Settings, StorageSettings, open_observatory

_AGENTS = [f"agent-{number}" for number in range(50)]
_CONTENT = "x" * 100
_BATCH = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLE = """CREATE TABLE messages (place INTEGER PRIMARY KEY, recipient TEXT NOT NULL, sequence INTEGER NOT NULL,
    id TEXT NOT NULL, sender TEXT NOT NULL, content TEXT NOT NULL, timestamp INTEGER NOT NULL, type TEXT NOT NULL,
    metadata TEXT, expires_at INTEGER)"""
_INSERT = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def measure(options: Options) -> Iterator[Figure]:
    """Measure sending, and what the next process makes of a million messages."""
    yield from _measure_sends(options)
    yield from _measure_replay(options)


def _measure_sends(options: Options) -> Iterator[Figure]:
    count = options.size(5_000, 100)
    root = options.make_folder()
    sides = [
        partial(trio.run, _send, _settings(root), count),
        partial(_bare, root, count // 10, 1),
        partial(_bare, root, count, _BATCH),
    ]
    ours, single, batches = interleave(options, *sides)
    single = [seconds * 10 for seconds in single]  # a tenth of them, since each waits for the disk
    name = "sqlite storage: 50 senders, no delivery channels"
    yield Figure(name, "sqlite3: a commit a message, same durability", speeds(ours, single), at_least(5))
    yield Figure(name, f"sqlite3: a commit every {_BATCH} messages", speeds(ours, batches), at_least(0.2))


def _measure_replay(options: Options) -> Iterator[Figure]:
    count = options.size(1_000_000, 500)
    few = attrs.evolve(options, pairs=min(options.pairs, 3))  # each run takes long enough to be steady
    root = options.make_folder()
    given = _settings(root)
    trio.run(_send, given, count)
    ours, bare = interleave(few, partial(trio.run, _open, given, count), partial(_select, root, count))
    floor = "sqlite3: select, and construct each message"
    yield Figure(f"sqlite storage: start with {count:,} messages", floor, costs(ours, bare), at_most(2))


def _settings(root: Path) -> Settings:
    return attrs.evolve(settings(root, "sqlite"), storage=StorageSettings(backend="sqlite"))


async def _send(given: Settings, count: int) -> float:
    async with open_observatory(given) as observatory:
        start = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for first in range(len(_AGENTS)):
                nursery.start_soon(_send_some, observatory, _AGENTS[first], range(first, count, len(_AGENTS)))
        return time.perf_counter() - start


async def _send_some(observatory: Observatory, agent: str, numbers: range) -> None:
    for _ in numbers:
        await observatory.mailbox.send_message(agent, "dashboard", _CONTENT)


async def _open(given: Settings, count: int) -> float:
    start = time.perf_counter()
    async with open_observatory(given) as observatory:
        seconds = time.perf_counter() - start
        if observatory.statistics().mailbox.messages != count:
            raise RuntimeError("not every message is there again")
    return seconds


def _bare(folder: Path, count: int, batch: int) -> float:
    """Insert rows as wide as ours, so many a commit, and return the seconds it took."""
    path = folder / f"bare-{time.time_ns()}.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(_TABLE)
        rows = [_row(number) for number in range(count)]
        start = time.perf_counter()
        for first in range(0, count, batch):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, rows[first : first + batch])
            connection.execute("COMMIT")
        return time.perf_counter() - start


def _row(number: int) -> Sequence[object]:
    agent = _AGENTS[number % len(_AGENTS)]
    fields = number // len(_AGENTS), f"{number:016x}", "dashboard", _CONTENT, time.time_ns() // 1_000, "text"
    return number, agent, *fields, None, None


def _select(root: Path, count: int) -> float:
    start = time.perf_counter()
    with closing(sqlite3.connect(root / "observatory" / "observatory.db")) as connection:
        rows = connection.execute("SELECT recipient, id, sender, content, timestamp, type FROM messages ORDER BY place")
        messages = [
            Message(
                id=id,
                from_=sender,
                to=to,
                content=content,
                timestamp=_EPOCH + timedelta(microseconds=micros),
                type=type,
            )
            for to, id, sender, content, micros, type in rows
        ]
    if len(messages) != count:
        raise RuntimeError("not every message is there")
    return time.perf_counter() - start
