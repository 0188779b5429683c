"""Tools over HTTP, one call after another, against an empty tool on the same SDK behind the same door."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import mcp_empty
import trio
from harness import Figure, Options, at_most, costs, interleave, settings
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from observatory import SecuritySettings, open_observatory
from observatory.testing import observatory_plugin

_CLIENT = Path(__file__).with_name("mcp_http_client.py")
_LARGEST = 1_000_000
"""More requests a second than anybody makes."""

REVISIONS = ("2025-11-25", "2026-07-28")


def measure(folder: Path, options: Options, check: Any, send: Any) -> Iterator[Figure]:
    """Measure with the service in this process and the client in one of its own, on both revisions."""
    name = "an empty tool on the same SDK"
    for revision in REVISIONS:
        count = options.size(500, 5)
        bare, checks, sends = interleave(
            options,
            partial(trio.run, _ask, folder, count, revision, "/empty", {"name": "empty", "arguments": {}}),
            partial(trio.run, _ask, folder, count, revision, "/mcp", check),
            partial(trio.run, _ask, folder, count, revision, "/mcp", send),
        )
        yield Figure(f"mcp over HTTP, {revision}: check_inbox", name, costs(checks, bare), at_most(1.3))
        yield Figure(f"mcp over HTTP, {revision}: send_message", name, costs(sends, bare), at_most(1.3))
        micros = [seconds / count * 1e6 for seconds in bare]
        yield Figure(f"mcp over HTTP, {revision}: an empty tool", "none", micros, unit="µs")


async def _ask(folder: Path, count: int, revision: str, path: str, call: Any) -> float:
    root = tempfile.mkdtemp(dir=folder)  # what earlier runs have sent would be adopted meanwhile
    chosen = attrs.evolve(
        settings(root, "http", "inbox", "mcp"),
        security=SecuritySettings(requests_per_second=_LARGEST, burst=_LARGEST),
    )
    manager = StreamableHTTPSessionManager(mcp_empty.make_server())
    plugin = observatory_plugin("empty", routes={"empty": lambda _: manager.handle_request})
    async with open_observatory(chosen, plugins=[plugin], recover=()) as observatory, manager.run():
        await observatory.mailbox.send_message("agent-1", "agent-2", "x" * 100)
        port = urlsplit(observatory.service("http").url).port
        token = observatory.security.token_for("agent-1")
        command = [sys.executable, str(_CLIENT), str(port), token, path, revision, json.dumps(call), str(count)]
        done = await trio.run_process(command, capture_stdout=True)
    return float(done.stdout)
