"""What the check tries: the hook command, the MCP server, and the service that they lead to."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from observatory import Finding, quoted
from observatory_claude import hook
from observatory_claude.connecting import Places, Wanted

_PATIENCE = 10.0
"""Seconds that each may take here, where nobody waits in haste."""

_NO_EVENT = b"{}"
"""What a service refuses after it has seen whose event it would be; so nobody hears of an event that never was."""

_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "observatory doctor", "version": "0"},
    },
}

_variable = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


async def try_hook(wanted: Wanted) -> Sequence[Finding]:
    """Run the hook command without an event, and return what is wrong with it."""
    command = shlex.split(next(iter(wanted.hooks.values()))["hooks"][0]["command"])
    problem = f"it takes more than {_PATIENCE:g} s"
    try:
        with trio.move_on_after(_PATIENCE):
            done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
            problem = f"it ends with {done.returncode}" if done.returncode else ""
    except OSError as error:
        problem = f"it cannot be run: {error.strerror}"
    return [Finding("hook command", problem, f"see what it says: {shlex.join(command)} < /dev/null")] if problem else []


async def try_server(places: Places, wanted: Wanted) -> Sequence[Finding]:
    """Start the MCP server as Claude Code does, and return what is wrong with it."""
    assert wanted.server is not None  # noqa: S101  # whoever calls has seen that it is there
    command = [expanded(word) for word in (wanted.server["command"], *wanted.server["args"])]
    problem = ""
    try:
        problem = await _answer_of(command)
    except* OSError as errors:
        problem = f"it cannot be run: {_line(errors.exceptions[0])}"
    if not problem:
        return []
    return [Finding(f"MCP server in {places.servers}", problem, f"see what it says: {shlex.join(command)}")]


async def try_service(root: Path, agent: str) -> Sequence[Finding]:
    """Ask the service whether it would take an event of an agent; return what is wrong with it."""
    return await trio.to_thread.run_sync(partial(_try_service, root, agent))


def expanded(text: str) -> str:
    """Put variables of the environment in, `${NAME}` and `${NAME:-default}`, as Claude Code does."""
    return _variable.sub(lambda found: os.environ.get(found[1], found[0] if found[2] is None else found[2]), text)


async def _answer_of(command: Sequence[str]) -> str:
    """Return what is wrong with a server's answer; nothing when there is one."""
    answer, complaint = b"", b""
    with trio.move_on_after(_PATIENCE) as scope:
        async with trio.open_nursery() as nursery:
            start = partial(
                trio.run_process,
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
            process: trio.Process = await nursery.start(start)
            assert process.stdin is not None  # noqa: S101  # they are pipes
            assert process.stdout is not None  # noqa: S101
            assert process.stderr is not None  # noqa: S101
            try:
                await process.stdin.send_all(json.dumps(_INITIALIZE).encode() + b"\n")
                while b"\n" not in answer and (part := await process.stdout.receive_some()):
                    answer += part
            except trio.BrokenResourceError:
                pass  # it has ended; what it says of that comes next
            if b'"serverInfo"' not in answer:
                async for part in process.stderr:
                    complaint += part
            nursery.cancel_scope.cancel()
    if scope.cancelled_caught:
        return f"it does not answer within {_PATIENCE:g} s"
    if b'"serverInfo"' in answer:
        return ""
    last = complaint.decode(errors="replace").strip().rpartition("\n")[2] or "without a word"
    return f"it ends instead of answering: {last}"


def _try_service(root: Path, agent: str) -> Sequence[Finding]:
    subject, start = f"service on {root}", f"observatory serve --root {quoted(root)}"
    try:
        service = hook.read_service(str(root))
    except (OSError, ValueError) as error:
        return [Finding(f"{root}/observatory/service.json", _line(error), f"remove it, then: {start}")]
    if service is None:
        return [Finding(subject, "none runs, so hooks do nothing", start)]
    try:
        hook.name_of_session(agent)
    except ValueError as error:
        return [Finding("OBSERVATORY_AGENT", str(error), "set it to such a name, or unset it")]
    if "http" not in service.get("doors", {}):
        remedy = "install trio-observatory-http, see that plugins.http does not turn it off, and start it again"
        return [Finding(subject, "it has no door for HTTP, so hooks do nothing", remedy)]
    try:
        status, _ = hook.ask(service, agent, _NO_EVENT, _PATIENCE)
    except (OSError, ValueError, LookupError) as error:
        remedy = f"end process {service.get('pid')}, then: {start}"
        return [Finding(subject, f"it does not answer: {_line(error)}", remedy)]
    return _told_by(status, subject, start)


def _told_by(status: int, subject: str, start: str) -> Sequence[Finding]:
    """Say what the status means of the answer to what is no event: 400 is told to those whose events are taken."""
    problems = {
        401: (
            "it does not know the token",
            "set OBSERVATORY_TOKEN to what `observatory token AGENT` prints, or unset it",
        ),
        403: (
            "the token is another agent's, so it takes no events of sessions here",
            "set OBSERVATORY_AGENT to whom OBSERVATORY_TOKEN is for, or unset both",
        ),
        404: ("it takes no events", f"install a newer trio-observatory-http, then: {start}"),
    }
    if status in (400, 429):
        return []
    return [Finding(subject, *problems.get(status, (f"it answers with {status} where events go", "see its log")))]


def _line(error: Exception) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error)).split()) or type(error).__name__
