"""Commands beside a running service: they ask it, and what only that process knows shows it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from observatory import Settings, find_client

Serve = Callable[[], "subprocess.Popen[str]"]
Start = Callable[..., "subprocess.Popen[str]"]
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def _with_the_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, and nothing else that lasts."""


def _with_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("observatory_sqlite", reason="needs trio-observatory-sqlite")
    monkeypatch.setenv("OBSERVATORY_STORAGE__BACKEND", "sqlite")


def _with_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY_DISABLED_PLUGINS", '["inbox"]')


SETUPS = [
    pytest.param(_with_the_inbox, id="inbox"),
    pytest.param(_with_sqlite, id="sqlite"),
    pytest.param(_with_neither, id="neither"),
]


@pytest.fixture(params=SETUPS)
def service(request: pytest.FixtureRequest, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """A service with the inbox, with sqlite too, and with nothing that lasts."""
    request.param(monkeypatch)
    return serve()


@pytest.mark.usefixtures("service")
def test_a_message_goes_through_the_service(run: Any) -> None:
    """Sent, listed, acknowledged, and listed still, since that process holds it in its memory."""
    sent = run("send", "bob", "hello", "--from", "ann")
    id = sent.out.strip()
    assert (sent.code, run("inbox", "bob").out.split("\t")[0]) == (0, id)
    assert run("ack", "bob", id).err == "1 message of bob acknowledged\n"
    assert run("inbox", "bob").err == "no messages for bob\n"
    everything = run("inbox", "bob", "--all")
    assert (everything.out.split("\t")[0], everything.err) == (id, "")


@pytest.mark.usefixtures("service")
def test_stats_are_those_of_the_service(run: Any) -> None:
    """Acknowledged messages count there."""
    id = run("send", "bob", "hello", "--from", "ann").out.strip()
    run("ack", "bob", id)
    assert run("stats").out.split("\t")[:3] == ["bob", "1", "0"]
    assert json.loads(run("stats", "--json").out)["statistics"]["mailbox"]["accepted"] == 1


@pytest.mark.usefixtures("service")
def test_a_file_goes_through_the_service(run: Any, elsewhere: Path) -> None:
    """Lines that are wrong are named by their numbers, and the others are sent, in their order."""
    lines = [json.dumps({"to": f"agent-{n % 2}", "content": str(n)}) for n in range(100)]
    lines[10:10] = ["{", '{"to": "bob"}', '{"to": "no/name", "content": "x"}']
    (elsewhere / "lines").write_text("\n".join(lines))
    result = run("send", "--jsonl", "lines", "--from", "ann")
    assert result.code == 1
    assert [word for word in ("line 11: ", "line 12: ", "line 13: to: ", "line 14: ") if word in result.err] == [
        "line 11: ",
        "line 12: ",
        "line 13: to: ",
    ]
    assert "100 messages sent to 2 agents" in result.err
    for agent in range(2):
        listed = map(json.loads, run("inbox", f"agent-{agent}", "--json").out.splitlines())
        assert [message["content"] for message in listed] == [str(n) for n in range(98 + agent, -1, -2)]


@pytest.mark.usefixtures("service")
def test_dead_letters_are_those_of_the_service(run: Any) -> None:
    """There are none, which is known also where nothing lasts."""
    assert (run("dead-letters").code, run("dead-letters").err) == (0, "0 dead letters\n")


@pytest.mark.parametrize("setup", SETUPS[:2])
def test_dead_letters_are_delivered_again_by_the_service(
    run: Any, serve: Serve, root: Path, monkeypatch: pytest.MonkeyPatch, setup: Callable[..., None]
) -> None:
    """They are in its memory, and it makes the file; `deliveries` tells when."""
    setup(monkeypatch)
    (root / "inbox").mkdir(parents=True)
    (root / "inbox" / "bad").touch()
    monkeypatch.setenv("OBSERVATORY_DELIVERY__RETRY_ATTEMPTS", "1")
    serve()
    sent = run("send", "bad", "hello", "--from", "ann")
    id = sent.out.strip()
    assert (sent.code, "`observatory dead-letters --redeliver` tries again" in sent.err) == (1, True)
    assert run("dead-letters").out.startswith(f"{id}\tbad\tinbox\t1")
    (root / "inbox" / "bad").unlink()
    again = run("dead-letters", "--redeliver")
    assert (again.code, again.err) == (0, "1 dead letter being tried again by the service, 0 left\n")
    while "written" not in run("deliveries", id).out:
        pass
    assert [path.stem for path in (root / "inbox" / "bad").iterdir()] == [id]


def test_more_lines_than_the_service_takes_at_once(
    run: Any, serve: Serve, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are sent as fast as it wants them."""
    monkeypatch.setenv("OBSERVATORY_SECURITY__BURST", "5")
    monkeypatch.setenv("OBSERVATORY_SECURITY__REQUESTS_PER_SECOND", "200")
    serve()
    (elsewhere / "lines").write_text('{"to": "bob", "content": "x", "from": "ann"}\n' * 50)
    assert run("send", "--jsonl", "lines").err == "50 messages sent to 1 agent\n"


def test_a_service_that_wants_it_slowly(run: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command fails for it: each asks in its time."""
    monkeypatch.setenv("OBSERVATORY_SECURITY__BURST", "1")
    monkeypatch.setenv("OBSERVATORY_SECURITY__REQUESTS_PER_SECOND", "10")
    serve()
    one, two = (run("send", "bob", content, "--from", "ann").out.strip() for content in ("one", "two"))
    results = [
        run("inbox", "bob"),
        run("ack", "bob", one, two),
        run("stats"),
        run("deliveries", one),
        run("dead-letters", "--redeliver"),
        run("status"),
    ]
    assert [(result.code, "asked for more" in result.err) for result in results] == [(0, False)] * 6
    assert run("ack", "bob", one, "0" * 16, two).err.splitlines() == [
        f"observatory: the mailbox of 'bob' holds no message '{'0' * 16}'",
        "2 messages of bob acknowledged",
    ]


def test_a_command_asks_for_nothing_else(run: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the service allows is there for what the command is for."""
    monkeypatch.setenv("OBSERVATORY_SECURITY__BURST", "2")
    monkeypatch.setenv("OBSERVATORY_SECURITY__REQUESTS_PER_SECOND", "0.001")
    serve()
    assert run("stats").code == 0


def test_a_service_that_was_killed_is_not_waited_for(run: Any, serve: Serve, root: Path) -> None:
    """Its file is still there; commands work without it at once."""
    service = serve()
    first = run("send", "bob", "one", "--from", "ann").out.strip()
    service.kill()
    service.wait()
    assert (root / "observatory" / "service.json").exists()
    second = run("send", "bob", "two", "--from", "ann").out.strip()
    assert [line.split("\t")[0] for line in run("inbox", "bob").out.splitlines()] == [second, first]
    run("ack", "bob", first)
    assert "with storage 'memory' only the process that holds them knows them" in run("inbox", "bob", "--all").err


@pytest.fixture
def service_that_ends(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that ends once a command has found it, and has not connected yet."""
    service = serve()

    async def find_the_last_of_it(settings: Settings, *, identity: str | None) -> object:
        found = await find_client(settings, identity=identity)
        service.send_signal(signal.SIGTERM)
        service.wait()
        return found

    monkeypatch.setattr("observatory.cli.reaching.find_client", find_the_last_of_it)


@pytest.mark.usefixtures("service_that_ends")
def test_a_service_that_ends_before_it_is_reached(run: Any, root: Path) -> None:
    """The command works without it."""
    result = run("send", "bob", "hello", "--from", "ann")
    assert result.code == 0
    assert [path.stem for path in (root / "inbox" / "bob").iterdir()] == [result.out.strip()]


@pytest.mark.usefixtures("service_that_ends")
def test_what_only_a_service_can_tell_when_it_has_ended(run: Any) -> None:
    """It cannot be done, as where none has run."""
    result = run("tail")
    assert (result.code, "start one with `observatory serve`" in result.err) == (2, True)


def test_a_service_that_runs_and_cannot_be_reached(run: Any, serve: Serve, root: Path) -> None:
    """Nothing is done behind its back."""
    serve()
    file = root / "observatory" / "service.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "doors": {"websocket": "ws://127.0.0.1:1/"}}))
    result = run("send", "bob", "hello", "--from", "ann")
    assert (result.code, (root / "inbox" / "bob").exists()) == (1, False)
    assert result.err.startswith("observatory: no service can be reached at ws://127.0.0.1:1/: ")


def test_a_service_that_hangs_is_named(process: Any, serve: Serve, start: Start, root: Path) -> None:
    """A command gives up after some seconds and says which process it is; `tail` goes on waiting, and says so."""
    service = serve()
    tail = start("tail", "agent:bob", **PIPES)
    assert tail.stderr
    assert tail.stderr.readline() == "following agent:bob; Ctrl-C ends\n"
    service.send_signal(signal.SIGSTOP)
    result = process("stats")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(
        f"observatory: no service can be reached at {root}: process {service.pid} has not answered for 5 s"
    )
    assert tail.stderr.readline() == "the service does not answer; waiting for it\n"
    service.send_signal(signal.SIGCONT)
    assert tail.stderr.readline() == "the service answers again\n"
    tail.send_signal(signal.SIGINT)
    assert tail.wait() == 130


def test_a_service_that_is_killed_under_a_command(run: Any, serve: Serve, start: Start, root: Path) -> None:
    """The command ends, too, and says why; what was sent stays sent."""
    service = serve()
    process = start(
        "send", "--jsonl", "-", "--json", "--from", "ann", **PIPES, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write('{"to": "bob", "content": "one"}\n')
    process.stdin.flush()
    process.stdout.readline()
    service.kill()
    service.wait()
    assert process.stderr
    assert process.stderr.read() == (
        f"observatory: no service can be reached at {root}: the one that ran there has ended\n"
    )
    assert process.wait() == 1
    assert run("inbox", "bob").out.endswith("\tone\n")


@pytest.mark.usefixtures("serve")
def test_a_command_without_a_service_needs_no_websocket(root: Path) -> None:
    """It is not imported."""
    code = (
        "import sys; from observatory.cli import main\n"
        "try: main()\n"
        "finally: print(sorted(name for name in sys.modules if name.endswith('_websocket')), file=sys.stderr)"
    )
    arguments = ["send", "bob", "hello", "--from", "ann", "--root", str(root)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "['observatory_websocket']"  # the plugin is loaded, trio_websocket is not
