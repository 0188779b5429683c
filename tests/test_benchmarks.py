"""The benchmarks run; what they measure is not judged here."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).with_name("benchmarks")
SUBJECTS = {
    "inbox": ["inbox on", "50 senders to 50 agents", "one sequential sender"],
    "sends": ["memory only: one sequential sender", "memory only: 50 senders"],
    "depth": ["send", "mark_read, random", "unread_count", "one agent's statistics", "send that evicts"],
    "fan-out": ["in bursts of 16: subscriptions", "one at a time: subscriptions", "asyncio.Queue"],
    "resident": ["resident memory"],
    "imports": ["from observatory import Message"],
    "swarm": ["read", "ten times as many", "one status changed", "one dependency changed", "waves", "longest path"],
    "lint": ["lint, cold", "ast.parse and a walk", "lint, warm", "observatory-lint, one file changed"],
    "presence": ["by messages", "by hook events"],
    "skills": ["load", "registry started", "one changed", "get"],
    "mcp": ["check_inbox", "send_message", "an empty tool", "HTTP, 2025-11-25", "HTTP, 2026-07-28"],
    "events": ["POST /api/events with 10 subscribers"],
    "hook": ["service up: process time", "service down", "observatory --help"],
    "bystanders": ["stuck channel", "failing channel"],
    "websocket-fan-out": ["websocket events to 2 connections: ours"],
    "websocket-requests": ["mailbox.send, memory only: 1 client", "mailbox.send, memory only: 50", "send to event"],
    "websocket-stuck": ["and one stuck", "that are stuck: most memory"],
}
NEEDED = {
    "inbox": "inbox",
    "hook": "claude",
    "skills": "skills",
    "mcp": "mcp",
    "events": "http",
    "bystanders": "inbox",
    "websocket-fan-out": "websocket",
    "websocket-requests": "websocket",
    "websocket-stuck": "websocket",
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmarks in a folder of the test's own."""
    return subprocess.run([sys.executable, BENCHMARKS, *arguments], capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_subject(subject: str, tmp_path: Path) -> None:
    """Each benchmark runs with tiny sizes, prints a line for what it measures, and leaves nothing behind."""
    plugin = NEEDED.get(subject)
    if plugin and plugin not in entry_points(group="observatory").names:
        pytest.skip(f"the plugin trio-observatory-{plugin} is not installed")
    done = run(tmp_path, subject, "--pairs", "1", "--quick")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in SUBJECTS[subject])
    assert not list(tmp_path.iterdir())


def test_unknown_subject(tmp_path: Path) -> None:
    """A subject that there is not is refused, and those that there are are named."""
    done = run(tmp_path, "speed")
    assert done.returncode == 2
    assert all(subject in done.stderr for subject in SUBJECTS)
