"""`observatory agents`: without a service, with one, and for a while."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from observatory import (
    Agent,
    EmbeddedClient,
    Event,
    Lease,
    PresenceUpdate,
    ReleasedLease,
    from_wire,
    open_observatory,
)
from observatory.cli.agents import _Look, _look, _View
from observatory.cli.events import _line_of

PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

NOW = datetime.now(UTC)
ANN = Agent("ann", "active", NOW, NOW, ("message", "event"), ("blue",))
EVE = Agent("eve\x1b[31m", "gone", NOW - timedelta(hours=2), NOW, ("connection",))
BOB = Agent("bob@blue", "idle", None, NOW, ("team",), ("blue",))


@pytest.fixture
def team(root: Path) -> None:
    """Write a team."""
    folder = root / "teams" / "blue"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"members": [{"name": "ann"}, {"name": "bob"}]}))


def cells(out: str) -> list[list[str]]:
    """Return the cells of lines, but for the time."""
    lines = [line.split("\t") for line in out.splitlines()]
    return [[*line[:2], *line[3:]] for line in lines]


@pytest.mark.usefixtures("team")
def test_without_a_service(run: Any) -> None:
    """Teams and the messages in inboxes tell of agents; mail of whom nobody has heard is told of beside that."""
    for to in ("ann@blue", "bbo"):
        run("send", to, "hello", "--from", "cid")
    result = run("agents")
    assert result.code == 0
    assert cells(result.out) == [
        ["cid", "active", "message", "-", "0", "-"],
        ["ann@blue", "idle", "team", "blue", "1", "-"],
        ["bob@blue", "idle", "team", "blue", "0", "-"],
    ]
    assert result.err == "unread mail lies here for 1 name that nobody has heard of: bbo\n"
    silences = [line.split("\t")[2] for line in result.out.splitlines()]
    assert int(silences[0]) < 60
    assert silences[1:] == ["-", "-"]


def test_many_strangers(run: Any) -> None:
    """Of many names some are given."""
    for number in range(6):
        run("send", f"stranger-{number}", "hello", "--from", "cid")
    expected = "6 names that nobody has heard of: stranger-0, stranger-1, stranger-2, stranger-3, stranger-4, …\n"
    assert run("agents").err.endswith(expected)


def test_nobody(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nobody, a person is told so, and a program gets no line."""
    assert (run("agents").out, run("agents").err) == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "nobody was heard of" in run("agents").out


@pytest.mark.usefixtures("team")
def test_did_you_mean(run: Any) -> None:
    """Who sends to a name that nobody has heard of is told which are near, and only then."""
    assert (
        "bbo@blue is not known here; did you mean bob@blue or ann@blue?"
        in run("send", "bbo@blue", "hello", "--from", "x").err
    )
    assert "nobody" not in run("send", "bob@blue", "hello", "--from", "x").err
    assert "nobody" not in run("send", "zzz", "hello", "--from", "x").err
    receipt = json.loads(run("send", "bbo", "hello", "--from", "x", "--json").out)
    assert receipt["nearest"] == ["bob@blue"]


@pytest.mark.usefixtures("team")
def test_refused(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where such are refused the command fails, and says what is near."""
    monkeypatch.setenv("OBSERVATORY_MAILBOX__UNKNOWN_RECIPIENTS", "refuse")
    result = run("send", "bbo", "hello", "--from", "x")
    assert (result.code, result.out) == (1, "")
    assert "did you mean 'bob@blue'?" in result.err
    assert run("send", "bob@blue", "hello", "--from", "zoe").code == 0
    assert run("send", "zoe", "hello", "--from", "bob@blue").code == 0  # her message lies there


def lease(number: int, holder: str = "ann") -> Lease:
    """Return a lease."""
    return Lease(str(number), f"src/part-{number}.py", holder, NOW, NOW, 30.0)


LOOK = _Look([ANN, BOB, EVE], {"ann": [lease(number) for number in range(7)], "bob@blue": [lease(8)]}, {"bob@blue": 2})


def test_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A person gets a table, in which nothing does anything to the terminal; shown anew, it is in its place."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    view = _View(json=False)
    view.show(LOOK)
    out = capsys.readouterr().out
    for words in (
        "Last seen",
        "message, event",
        "2 h ago",
        "src/part-4.py, … 7 in all",
        "src/part-8.py",
        "eve\\x1b[31m",
    ):
        assert words in out
    assert "src/part-5.py" not in out
    view.show(LOOK)
    assert capsys.readouterr().out.endswith(out)


@pytest.mark.parametrize("as_json", [True, False])
def test_shown_again(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    """Elsewhere only that is shown again of which more than the time has changed."""
    view = _View(json=as_json)
    view.show(LOOK)
    first = capsys.readouterr().out
    assert len(first.splitlines()) == 3
    view.show(LOOK)
    assert capsys.readouterr().out == ""
    view.show(_Look(LOOK.agents, {}, LOOK.unread))
    assert len(capsys.readouterr().out.splitlines()) == 2
    if as_json:
        found = json.loads(first.splitlines()[1])
        assert (found.pop("unread"), from_wire(found.pop("leases"), list[Lease])) == (2, [lease(8)])
        assert from_wire(found, Agent) == BOB


async def test_look(bare_settings: Any) -> None:
    """What is seen are agents, leases by their holders, and unread mail."""
    async with open_observatory(bare_settings()) as obs:
        await obs.mailbox.send_message("bob", "ann", "hello")
        leases = [obs.presence.acquire_lease("ann", resource) for resource in "xy"]
        look = await _look(EmbeddedClient(obs))
        assert (look.agents, look.leases, look.unread) == (obs.presence.list_agents(), {"ann": leases}, {"bob": 1})


def test_with_a_service(run: Any, serve: Callable[[], Any], start: Callable[..., Any]) -> None:
    """A running service is asked, and goes on being asked; what comes and goes can be followed."""
    assert run("agents", "--watch").code == 2
    serve()
    watching, tail = start("agents", "--watch", "--json", **PIPES), start("tail", "presence:*", **PIPES)
    assert tail.stderr.readline().startswith("following ")
    run("send", "lead", "I begin.", "--from", "agent-42")
    assert json.loads(watching.stdout.readline())["name"] == "agent-42"
    assert tail.stdout.readline().split("\t")[1:] == ["presence:update", "PresenceUpdate", "-", "agent-42 has joined\n"]
    assert cells(run("agents").out)[0][:2] == ["agent-42", "active"]
    for process in (watching, tail):
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


def test_words() -> None:
    """An update is told in words."""
    one = lease(1)
    update = PresenceUpdate((ANN,), (BOB,), (EVE,), ("old",), (one,), (ReleasedLease(one, "expired"),))
    assert _line_of(Event("presence:update", "epoch", 1, update)).text == (
        "ann has joined; bob@blue is idle; eve\x1b[31m is gone; old is forgotten; "
        "ann holds src/part-1.py; ann holds src/part-1.py no longer: expired"
    )


@pytest.mark.usefixtures("team")
def test_did_you_mean_among_many(run: Any, elsewhere: Path) -> None:
    """Of a file each such line is told, with its number; a program has it in the receipts."""
    lines = [{"to": to, "content": "hello"} for to in ("bob@blue", "bbo@blue", "zzz")]
    (elsewhere / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = run("send", "--jsonl", "lines.jsonl", "--from", "x")
    assert "line 2: bbo@blue is not known here; did you mean bob@blue or ann@blue?" in result.err
    assert result.err.count("not known here") == 1
    receipts = map(json.loads, run("send", "--jsonl", "lines.jsonl", "--from", "x", "--json").out.splitlines())
    nearest = {receipt["line"]: receipt["nearest"] for receipt in receipts}
    assert nearest == {1: None, 2: ["bob@blue", "ann@blue"], 3: []}
