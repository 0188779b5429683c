"""`observatory status`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

BETWEEN = 0.123
Serve = Callable[[], "subprocess.Popen[str]"]

FAILING = """
import trio
from observatory import Service, hookimpl

class Failing(Service):
    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        raise RuntimeError("no \\x1b[31mluck")

@hookimpl
def observatory_register_services(registrar):
    registrar.register("failing", lambda context: Failing())
"""


def test_each_line_begins_with_what_it_tells_of(run: Any, serve: Serve, root: Path) -> None:
    """In a pipe, with tabs between the cells."""
    service = serve()
    run("send", "bob", "hello", "--from", "ann")
    result = run("status")
    assert result.code == 0
    told = [line.split("\t") for line in result.out.splitlines()]
    assert told[0][:4] == ["service", "healthy", str(root), str(service.pid)]
    assert re.fullmatch(r"\d+ (s|min)", told[0][4])
    assert told[1][0] == "door"
    assert ["door", "websocket"] in [row[:2] for row in told]
    assert ["part", "module:Mailbox", "running", "0", "-"] in told
    assert ["part", "service:websocket", "running", "0", "-"] in told
    assert ["lane", "inbox", "0", "0", "1", "0", "-"] in told
    assert next(row for row in told if row[0] == "connection")[1:3] == ["websocket", "the owner"]
    assert ["figure", "messages accepted", "1", "0.0"] in told
    assert ["figure", "of them unread", "1", "-"] in told


def test_a_service_that_is_started_again_meanwhile(run: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says next is not compared with what the one before it has said."""
    service = serve()
    for _ in range(3):
        run("send", "bob", "hello", "--from", "ann")
    started: list[Any] = []
    sleep = trio.sleep

    async def start_it_again(seconds: float) -> None:
        if seconds == BETWEEN and not started:
            service.kill()
            service.wait()
            started.append(serve())
        await sleep(seconds)

    monkeypatch.setattr("observatory.cli.status._BETWEEN", BETWEEN)
    monkeypatch.setattr(trio, "sleep", start_it_again)
    document = json.loads(run("status", "--json").out)
    assert document["service"]["pid"] == started[0].pid
    assert (document["rates"]["messages"], document["rates"]["events"] >= 0) == (0, True)


def test_json_is_one_object(run: Any, serve: Serve) -> None:
    """All that is known of it, and no token."""
    service = serve()
    out = run("status", "--json").out
    document = json.loads(out)
    assert document.keys() == {"service", "health", "statistics", "rates"}
    assert (document["service"]["pid"], document["health"]["healthy"]) == (service.pid, True)
    assert document["rates"] == {"messages": 0.0, "events": 0.0}
    assert "token" not in out


def test_what_has_failed_for_good(
    run: Any, serve: Serve, install: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Says so, and the exit code is 1; a plugin that is broken counts, too."""
    install("failing", FAILING)
    install("bad", "raise RuntimeError('cannot')")
    monkeypatch.setenv("OBSERVATORY_SUPERVISION__MAX_FAILURES", "0")
    serve()
    result = run("status")
    told = [line.split("\t") for line in result.out.splitlines()]
    assert (result.code, told[0][:2]) == (1, ["service", "unhealthy"])
    assert ["part", "service:failing", "failed", "0", "RuntimeError: no \\x1b[31mluck"] in told
    assert ["plugin", "bad", "cannot be imported: RuntimeError: cannot"] in told


def test_what_a_service_tells_of_its_connections(
    run: Any, serve: Serve, install_telling: Callable[[object], None]
) -> None:
    """Who it is, as far as that is known; of what may be left out, nothing is made up."""
    clients = [
        {"identity": None, "owner": True, "requests": 1_000, "subscriptions": 2, "full": True},
        {"identity": "ann\x1b[31m", "owner": False, "address": ["10.0.0.1", 5]},
        {"identity": None},
    ]
    install_telling({"clients": clients})
    serve()
    told = [line.split("\t")[2:] for line in run("status").out.splitlines() if line.startswith("connection\ttelling")]
    assert told == [
        ["the owner", "1,000", "2", "full"],
        ["ann\\x1b[31m", "-", "-", "-"],
        ["not known yet", "-", "-", "-"],
    ]


def test_of_many_connections_those_that_matter_are_listed(
    run: Any, serve: Serve, install_telling: Callable[[object], None]
) -> None:
    """Twenty, those first that are full, then those that have asked for most; the others are counted."""
    clients = [{"identity": f"agent-{n}", "requests": n, "full": n == 7} for n in range(1_200)]
    install_telling({"clients": [{"identity": "silent"}, *clients]})
    serve()
    result = run("status")
    listed = [line.split("\t")[1:] for line in result.out.splitlines() if line.startswith("connection\t")]
    assert [row[1] for row in listed] == ["agent-7", *(f"agent-{n}" for n in range(1_199, 1_180, -1)), "-"]
    assert listed[-1] == ["… and 1,182 more", "-", "-", "-", "-"]
    assert len(json.loads(run("status", "--json").out)["statistics"]["services"]["telling"]["clients"]) == 1_201


@pytest.mark.parametrize("clients", [3, {"a": {}}, [3, {"identity": 7}, {"requests": "many"}, {"full": None}]])
def test_figures_of_another_shape_are_passed_over(
    run: Any, serve: Serve, install_telling: Callable[[object], None], clients: object
) -> None:
    """They are somebody else's, and may mean anything."""
    install_telling({"clients": clients})
    serve()
    result = run("status")
    assert (result.code, "connection\ttelling" in result.out) == (0, False)


def test_a_terminal_shows_tables(run: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighty wide, nothing is wider than that but the line that names the root."""
    serve()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", run("status").out).splitlines()
    assert shown[0].startswith("healthy: ")
    assert "Broken plugin" not in " ".join(shown)
    assert [line.split()[0] for line in shown if line.split()[1:2] == ["At"]] == ["Door"]
    assert any(re.match(r"module:Mailbox +running +0  -", line) for line in shown)
    assert max(len(line) for line in shown[1:]) <= 80


def test_without_a_service(run: Any) -> None:
    """It cannot be done, and says what to do."""
    result = run("status")
    assert (result.code, "start one with `observatory serve`" in result.err) == (2, True)


def test_without_a_plugin_for_its_door(run: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """As without a service; it says that there has to be one."""
    serve()
    monkeypatch.setenv("OBSERVATORY_DISABLED_PLUGINS", '["websocket"]')
    result = run("status")
    assert (result.code, "such as trio-observatory-websocket" in result.err) == (2, True)
