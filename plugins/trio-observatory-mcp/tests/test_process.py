"""How the process begins and ends, and what it answers to what is no protocol."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Raw:
    """The process, and the lines that go to it and come from it."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.stdin = process.stdin
        self._stdout = process.stdout
        self._begun = b""

    async def write(self, line: bytes | dict[str, Any]) -> None:
        """Write a line."""
        await self.stdin.send_all((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")

    async def read(self) -> Any:
        """Read a line, which is JSON whatever happens."""
        while b"\n" not in self._begun:
            data = await self._stdout.receive_some()
            assert data, "it has ended"
            self._begun += bytes(data)
        line, _, self._begun = self._begun.partition(b"\n")
        return json.loads(line)

    async def ask(self, method: str, **params: Any) -> Any:
        """Ask for something by the revision 2026-07-28."""
        await self.write({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": _META, **params}})
        return await self.read()


def command(root: Path, *more: str) -> list[str]:
    """Return how it is started."""
    return [sys.executable, "-m", "observatory", "mcp", "--root", str(root), *more]


@asynccontextmanager
async def started(tmp_path: Path) -> AsyncIterator[Raw]:
    """Start it for `abc`, and end it."""
    arguments = command(tmp_path / "root", "--agent", "abc")
    process = await trio.lowlevel.open_process(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with trio.fail_after(30):
        async with process.stdin, process.stdout:  # type: ignore[union-attr]
            try:
                yield Raw(process)
            finally:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()


@pytest.fixture
async def raw(tmp_path: Path) -> AsyncIterator[Raw]:
    """Have one for `abc`."""
    async with started(tmp_path) as raw:
        yield raw


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"not json", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "tools/list"}', -32600),
    ],
)
async def test_malformed_messages(raw: Raw, line: bytes, code: int) -> None:
    """What is no message is answered as such, and what comes after it is served."""
    await raw.write(line)
    answer = await raw.read()
    assert (answer["id"], answer["error"]["code"]) == (None, code)
    assert len((await raw.ask("tools/list"))["result"]["tools"]) == 15


async def test_message_that_is_too_long(raw: Raw) -> None:
    """It is refused once, without being kept, and the next one is served."""
    await raw.write(b'{"x": "' + b"y" * 9_000_000 + b'"}')
    answer = await raw.read()
    assert answer["error"]["message"] == "a message has at most 8,388,608 bytes, and this one has more"
    assert (await raw.ask("tools/list"))["result"]["tools"]


async def test_empty_lines(raw: Raw) -> None:
    """They are nothing."""
    await raw.write(b"\n \r")
    assert (await raw.ask("tools/list"))["result"]["tools"]


async def test_wrong_revision(raw: Raw) -> None:
    """A revision that nobody knows is refused, and those that are served are named."""
    meta = {**_META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}
    answer = await raw.ask("tools/list", _meta=meta)
    assert answer["error"]["data"]["supported"] == ["2026-07-28"]
    assert (await raw.ask("initialize"))["error"]["code"] == -32022
    assert (await raw.ask("tools/list"))["result"]["tools"]


async def test_wrong_revision_of_the_handshake(raw: Raw) -> None:
    """One that nobody knows is answered with the newest one that has a handshake."""
    params = {"protocolVersion": "2031-01-01", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    await raw.write({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    result = (await raw.read())["result"]
    assert result["protocolVersion"] == "2025-11-25"
    assert result["serverInfo"]["name"] == "observatory"
    assert "agent-" in result["instructions"]


async def test_wrong_params(raw: Raw) -> None:
    """Params of a wrong shape, and methods that there are not, are errors of the protocol."""
    assert (await raw.ask("tools/call", name=7))["error"]["code"] == -32602
    assert (await raw.ask("tools/call", name="check_inbox", arguments=[]))["error"]["code"] == -32602
    assert (await raw.ask("tools/delete"))["error"]["code"] == -32601


async def test_too_many_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request more than may be answered at a time is refused; when one is cancelled there is room again."""
    monkeypatch.setenv("OBSERVATORY_PLUGINS__MCP__MAX_REQUESTS", "3")
    async with started(tmp_path) as raw:
        wait = {"name": "wait_for_message", "arguments": {}, "_meta": _META}
        for number in (10, 11, 12, 13):
            await raw.write({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": wait})
        answer = await raw.read()
        assert (answer["id"], answer["error"]["message"][:31]) == (13, "3 requests are being answered; ")
        await raw.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 10}})
        while "error" in await raw.ask("tools/list"):  # it may take a moment
            pass


async def test_answers_that_nobody_reads(raw: Raw) -> None:
    """While nobody reads answers, no more requests are taken; it goes on when they are read."""
    request = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {"_meta": _META}}).encode()
    taken = 0
    with trio.CancelScope() as scope:  # noqa: ASYNC912 -- it waits for the pipe
        while taken < 1_000:
            scope.deadline = trio.current_time() + 1  # for each: it is not that many take long
            await raw.write(request)
            taken += 1
    assert taken < 1_000
    for _ in range(min(taken, 200)):
        assert (await raw.read())["id"] == 7


async def test_nothing_but_the_protocol(tmp_path: Path) -> None:
    """What prints, here or in a child process, prints to standard error."""
    program = """if True:
        import os, sys
        import observatory_mcp.serving
        from observatory.cli import main

        serve = observatory_mcp.serving.serve

        async def noisy(*arguments):
            print("noise", flush=True)
            os.system("echo more noise")
            await serve(*arguments)

        observatory_mcp.serving.serve = noisy
        main(sys.argv[1:])
    """
    arguments = [sys.executable, "-c", program, "mcp", "--root", str(tmp_path / "root"), "--agent", "abc"]
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": _META}}).encode()
    done = await trio.run_process(arguments, stdin=b"\n" + request, capture_stdout=True, capture_stderr=True)
    assert b"noise" not in done.stdout
    assert done.stderr.split(b"\n")[:2] == [b"noise", b"more noise"]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("end", ["close", signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_ends_at_once(raw: Raw, end: str | signal.Signals, waits: bool) -> None:
    """It ends when standard input is closed, or by a signal, also while somebody waits for a message."""
    await raw.ask("tools/list")
    if waits:
        wait = {"name": "wait_for_message", "arguments": {}, "_meta": {**_META, "progressToken": 1}}
        await raw.write({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": wait})
        assert (await raw.read())["method"] == "notifications/progress"
    with trio.fail_after(3):
        if isinstance(end, signal.Signals):
            raw.process.send_signal(end)
        else:
            await raw.stdin.aclose()
        assert await raw.process.wait() == 0


async def test_ends_before_it_was_asked(raw: Raw) -> None:
    """It ends as well when it was never asked for anything."""
    await raw.stdin.aclose()
    assert await raw.process.wait() == 0


@pytest.mark.parametrize(
    ("environ", "arguments", "words"),
    [
        ({}, (), "say whose mail this is: --agent NAME, or OBSERVATORY_AGENT=NAME"),
        ({"OBSERVATORY_TOKEN": "bob.x"}, ("--agent", "abc"), "names 'bob', which cannot act as 'abc'"),
        ({"OBSERVATORY_AGENT": "../x"}, (), "agent: "),
        ({"OBSERVATORY_DISABLED_PLUGINS": '["inbox"]'}, ("--agent", "abc"), "messages would reach nobody"),
    ],
)
async def test_cannot(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    """It has to be said who the agent is; a token has to be that agent's, and mail has to go somewhere."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    done = await trio.run_process(
        command(tmp_path / "root", *arguments), check=False, capture_stdout=True, capture_stderr=True
    )
    assert done.returncode != 0
    assert done.stdout == b""
    assert words in done.stderr.decode()


async def test_who_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable names the agent; without a standard input there is nobody to serve."""
    monkeypatch.setenv("OBSERVATORY_AGENT", "abc")
    shell = ["sh", "-c", '"$@" <&-', "sh", *command(tmp_path / "root")]
    done = await trio.run_process(shell, check=False, capture_stdout=True, capture_stderr=True, stdin=b"")
    assert b"standard input and output are needed" in done.stderr
    assert done.returncode == 2
