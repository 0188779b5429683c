"""Taking hook events, with 10 subscribers, against the same server with a handler that does nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import trio
from harness import Figure, Options, at_least, interleave, settings, speeds

from observatory import Asgi, AsgiApp, Context, DeliverySettings, Observatory, SecuritySettings, open_observatory
from observatory.testing import observatory_plugin

_CLIENTS = Path(__file__).with_name("events_clients.py")

_SUBSCRIBERS = 10

_LARGEST = 1_000_000
"""More requests a second than anybody makes."""


def measure(options: Options) -> Iterator[Figure]:
    """Measure with the clients in a process of their own, 8 of which wait for an answer at a time."""
    root, requests = options.make_folder(), options.size(8_000, 16)
    ours, empty = interleave(
        options,
        partial(trio.run, _post, root, "/api/events", requests),
        partial(trio.run, _post, root, "/empty", requests),
    )
    name = f"POST /api/events with {_SUBSCRIBERS} subscribers"
    yield Figure(name, "the same server, an empty handler", speeds(ours, empty), at_least(0.7))
    yield Figure(name, "none", [requests / seconds for seconds in ours], unit="a second")


async def _post(root: Path, path: str, requests: int) -> float:
    chosen = attrs.evolve(
        settings(root, "http", delivery=DeliverySettings(required=())),
        security=SecuritySettings(requests_per_second=_LARGEST, burst=_LARGEST),
    )
    plugin = observatory_plugin("empty", routes={"empty": _make_empty})
    async with open_observatory(chosen, plugins=[plugin], recover=()) as observatory, trio.open_nursery() as nursery:
        for _ in range(_SUBSCRIBERS):
            await nursery.start(follow, observatory)
        port = urlsplit(observatory.service("http").url).port
        command = [sys.executable, str(_CLIENTS), str(port), observatory.security.token, path, str(requests)]
        done = await trio.run_process(command, capture_stdout=True)
        nursery.cancel_scope.cancel()
    return float(done.stdout)


async def follow(observatory: Observatory, *, task_status: trio.TaskStatus[None]) -> None:
    """Read every event."""
    async with observatory.pubsub.subscribe("events:stream") as events:
        task_status.started()
        async for _ in events:
            pass


def _make_empty(context: Context) -> AsgiApp:
    async def app(scope: Asgi, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    return app
