"""Tools over both transports, one call after another, against an empty tool on the same SDK.

A call of `send_message` includes all that it promises: the message is in the table, told to subscribers, and its file
is written, for which a worker thread is asked. Files in memory are what is judged; what a disk adds is printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import mcp_http
from harness import MEMORY_FOLDER, Figure, Options, at_most, costs, interleave, settings

_EMPTY = [sys.executable, str(Path(__file__).with_name("mcp_empty.py"))]
_OURS = [sys.executable, "-m", "observatory", "mcp", "--agent", "agent-1"]
_CONTENT = "x" * 100
_CHECK = {"name": "check_inbox", "arguments": {"again": True}}
_SEND = {"name": "send_message", "arguments": {"to": "agent-2", "content": _CONTENT}}
_HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}


def measure(options: Options) -> Iterator[Figure]:
    """Measure with an Observatory in the same process as the server, and inbox files in memory."""
    if not os.access(MEMORY_FOLDER, os.W_OK):
        yield from _measure_in(options.make_folder(), options)
        return
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=MEMORY_FOLDER) as folder:
        yield from _measure_in(Path(folder), options)
    _, on_disk, _ = _over_stdio(options.make_folder(), options)
    yield attrs.evolve(on_disk, name=f"{on_disk.name}, its file on disk", goal=None)


def _measure_in(folder: Path, options: Options) -> Iterator[Figure]:
    yield from _over_stdio(folder, options)
    yield from mcp_http.measure(folder, options, _CHECK, _SEND)


def _over_stdio(folder: Path, options: Options) -> tuple[Figure, Figure, Figure]:
    _write_settings(folder)
    count = options.size(500, 5)
    with _Server.start(_EMPTY, folder) as empty, _Server.start(_OURS, folder) as ours:
        ours.ask("tools/call", {"name": "send_message", "arguments": {"to": "agent-1", "content": _CONTENT}})
        floor = partial(empty.time, {"name": "empty", "arguments": {}}, count)
        bare, checks, sends = interleave(
            options, floor, partial(ours.time, _CHECK, count), partial(ours.time, _SEND, count)
        )
    name = "an empty tool on the same SDK"
    return (
        Figure("mcp over stdio: check_inbox", name, costs(checks, bare), at_most(1.5)),
        Figure("mcp over stdio: send_message", name, costs(sends, bare), at_most(1.5)),
        Figure("mcp over stdio: an empty tool", "none", [seconds / count * 1e6 for seconds in bare], unit="µs"),
    )


def _write_settings(folder: Path) -> None:
    disabled = settings(folder, "inbox", "mcp").disabled_plugins
    text = f'root = "{folder}/root"\ndisabled_plugins = {json.dumps(disabled)}\n[mailbox]\nmax_messages = 10_000_000\n'
    (folder / "observatory.toml").write_text(text)


class _Server:
    """A process that serves, and whoever asks it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._stdout = process.stdout

    @classmethod
    @contextmanager
    def start(cls, command: list[str], folder: Path) -> Iterator[_Server]:
        """Start one for the time of a block."""
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe) as process:
            server = cls(process)
            server.ask("initialize", _HELLO)
            server.write({"method": "notifications/initialized"})
            yield server

    def write(self, message: dict[str, Any]) -> None:
        """Write a message."""
        self._stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Ask for something, and return the result."""
        self.write({"id": 1, "method": method, "params": params})
        answer = json.loads(self._stdout.readline())
        assert not answer["result"].get("isError"), answer
        return answer["result"]

    def time(self, call: dict[str, Any], count: int) -> float:
        """Return how many seconds it takes to call a tool so often."""
        start = time.perf_counter()
        for _ in range(count):
            self.ask("tools/call", call)
        return time.perf_counter() - start
