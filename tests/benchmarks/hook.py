"""What the hook command takes, with a service and without; and the help of the command line, against its library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import attrs
from harness import Figure, Options, at_most, costs, interleave
from observatory_claude import hook

_EVENT = {
    "session_id": "4f6c0e5e-7b0b-4c57-a6a1-9a3f6d2b8c11",
    "transcript_path": "/home/somebody/.claude/projects/project/4f6c0e5e.jsonl",
    "cwd": "/home/somebody/project",
    "hook_event_name": "PostToolUse",
    "tool_name": "Edit",
    "tool_input": {"file_path": "/home/somebody/project/main.py", "old_string": "a" * 500, "new_string": "b" * 500},
    "tool_response": {"filePath": "/home/somebody/project/main.py", "success": True},
    "tool_use_id": "toolu_01ABCDEFGHIJKLMNOPQRSTUV",
}

_SERVICE = """
import sys, trio
from importlib.metadata import entry_points
from observatory import Settings, open_observatory

async def main():
    others = {point.name for point in entry_points(group="observatory")} - {"http"}
    async with open_observatory(Settings(root=sys.argv[1], disabled_plugins=tuple(others))):
        print("ready", flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)

trio.run(main)
"""


def measure(options: Options) -> Iterator[Figure]:
    """Measure processes, several times as many as elsewhere, since each is short."""
    more = attrs.evolve(options, pairs=options.pairs * options.size(5, 1))
    bare = [sys.executable, "-I", "-S", "-c", "pass"]
    with _service(options.make_folder()) as root:
        up, down, floor = interleave(
            more,
            partial(_process_time, _command(root)),
            partial(_process_time, _command(options.make_folder())),
            partial(_process_time, bare),
        )
    yield Figure("hook command, service up: process time", "", _milliseconds(up), at_most(60), "ms")
    yield Figure("hook command, service down: process time", "", _milliseconds(down), at_most(60), "ms")
    yield Figure("hook command, service down", "service up", costs(down, up), at_most(1))
    yield Figure("hook command, service up", "python -I -S -c pass", costs(up, floor))
    yield from _help(more)


def _help(options: Options) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as cache:  # compiled once, whatever this machine says about that
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": cache}
        commands = [["-P", "-m", "observatory", "--help"], ["-P", "-c", "import cyclopts"]]
        sides = [partial(_process_time, [sys.executable, *command], environ) for command in commands]
        for compile_first in sides:
            compile_first()
        ours, bare = interleave(options, *sides)
    yield Figure("observatory --help", "import cyclopts", costs(ours, bare), at_most(2))


def _command(root: Path) -> list[str]:
    return [sys.executable, "-I", "-S", str(Path(hook.__file__)), str(root), "agent-1"]


def _process_time(command: Sequence[str], environ: dict[str, str] | None = None) -> float:
    """Return the seconds that a process has computed, and the system for it."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environ) as process:
        assert process.stdin
        process.stdin.write(json.dumps(_EVENT).encode())
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} has ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _service(root: Path) -> Iterator[Path]:
    """Run a service with nothing but the door for HTTP."""
    command = [sys.executable, "-c", _SERVICE, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        if process.stdout.readline() != b"ready\n":
            sys.exit("the service has not started: is trio-observatory-http installed?")
        yield root
        process.stdin.close()


def _milliseconds(seconds: Sequence[float]) -> list[float]:
    return [one * 1_000 for one in seconds]
