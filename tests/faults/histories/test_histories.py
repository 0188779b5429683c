"""Histories of clients that work at the same time and are killed: nothing that was receipted is lost or comes twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from observatory import open_observatory

from .checker import problems
from .client import Plan, unread
from .history import KILL, Found, History, read_history

if TYPE_CHECKING:
    from ..conftest import Extent

pytestmark = pytest.mark.faults

CLIENT = Path(__file__).with_name("client.py")
CLIENTS = 8
AT_ONCE = 2
CRASHES = 40  # of all clients of a history together, about
KINDS: Mapping[str, Mapping[str, Any]] = {
    "eight processes": {"storage": "memory"},
    "eight tasks": {"storage": "memory", "clients": CLIENTS},
    "eight tasks with sqlite": {"storage": "sqlite", "clients": CLIENTS},
    "eight tasks with sqlite and a clock that goes astray": {"storage": "sqlite", "clients": CLIENTS, "astray": 10.0},
}


async def run_client(plan: Plan) -> None:
    """Run a process with all of its lives; when this is cancelled, the life that is under way ends too."""
    command = [sys.executable, str(CLIENT), json.dumps(attrs.asdict(plan))]
    process = await trio.lowlevel.open_process(command, start_new_session=True, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        said = b"".join([chunk async for chunk in process.stderr])
        assert await process.wait() == 0, said.decode()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            with trio.CancelScope(shield=True):
                await process.wait()


async def find_all(plan: Plan) -> Mapping[str, Found]:
    """Return what a new Observatory finds unread, by recipient."""
    async with open_observatory(plan.settings()) as observatory:
        assert observatory.health().healthy
        return {agent: unread(observatory, agent) for agent in observatory.mailbox.get_stats()}


def read_logs(plans: Iterable[Plan]) -> list[bytes]:
    """Return all lines that were noted."""
    return [line for plan in plans for line in Path(plan.log).read_bytes().splitlines()]


async def make_history(folder: Path, kind: str, operations: int, seed: int) -> History:
    """Let eight clients work on one root; return what they noted, and what a new Observatory finds."""
    crash = CRASHES / CLIENTS / operations
    plan = Plan(root=str(folder / "root"), log="", operations=operations, crash=crash, seed=seed, **KINDS[kind])
    processes = CLIENTS // plan.clients
    plans = [
        attrs.evolve(plan, name=f"process-{number}", log=str(folder / f"log-{number}")) for number in range(processes)
    ]
    async with trio.open_nursery() as nursery:
        for each in plans:
            nursery.start_soon(run_client, each)
    final = await find_all(attrs.evolve(plan, astray=0.0))
    return read_history(read_logs(plans), final, survive=KILL, lasting=plan.storage == "sqlite")


async def test_histories(tmp_path: Path, extent: Extent, chance: random.Random, count: Callable[[str], None]) -> None:
    """Whatever eight clients do, and whenever they are killed, mailboxes keep their promises."""
    histories: dict[str, list[History]] = {kind: [] for kind in KINDS}
    at_once = trio.CapacityLimiter(AT_ONCE)

    async def check(kind: str, folder: Path, seed: int) -> None:
        async with at_once:
            history = await make_history(folder, kind, extent.operations, seed)
        assert problems(history)[:20] == [], f"{kind}, seed {seed}"
        histories[kind].append(history)

    async with trio.open_nursery() as nursery:
        for number in range(extent.histories):
            folder = tmp_path / str(number)
            folder.mkdir()
            nursery.start_soon(check, list(KINDS)[number % len(KINDS)], folder, chance.randrange(2**32))
    for kind, of_kind in histories.items():
        count(describe(kind, of_kind))
        assert sum(history.cut_short for history in of_kind) > CRASHES * len(of_kind) // 4


def describe(kind: str, histories: list[History]) -> str:
    """Say how much was done in histories of a kind."""
    sends = sum(bool(send.id) for history in histories for send in history.sends)
    duplicates = sum(send.duplicate for history in histories for send in history.sends)
    reads = sum(len(history.reads) for history in histories)
    acknowledgements = sum(len(history.acknowledgements) for history in histories)
    lives = sum(len(history.openings) for history in histories)
    cut_short = sum(history.cut_short for history in histories)
    left = sum(len(found) for history in histories for found in history.final.values())
    return (
        f"{len(histories)} histories of {kind}: {sends} sends, {duplicates} of them again under their key, "
        f"{reads} reads, {acknowledgements} acknowledgements; {lives} lives, {cut_short} operations cut short; "
        f"{left} messages unread in the end"
    )
