"""`observatory tail`, in processes of its own."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from observatory import (
    ChildHealth,
    Event,
    Gap,
    Health,
    HookEvent,
    MailboxCleared,
    Message,
    MessagesExpired,
    MessagesRead,
    Note,
    NoteDeleted,
    TraceStatistics,
)
from observatory.cli.events import EventPrinter

Process = subprocess.Popen[str]
Serve = Callable[[], Process]

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


@pytest.fixture
def follow(start: Callable[..., Process]) -> Callable[..., Process]:
    """Start `tail` and wait until it follows."""

    def follow(*arguments: str) -> Process:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        tail = start("tail", *arguments, **pipes)
        assert tail.stderr
        assert tail.stderr.readline().startswith("following ")
        return tail

    return follow


def lines(tail: Process) -> Iterator[list[str]]:
    """Read lines as cells, but for those that tell who comes and goes."""
    assert tail.stdout
    for line in tail.stdout:
        cells = line.rstrip("\n").split("\t")
        if cells[1] != "presence:update":
            yield cells


def end(tail: Process) -> None:
    """End it as Ctrl-C does."""
    tail.send_signal(signal.SIGINT)
    assert tail.wait() == 130


def test_what_happens_is_a_line(run: Any, serve: Serve, follow: Callable[..., Process]) -> None:
    """In a pipe with tabs between the cells; messages, and what becomes of them."""
    serve()
    tail = follow()
    id = run("send", "bob", "hello\x1b[31m\nyou", "--from", "ann").out.strip()
    run("ack", "bob", id)
    told = lines(tail)
    time, *sent = next(told)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", time)
    assert sent == ["agent:bob", "Message", "ann", "hello\\x1b[31m\\nyou"]
    assert next(told)[1:] == ["agent:bob", "MessagesRead", "-", "has acknowledged 1 message"]
    end(tail)


def test_messages_are_acknowledged_at_once(run: Any, serve: Serve, follow: Callable[..., Process]) -> None:
    """However many are named, it is one commit."""
    serve()
    ids = [run("send", "bob", "hello", "--from", "ann").out.strip() for _ in range(3)]
    tail = follow()
    run("ack", "bob", *ids)
    assert next(lines(tail))[-1] == "has acknowledged 3 messages"
    end(tail)


def test_a_service_that_wants_it_slowly(
    serve: Serve, follow: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins to follow in its time."""
    monkeypatch.setenv("OBSERVATORY_SECURITY__BURST", "1")
    monkeypatch.setenv("OBSERVATORY_SECURITY__REQUESTS_PER_SECOND", "10")
    serve()
    end(follow())


def test_a_topic_and_json(run: Any, serve: Serve, follow: Callable[..., Process]) -> None:
    """Only what is named, once; whole events, the payload with its kind."""
    serve()
    tail = follow("agent:bob", "agent:bob", "--json")
    run("send", "cyd", "not this", "--from", "ann")
    run("send", "bob", "this", "--from", "ann")
    assert tail.stdout
    event = json.loads(tail.stdout.readline())
    assert (event["topic"], event["sequence"], event["kind"]) == ("agent:bob", 1, "Message")
    assert (event["payload"]["content"], event["verified"]) == ("this", False)
    end(tail)


def test_it_survives_a_restart_of_the_service(run: Any, serve: Serve, follow: Callable[..., Process]) -> None:
    """It says once that something may be missing, and goes on; that all is well again is said once, too."""
    service = serve()
    tail = follow()
    run("send", "bob", "one", "--from", "ann")
    service.send_signal(signal.SIGTERM)
    service.wait()
    serve()
    told = lines(tail)
    assert next(told)[-1] == "one"
    lost = [next(told)[2:] for _ in range(2)]
    assert sorted(lost) == [
        ["Gap", "-", "was started again; events may be missing here"],
        ["Health", "-", "all is well"],
    ]
    run("send", "bob", "two", "--from", "ann")
    assert next(told)[-1] == "two"
    end(tail)


def test_it_ends_with_whoever_reads_it(serve: Serve, follow: Callable[..., Process]) -> None:
    """Though nothing happens."""
    serve()
    tail = follow()
    assert tail.stdout
    assert tail.stderr
    tail.stdout.close()
    assert (tail.wait(), tail.stderr.read()) == (1, "")


def test_without_a_service(run: Any) -> None:
    """It says what to do."""
    result = run("tail")
    assert result.code == 2
    assert "no service can be asked on the root" in result.err
    assert "start one with `observatory serve`" in result.err


def test_a_topic_that_is_none(run: Any, serve: Serve) -> None:
    """One line says so."""
    serve()
    result = run("tail", "")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "topic: " in result.err


@pytest.mark.parametrize("topic", ["*", "agent:bo*", "agent:*:x", "*:*", "agent:**"])
def test_a_pattern_that_is_none(run: Any, topic: str) -> None:
    """It would follow what never comes; the error says what a pattern is."""
    result = run("tail", "agent:bob", topic)
    assert (result.code, result.err.count("\n"), "such as `agent:*`" in result.err) == (1, 1, True)
    assert result.err.startswith(f"observatory: topic: '{topic}' is not allowed: ")


def test_a_pattern(run: Any, serve: Serve, follow: Callable[..., Process]) -> None:
    """All topics that begin so."""
    serve()
    tail = follow("other:*", "agent:*")
    run("send", "bob", "hello", "--from", "ann")
    assert next(lines(tail))[1] == "agent:bob"
    end(tail)


def test_a_token_that_has_ended(
    run: Any, serve: Serve, follow: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the service that it was of: nobody waits for what will not come."""
    service = serve()
    monkeypatch.setenv("OBSERVATORY_TOKEN", run("token", "ann").out.strip())
    tail = follow()
    service.send_signal(signal.SIGTERM)
    service.wait()
    serve()
    assert tail.stderr
    assert (tail.wait(), "token" in tail.stderr.read()) == (1, True)


def test_a_terminal_shows_columns(run: Any, serve: Serve, root: Path) -> None:
    """Eighty wide, nothing is wider, and the text keeps to its column; Ctrl-C ends it."""
    serve()
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "observatory", "tail", "--root", str(root)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as tail:
        os.close(theirs)
        written = b""
        while b"Ctrl-C ends" not in written:
            written += os.read(ours, 65536)
        run("send", "bob", "word " * 30 + "\x1b[2J", "--from", "ann", "--type", "task")
        while b"\\x1b[2J" not in written:
            written += os.read(ours, 65536)
        tail.send_signal(signal.SIGINT)
        assert tail.wait() == 130
    os.close(ours)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", written.decode()).splitlines()[1:]
    shown = [line for line in shown if "  agents  " not in line]  # but for those that tell who comes and goes
    assert re.match(r"\d\d:\d\d:\d\d  ann → bob {15} {2}task  word word ", shown[0])
    assert max(map(len, shown)) <= 80
    assert all(line.startswith(" " * 36 + "word") or not line.strip() for line in shown[1:-1])
    assert "\\x1b[2J" in shown[-1]


def message(content: str = "hello", *, type: str = "text") -> Message:
    """Make a message."""
    return Message("0" * 16, "ann", "bob", content, NOW, type=type)


@pytest.mark.parametrize(
    ("event", "who", "text"),
    [
        (Event("agent:bob", "e", 1, message()), "ann → bob", "hello"),
        (Event("agent:bob", "e", 1, message(), verified=True), "ann ✓ → bob", "hello"),
        (Event("agent:bob", "e", 1, message(type="task")), "ann → bob", "task  hello"),
        (Event("agent:bob", "e", 1, message("x" * 300)), "ann → bob", "x" * 239 + "…"),
        (Event("agent:bob", "e", 2, MessagesExpired("bob", ("a", "b"))), "bob", "has lost 2 messages that expired"),
        (Event("agent:bob", "e", 2, MessagesRead("bob", ("a",))), "bob", "has acknowledged 1 message"),
        (Event("agent:bob", "e", 2, MailboxCleared("bob", 3)), "bob", "has removed all messages, 3 of them"),
        (Event("agent:*", "e", 2, Gap(7)), "agent:*", "7 events missing here"),
        (Event("agent:*", "e", 2, Gap(None)), "service", "was started again; events may be missing here"),
        (Event("notes:update", "e", 1, Note("k", "text", NOW)), "note k", "text"),
        (Event("notes:update", "e", 1, NoteDeleted("k")), "note k", "is deleted"),
        (Event("events:stream", "e", 1, HookEvent("Stop", "s-1", NOW)), "s-1", "Stop"),
        (Event("events:stream", "e", 1, HookEvent("Stop", "s-1", NOW, "ann")), "ann", "Stop"),
        (
            Event("protocols:update", "e", 1, TraceStatistics(200, {"text": 200}, 1_000, {"inbox": 1, "log": 0}, ())),
            "protocols",
            "200 traces, 1,000 messages unread, 1 job waiting",
        ),
        (Event("other:x", "e", 1, {"a": 1, "b": "two"}), "other:x", "a 1, b two"),
        (Event("other:x", "e", 1, "three"), "other:x", "three"),
        (
            Event("health:update", "e", 1, Health(False, (ChildHealth("lane:x", "failed", 6, "no"),), {"p": "broke"})),
            "health",
            "lane:x is failed: no; the plugin p is broken: broke",
        ),
        (
            Event("health:update", "e", 1, Health(True, (ChildHealth("lane:x", "starting", 0, None),), {})),
            "health",
            "lane:x is starting",
        ),
        (
            Event("health:update", "e", 1, Health(True, (ChildHealth("lane:x", "running", 0, None),), {})),
            "health",
            "all is well",
        ),
        (Event("health:update", "e", 1, Health(False, (), {})), "health", "is closed"),
    ],
)
def test_every_kind_of_event_is_told_in_words(
    event: Event, who: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who, and what."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "400")
    EventPrinter(json=False).print(event, first=True)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert shown[10:].rstrip() == f"{who:<26}{text}"


def test_what_a_plugin_publishes_has_no_kind_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    """As it comes from elsewhere, as JSON."""
    EventPrinter(json=False).print(Event("other:x", "e", 1, {"a": 1}), first=True)
    assert capsys.readouterr().out.split("\t")[1:] == ["other:x", "-", "-", "a 1\n"]
