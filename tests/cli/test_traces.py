"""`observatory traces`: what a running service knows of the way of messages."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory import Trace, TraceStatistics, from_wire

BETWEEN = 0.123
Serve = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def ids(run: Any, serve: Serve) -> list[str]:
    """Start a service, and send three messages; return their ids, newest first."""
    serve()
    sent = [run("send", to, "hello", "--from", "ann").out.strip() for to in ("bob", "cid", "bob")]
    return sent[::-1]


def test_a_line_for_each(run: Any, ids: list[str]) -> None:
    """Which message, whose, when, and how far it has come."""
    run("ack", "bob", ids[0])
    result = run("traces")
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert (result.code, [row[:3] for row in rows]) == (
        0,
        [[ids[0], "ann", "bob"], [ids[1], "ann", "cid"], [ids[2], "ann", "bob"]],
    )
    assert [row[4] for row in rows] == ["acknowledged", "written by inbox", "written by inbox"]
    assert all(re.fullmatch(r"20\d\d-\S+T\S+\+00:00", row[3]) for row in rows)
    assert all(re.fullmatch(r"[\d.,]+ m?s", row[5]) for row in rows)


def test_of_one_agent(run: Any, ids: list[str]) -> None:
    """As many as are wanted."""
    out = run("traces", "--agent", "bob", "--limit", "1").out
    assert [line.split("\t")[0] for line in out.splitlines()] == [ids[0]]


def test_the_hops_of_one(run: Any, ids: list[str]) -> None:
    """Oldest first, with the time since it was accepted."""
    rows = [line.split("\t") for line in run("traces", ids[1]).out.splitlines()]
    assert [row[1:] for row in rows] == [
        ["accepted", "-", "-"],
        ["committed", "-", "-"],
        ["published", "-", "-"],
        ["written", "inbox", "-"],
    ]
    assert rows[0][0] == "0.00 ms"


def test_figures(run: Any, ids: list[str]) -> None:
    """How many messages have come to each hop, and how long they have taken."""
    rows = [line.split("\t") for line in run("traces", "--statistics").out.splitlines()]
    assert [row[:3] for row in rows] == [["committed", "-", "3"], ["published", "-", "3"], ["written", "inbox", "3"]]


def test_json(run: Any, ids: list[str]) -> None:
    """Each line is a value of the library."""
    listed = [from_wire(json.loads(line), Trace) for line in run("traces", "--json").out.splitlines()]
    assert [trace.id for trace in listed] == ids
    (one,) = map(json.loads, run("traces", ids[0], "--json").out.splitlines())
    assert from_wire(one, Trace) == listed[0]
    (figures,) = map(json.loads, run("traces", "--statistics", "--json").out.splitlines())
    assert from_wire(figures, TraceStatistics).traces == 3


def test_of_another_process(run: Any, ids: list[str], root: Path) -> None:
    """How long after it was accepted something came is not for this clock to say."""
    (file,) = (root / "inbox" / "cid").iterdir()
    file.with_name(f"{'f' * 16}.json").write_text(file.read_text().replace(ids[1], "f" * 16))
    while not (result := run("traces", "f" * 16)).out:
        pass
    assert {line.split("\t")[0] for line in result.out.splitlines()} == {"-"}


def test_one_that_is_not_known(run: Any, ids: list[str]) -> None:
    """It says so, and the exit code is 1."""
    result = run("traces", "0" * 16)
    assert (result.code, result.out) == (1, "")
    assert "nothing is known of the way of a message '0000000000000000'" in result.err


def test_what_is_not_allowed(run: Any, ids: list[str]) -> None:
    """It is refused in the words of the library."""
    result = run("traces", "--agent", "a b")
    assert (result.code, "'a b' is no name" in result.err) == (1, True)


def test_without_a_service(run: Any) -> None:
    """What lives in the memory of another process cannot be had here."""
    result = run("traces")
    assert (result.code, "no service can be asked" in result.err) == (2, True)


def test_watching(run: Any, ids: list[str], start: Any) -> None:
    """A program is told what is new, until Ctrl-C."""
    watching = start("traces", "--watch", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = [watching.stdout.readline().split("\t")[0] for _ in range(3)]
    new = run("send", "dan", "hello", "--from", "ann").out.strip()
    assert (first, watching.stdout.readline().split("\t")[0]) == (ids, new)
    watching.send_signal(signal.SIGINT)
    assert watching.wait() == 130


@pytest.mark.parametrize("arguments", [["traces", "--watch"], ["traces", "--watch", "--json"]])
def test_watching_tells_nothing_twice(
    run: Any, process: Any, ids: list[str], arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that finds nothing new prints nothing, and one that does prints only that."""
    looks: list[float] = []
    new: list[str] = []
    sleep = trio.sleep

    async def between(seconds: float) -> None:
        if seconds != BETWEEN:
            await sleep(seconds)
            return
        looks.append(seconds)
        if len(looks) == 2:
            sent = await trio.to_thread.run_sync(process, "send", "dan", "hello", "--from", "ann")
            new.append(sent.out.strip())
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("observatory.cli.traces._BETWEEN", BETWEEN)
    monkeypatch.setattr(trio, "sleep", between)
    result = run(*arguments)
    lines = result.out.splitlines()
    assert (result.code, len(lines)) == (130, 4)
    assert [id for line, id in zip(lines, [*ids, *new], strict=True) if id in line] == [*ids, *new]


def test_watching_as_json(run: Any, ids: list[str], start: Any) -> None:
    """A trace that has changed is told anew."""
    watching = start("traces", ids[0], "--watch", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    before = from_wire(json.loads(watching.stdout.readline()), Trace)
    run("ack", "bob", ids[0])
    after = from_wire(json.loads(watching.stdout.readline()), Trace)
    assert after.hops[: len(before.hops)] == before.hops
    assert after.hops[-1].name == "acknowledged"


def test_on_a_terminal(ids: list[str], run: Any, start: Any) -> None:
    """A table that is drawn anew when something has changed, and fits into eighty columns."""
    ours, theirs = os.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    watching = start("traces", "--watch", stdout=theirs, stderr=subprocess.DEVNULL, env=environ)
    os.close(theirs)
    written = b""
    while b"\xe2\x95\xaf" not in written:  # the last corner
        written += os.read(ours, 65_536)
    run("ack", "bob", ids[0])
    written = b""
    while b"\xe2\x95\xaf" not in written:
        written += os.read(ours, 65_536)
    watching.send_signal(signal.SIGINT)
    assert watching.wait() == 130
    os.close(ours)
    assert written.startswith(b"\x1b[H\x1b[2J") or b"\x1b[2J" in written
    shown = re.sub(r"\x1b\[[0-9;]*[mHJ]", "", written.decode()).splitlines()
    assert max(map(len, shown)) <= 80
    assert re.search(rf"{ids[0]} │ ann  │ bob │ \d\d:\d\d:\d\d │ acknowledged ", shown[3])
