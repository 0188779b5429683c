"""Our server, and what every server has to do."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import attrs
import trio
from harness import Options, settings
from websocket_clients import Plan, number_in, start_clients

from observatory import DeliverySettings, Observatory, SecuritySettings, open_observatory

BURST = 64
"""Events that are published before the clients have to have them all."""

EVENT = "x" * 200
"""What is published; ours puts its envelope around it, the others send it as it is."""

_SECONDS = 1.0
"""For which each side publishes."""

_LARGEST = 1_000_000
"""More requests a second than anybody makes."""

_HOUR = 3600.0
"""Seconds: longer than any of this takes."""

Burst: TypeAlias = Callable[[], Awaitable[None]]
"""Publishes a burst, and waits until the clients have it."""


async def time_bursts(options: Options, burst: Burst) -> float:
    """Publish for a second; return the seconds that a burst takes. The first one only warms up."""
    await burst()
    start = time.perf_counter()
    seconds, bursts = 0.0, 0
    while seconds < _SECONDS and bursts < options.size(1_000_000, 2):
        await burst()
        bursts += 1
        seconds = time.perf_counter() - start
    return seconds / bursts


async def receive_report(reports: socket.socket) -> bytes:
    """Return the next report of clients."""
    await trio.lowlevel.wait_readable(reports)
    report = reports.recv(8)
    if not report:
        raise RuntimeError("the clients have ended")
    return report


async def run_plan(plan: Plan) -> float:
    """Let clients do what is planned; return the number that they report."""
    with start_clients(plan) as reports:
        await receive_report(reports)  # they are connected
        return number_in(await receive_report(reports))


@attrs.frozen
class Door:
    """Where clients come in."""

    observatory: Observatory
    """Whose it is."""
    port: int
    """Where it listens."""
    token: str
    """What opens it."""

    def clients(self) -> int:
        """Return how many are connected."""
        return int(self.observatory.service("websocket").statistics()["connections"])

    def full(self) -> int:
        """Return how many connections are full."""
        return sum(client["full"] for client in self.observatory.service("websocket").statistics()["clients"])


@asynccontextmanager
async def open_door(root: Path, *, close_stuck: bool = True) -> AsyncIterator[Door]:
    """Open an Observatory in memory, with no delivery channel but its websocket."""
    patience = {} if close_stuck else {"full_seconds": _HOUR, "ping_seconds": _HOUR}
    chosen = attrs.evolve(
        settings(root, "websocket", delivery=DeliverySettings(required=())),
        plugins={"websocket": patience},
        security=SecuritySettings(requests_per_second=_LARGEST, burst=_LARGEST),
    )
    async with open_observatory(chosen, recover=()) as observatory:
        url = urlsplit(observatory.service("websocket").url)
        yield Door(observatory, int(url.port or 0), observatory.security.token)
