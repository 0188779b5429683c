"""The hook command, as Claude Code runs it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from observatory_claude import hook

from observatory import Observatory, SecuritySettings, Settings, SwarmSettings, open_observatory

HOOK = str(Path(hook.__file__))
AGENT = "agent-1"
EVENT = {"session_id": "session-1", "hook_event_name": "UserPromptSubmit", "prompt": "go on"}


def command(root: Path) -> list[str]:
    """Return the command of the hooks."""
    return [sys.executable, "-I", "-S", HOOK, str(root), AGENT]


async def told(root: Path, event: Any = EVENT, **environ: str) -> str:
    """Hand it an event, without haste; return what it has printed."""
    stdin = event if isinstance(event, bytes) else json.dumps(event).encode()
    done = await trio.run_process(
        [*command(root), "60"], stdin=stdin, capture_stdout=True, capture_stderr=True, env={**os.environ, **environ}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def run(root: Path, event: bytes = json.dumps(EVENT).encode()) -> bytes:
    """Do the same where no service is, or none that is ours."""
    done = subprocess.run(command(root), input=event, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def settings_for(root: Path, **tables: Any) -> Settings:
    """Return settings with nothing but the door for HTTP."""
    pytest.importorskip("observatory_http", reason="needs a door: trio-observatory-http is not installed")
    installed = {point.name for point in entry_points(group="observatory")}
    return Settings(
        root=root, disabled_plugins=tuple(sorted(installed - {"http"})), swarm=SwarmSettings(follow=False), **tables
    )


@pytest.fixture
async def obs(root: Path) -> AsyncIterator[Observatory]:
    """Return an Observatory with that door."""
    with trio.fail_after(60):
        async with open_observatory(settings_for(root)) as obs:
            yield obs


@pytest.fixture
def pretend(root: Path) -> Any:
    """Return what lets something pass for a service: a file, and a lock that somebody holds."""
    folder = root / "observatory"
    folder.mkdir(0o700)
    (folder / "service.lock").touch()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys\nfile = open(sys.argv[1])\nfcntl.flock(file, fcntl.LOCK_EX)\nprint(flush=True)\ninput()",
            str(folder / "service.lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    holder.stdout.readline()

    def pretend(told: Any, mode: int = 0o600) -> None:
        path = folder / "service.json"
        path.write_text(told if isinstance(told, str) else json.dumps(told))
        path.chmod(mode)

    yield pretend
    holder.communicate(b"\n")


class TestService:
    """With a service."""

    async def test_event(self, obs: Observatory, root: Path) -> None:
        """It publishes the event, whole, and where there is nothing to tell it prints nothing."""
        async with obs.pubsub.subscribe("events:stream") as events:
            assert await told(root) == ""
            event = await anext(events)
        assert event.payload.data == EVENT

    async def test_mail(self, obs: Observatory, root: Path) -> None:
        """It prints unread mail as Claude Code reads it, once."""
        await obs.mailbox.send_message(AGENT, "bob", "look at the Ω")
        printed = json.loads(await told(root))["hookSpecificOutput"]
        assert printed["hookEventName"] == "UserPromptSubmit"
        assert "look at the Ω" in printed["additionalContext"]
        assert await told(root) == ""

    async def test_agent(self, obs: Observatory, root: Path) -> None:
        """The session is the agent that the command names, to whoever looks at the event."""
        async with obs.pubsub.subscribe("session:session-1") as events:
            await told(root)
            event = await anext(events)
        assert (event.payload.agent, event.payload.session_id) == (AGENT, "session-1")

    @pytest.mark.parametrize("name", ["alice", "a+b.c_d@team-1"])
    async def test_another_agent(self, obs: Observatory, root: Path, name: str) -> None:
        """Or the one that its environment names, with a token of that agent or without."""
        await obs.mailbox.send_message(name, "bob", "for you alone")
        token = obs.security.token_for(name)
        assert "for you alone" in await told(root, OBSERVATORY_AGENT=name, OBSERVATORY_TOKEN=token)
        await obs.mailbox.send_message(name, "bob", "once more")
        assert "once more" in await told(root, OBSERVATORY_AGENT=name)

    @pytest.mark.parametrize("name", ["two\r\nlines", "a b", "a&agent=b", "ä", "/", "%41"])
    async def test_no_agent(self, obs: Observatory, root: Path, name: str) -> None:
        """What can be no agent leads to nothing."""
        async with obs.pubsub.subscribe("events:stream") as events:
            assert await told(root, OBSERVATORY_AGENT=name) == ""
            assert events.receive_batch_nowait() == []

    async def test_token_of_another(self, obs: Observatory, root: Path) -> None:
        """With another agent's token the session is nobody: neither that one nor the one that is named."""
        await obs.mailbox.send_message("alice", "bob", "for alice")
        await obs.mailbox.send_message(AGENT, "bob", "for you")
        assert await told(root, OBSERVATORY_TOKEN=obs.security.token_for("alice")) == ""

    async def test_tokens(self, obs: Observatory, root: Path) -> None:
        """A token that is none, or that no header can hold, leads to nothing."""
        await obs.mailbox.send_message(AGENT, "bob", "hello")
        assert await told(root, OBSERVATORY_TOKEN="wrong") == ""
        assert await told(root, OBSERVATORY_TOKEN="two\r\nlines") == ""

    @pytest.mark.parametrize("event", [b"", b"no JSON", b"[]", b"{" * 200, b"x" * (4 * 1024 * 1024 + 1)])
    async def test_no_event(self, obs: Observatory, root: Path, event: bytes) -> None:
        """What is no event leads to nothing."""
        assert await told(root, event) == ""

    async def test_large(self, obs: Observatory, root: Path) -> None:
        """A large event is taken whole."""
        async with obs.pubsub.subscribe("events:stream") as events:
            await told(root, {**EVENT, "prompt": "x" * 1_000_000})
            event = await anext(events)
        assert len(event.payload.data["prompt"]) == 1_000_000

    async def test_too_large(self, obs: Observatory, root: Path) -> None:
        """One that is larger than the service takes is not told of, nor a part of it."""
        async with obs.pubsub.subscribe("events:stream") as events:
            await told(root, json.dumps(EVENT).encode() + b" " * 4 * 1024 * 1024)
            assert events.receive_batch_nowait() == []

    async def test_tls(self, root: Path, tmp_path: Path) -> None:
        """Over TLS it trusts the service's own certificate."""
        certificate = trustme.CA().issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
        security = SecuritySettings(certificate=tmp_path / "certificate.pem", key=tmp_path / "key.pem")
        with trio.fail_after(60):
            async with open_observatory(settings_for(root, security=security)) as obs:
                await obs.mailbox.send_message(AGENT, "bob", "secretly")
                assert "secretly" in await told(root)


class TestNoService:
    """Without one."""

    def test_nothing(self, root: Path, tmp_path: Path) -> None:
        """It does nothing, and makes nothing."""
        assert run(root) == b""
        assert run(tmp_path / "nowhere") == b""
        assert list(root.iterdir()) == []

    def test_no_root(self) -> None:
        """Called wrongly it ends well, too."""
        done = subprocess.run([*command(Path())[:-2]], input=b"{}", capture_output=True, check=True)
        assert done.stdout + done.stderr == b""

    def test_left_behind(self, root: Path) -> None:
        """A file that a service has left behind is not believed: anybody may have its port by now."""
        folder = root / "observatory"
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0)
            doors = {"http": f"http://127.0.0.1:{server.getsockname()[1]}/"}
            (folder / "service.json").write_text(json.dumps({"pid": 1, "token": "t", "doors": doors}))
            (folder / "service.json").chmod(0o600)
            (folder / "service.lock").touch()
            assert run(root) == b""
            with pytest.raises(BlockingIOError):
                server.accept()


class TestPretended:
    """What a service would not do."""

    @pytest.mark.parametrize(
        "told",
        [
            *("", "no JSON", "[]", "7", {}, {"doors": 7, "token": "t"}, {"doors": {}, "token": "t"}),
            *({"doors": {"http": "nonsense"}, "token": "t"}, {"doors": {"http": "http://127.0.0.1:1/"}, "token": "t"}),
            *({"doors": {"http": "http://127.0.0.1:1/"}, "token": 7}, "[" * 100_000),
        ],
    )
    def test_file(self, pretend: Any, root: Path, told: Any) -> None:
        """A file that is no service's leads to nothing."""
        pretend(told)
        assert run(root) == b""

    def test_others(self, pretend: Any, root: Path) -> None:
        """A file that others may use is not believed."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0)
            pretend({"doors": {"http": f"http://127.0.0.1:{server.getsockname()[1]}/"}, "token": "t"}, 0o644)
            assert run(root) == b""
            with pytest.raises(BlockingIOError):
                server.accept()

    @pytest.mark.parametrize(
        "answer",
        [
            *(b"", b"nonsense", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"HTTP/1.1\r\n\r\n"),
            *(b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nnope", b"x" * 2_000_000),
            b"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\n",
        ],
    )
    def test_answer(self, pretend: Any, root: Path, answer: bytes) -> None:
        """An answer that is none, or no good one, is not printed."""
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            subprocess.Popen(
                [*command(root), "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ) as process,
        ):
            pretend({"doors": {"http": f"http://127.0.0.1:{server.getsockname()[1]}/"}, "token": "t"})
            assert process.stdin
            process.stdin.write(b"{}")
            process.stdin.close()
            server.settimeout(30)
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                with suppress(OSError):  # it may have heard enough
                    connection.sendall(answer)
            assert process.stdout
            assert (process.stdout.read(), process.wait()) == (b"", 0)

    def test_silence(self, pretend: Any, root: Path) -> None:
        """One that says nothing does not hold the agent up."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            pretend({"doors": {"http": f"http://127.0.0.1:{server.getsockname()[1]}/"}, "token": "t"})
            assert run(root) == b""

    def test_no_event_comes(self, root: Path) -> None:
        """It waits no longer for an event than for anything else."""
        start = time.monotonic()
        with subprocess.Popen(command(root), stdin=subprocess.PIPE) as process:
            assert process.wait(30) == 0
        assert time.monotonic() - start >= hook.PATIENCE

    def test_interrupted(self, root: Path) -> None:
        """Ctrl-C, which may come to it as well, ends it without a word."""
        process = subprocess.Popen([*command(root), "60"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin
        process.stdin.write(b" " * 200_000)  # more than a pipe holds: it reads once this returns
        process.send_signal(signal.SIGINT)
        assert (process.communicate()[1], process.returncode) == (b"", 0)


def test_alone(root: Path, project: Path) -> None:
    """It imports nothing beyond the standard library, and nothing of the folder it is run in."""
    (project / "socket.py").write_text("raise SystemExit(9)")
    (project / "json.py").write_text("raise SystemExit(9)")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command(root)[1:]],
        input=b"{}",
        capture_output=True,
        check=True,
        text=False,
    )
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.decode().splitlines()[1:]}
    assert imported <= sys.stdlib_module_names | {"__main__"}
    assert not imported & {"typing", "http", "email", "ssl", "json", "socket", "asyncio"}, shlex.join(sorted(imported))
