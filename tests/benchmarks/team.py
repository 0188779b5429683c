"""A team inbox of 500 entries against rewriting it for every message."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import orjson
import trio
from harness import Figure, Options, at_least, interleave, settings, speeds

from observatory import Observatory, Settings, open_observatory

_SENDERS = 50
_ENTRIES = 500
_CONTENT = "x" * 100
_ENTRY = {
    "from": "dashboard",
    "text": _CONTENT,
    "summary": _CONTENT[:80],
    "timestamp": "2026-11-21T10:00:00.000Z",
    "color": "blue",
    "msgV": 1,
    "msg_id": "00f1c2d3a4b5e697",
    "type": "message",
    "read": False,
}


def measure(options: Options) -> Iterator[Figure]:
    """Measure 50 concurrent senders to one inbox."""
    count = options.size(400, 60)
    root = options.make_folder()
    sides = [
        partial(_ours, root, count),
        partial(_bare, root, count // 4, json.loads, partial(json.dumps, indent=2)),
        partial(_bare, root, count // 4, orjson.loads, partial(orjson.dumps, option=orjson.OPT_INDENT_2)),
    ]
    ours, plain, quick = interleave(options, *sides)
    name = f"team inbox of {_ENTRIES} entries: 50 senders"
    floor = "parse, append, dump, rename a message, by"
    yield Figure(name, f"{floor} json", speeds(ours, [seconds * 4 for seconds in plain]), at_least(20))
    yield Figure(name, f"{floor} orjson", speeds(ours, [seconds * 4 for seconds in quick]))


def _ours(root: Path, count: int) -> float:
    inbox = _make_team(root)
    caps = {"team_max_entries": 1_000_000, "team_max_bytes": 1 << 30}
    given = attrs.evolve(settings(root, "inbox"), plugins={"inbox": caps})
    seconds = trio.run(_send_all, given, count)
    if len(json.loads(inbox.read_bytes())) != _ENTRIES + count:
        raise RuntimeError("not every message is in the team inbox")
    return seconds


async def _send_all(given: Settings, count: int) -> float:
    async with open_observatory(given, recover=()) as observatory:
        start = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for first in range(_SENDERS):
                nursery.start_soon(_send, observatory, len(range(first, count, _SENDERS)))
        return time.perf_counter() - start


async def _send(observatory: Observatory, count: int) -> None:
    for _ in range(count):
        receipt = await observatory.mailbox.send_message("bob@night-shift", "dashboard", _CONTENT)
        if receipt.deliveries["inbox"].state != "written":
            raise RuntimeError(f"a message was not written: {receipt}")


def _bare(root: Path, count: int, loads: Callable[[bytes], Any], dumps: Callable[[Any], str | bytes]) -> float:
    inbox = _make_team(root)
    temporary = inbox.with_suffix(".tmp")
    start = time.perf_counter()
    for _ in range(count):
        entries = loads(inbox.read_bytes())
        entries.append(_ENTRY)
        text = dumps(entries)
        temporary.write_bytes(text.encode() if isinstance(text, str) else text)
        os.rename(temporary, inbox)
    return time.perf_counter() - start


def _make_team(root: Path) -> Path:
    """Make the team, or its inbox as it was at first, and return the inbox's path."""
    team = root / "teams" / "night-shift"
    inbox = team / "inboxes" / "bob.json"
    inbox.parent.mkdir(parents=True, exist_ok=True)
    config = {"name": "night-shift", "members": [{"name": "bob", "agentId": "bob@night-shift"}]}
    (team / "config.json").write_text(json.dumps(config), encoding="utf-8")
    inbox.write_text(json.dumps([_ENTRY] * _ENTRIES, indent=2), encoding="utf-8")
    return inbox
