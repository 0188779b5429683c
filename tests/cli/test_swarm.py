"""`observatory swarm`, on real files."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from observatory import SwarmState, from_wire

PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

TASKS: tuple[dict[str, Any], ...] = (
    {"id": "read", "status": "completed", "owner": "ann", "updated": "2026-01-01T10:00:00Z"},
    {"id": "list", "status": "completed", "owner": "ann", "updated": "2026-01-01T11:00:00Z"},
    {"id": "fix", "status": "in_progress", "owner": "bob", "blocked_by": ["read"], "files": ["a.py"], "subject": "Fix"},
    {"id": "tidy", "status": "in_progress", "owner": "cid", "files": ["./a.py"]},
    {"id": "test", "status": "pending", "blocked_by": ["fix", "gone"]},
    {"id": "ship", "status": "blocked", "blocked_by": ["test"]},
    {"id": "tell", "status": "pending", "blocked_by": ["ship"]},
    {"id": "egg", "status": "pending", "blocked_by": ["hen"]},
    {"id": "hen", "status": "pending", "blocked_by": ["egg"]},
)


@pytest.fixture
def project(elsewhere: Path) -> Path:
    """Return the folder of the commands, with tasks in it."""
    write(elsewhere, *TASKS)
    return elsewhere


def write(folder: Path, *tasks: dict[str, Any]) -> None:
    """Write tasks."""
    (folder / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))


def tasks(folder: Path) -> dict[str, Any]:
    """Return tasks by id."""
    return {task["id"]: task for task in map(json.loads, (folder / "tasks.jsonl").read_text().splitlines())}


def test_lines(run: Any, project: Path) -> None:
    """Elsewhere than on a terminal each line says what it tells of."""
    result = run("swarm")
    name = str(project)
    cells = [line.split("\t") for line in result.out.splitlines()]
    assert result.code == 0
    assert [line for line in cells if line[0] != "task"] == [
        ["project", name, "2/9", "22%"],
        ["critical", name, "fix test ship tell"],
        ["stale", name, "fix", "bob"],
        ["stale", name, "tidy", "cid"],
        ["conflict", name, "a.py", "fix", "tidy"],
        ["blocked", name, "ship", "blocked", "tell"],
        ["blocked", name, "egg", "cycle"],
        ["blocked", name, "hen", "cycle"],
        ["cycle", name, "egg", "hen"],
        ["problem", name, "-", "task 'test' waits for 'gone', which is not there"],
        ["problem", name, "-", "2 tasks wait for each other, so that none can begin: 'egg', 'hen'"],
    ]
    waves = {line[3]: int(line[2]) for line in cells if line[0] == "task"}
    assert waves == {"read": 1, "list": 1, "tidy": 1, "egg": 1, "hen": 1, "fix": 2, "test": 3, "ship": 4, "tell": 5}
    assert ["task", name, "2", "fix", "in_progress", "bob", "Fix"] in cells


def test_json(run: Any, project: Path) -> None:
    """A program gets the state."""
    state = from_wire(json.loads(run("swarm", "--json").out), SwarmState)
    assert state.projects[str(project)].waves[0] == ("read", "list", "tidy", "egg", "hen")


def test_a_terminal(run: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person sees what is done, who is at work, and what to worry about."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    out = run("swarm").out
    for words in ("2 of 9 tasks completed", "wave 2", "▶ fix", "bob", "stale", "fix → test → ship → tell", "egg ⇄ hen"):
        assert words in out
    assert "a.py: fix, tidy" in out


def test_nothing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing, a person is told so, and a program gets no line."""
    assert run("swarm").out == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "there are no tasks" in run("swarm").out


def test_a_project_that_is_named(run: Any, project: Path, tmp_path: Path) -> None:
    """It is the one that is shown, and changed."""
    other = tmp_path / "other"
    other.mkdir()
    write(other, {"id": "x", "status": "pending"})
    assert run("swarm", "--project", str(other)).out.splitlines()[0].split("\t")[1] == str(other)
    assert run("swarm", "claim", "x", "ann", "--project", "../other").code == 0
    assert tasks(other)["x"]["owner"] == "ann"


def test_teams(run: Any, root: Path, tmp_path: Path) -> None:
    """Without a project all are shown: those in which teams work, and what teams keep by themselves."""
    folder = tmp_path / "site"
    folder.mkdir()
    write(folder, {"id": "x", "status": "pending"})
    team = root / "teams" / "blue"
    team.mkdir(parents=True)
    (team / "config.json").write_text(json.dumps({"name": "blue", "members": [{"name": "ann", "cwd": str(folder)}]}))
    own = root / "tasks" / "blue"
    own.mkdir(parents=True)
    (own / "1.json").write_text(json.dumps({"id": "1", "subject": "s", "status": "completed"}))
    lines = [line.split("\t")[:2] for line in run("swarm").out.splitlines()]
    shown = [["project", str(folder)], ["task", str(folder)], ["critical", str(folder)]]
    assert lines == [*shown, ["project", "team:blue"], ["task", "team:blue"]]
    lines = [line.split("\t")[:2] for line in run("swarm", "--project", "team:blue").out.splitlines()]
    assert lines == [["project", "team:blue"], ["task", "team:blue"]]
    assert run("swarm", "gc").err == "1 team put aside\n"
    assert (root / "observatory" / "archive" / "blue" / "team" / "config.json").exists()
    assert run("swarm", "gc", "--json").out == ""


@pytest.mark.parametrize(
    ("command", "id", "fields"),
    [
        (("heal", "fix"), "fix", {"status": "pending", "owner": None}),
        (("reassign", "test", "dan"), "test", {"status": "pending", "owner": "dan"}),
        (("complete", "tidy"), "tidy", {"status": "completed", "owner": "cid"}),
        (("complete", "tidy", "cid"), "tidy", {"status": "completed", "owner": "cid"}),
        (("stop", "tidy", "failed"), "tidy", {"status": "failed", "owner": "cid"}),
        (("stop", "tidy", "blocked", "cid"), "tidy", {"status": "blocked", "owner": "cid"}),
    ],
)
def test_action(run: Any, project: Path, command: tuple[str, ...], id: str, fields: dict[str, Any]) -> None:
    """It changes one task, and prints it."""
    before = tasks(project)
    result = run("swarm", *command)
    assert result.code == 0
    assert result.out.split("\t")[:3] == [id, fields["status"], fields["owner"] or "-"]
    after = tasks(project)
    assert {name: after[id][name] for name in fields} == fields
    assert {name: task for name, task in after.items() if name != id} == {
        name: task for name, task in before.items() if name != id
    }


def test_action_as_json(run: Any, project: Path) -> None:
    """A program gets the task."""
    write(project, {"id": "x", "status": "pending"})
    task = json.loads(run("swarm", "claim", "x", "ann", "--json").out)
    assert (task["id"], task["status"], task["owner"]) == ("x", "in_progress", "ann")


def test_reset_stale(run: Any, project: Path) -> None:
    """All that are stale are pending again, and it says how many."""
    result = run("swarm", "reset-stale", "--threshold", "60")
    assert [line.split("\t")[:2] for line in result.out.splitlines()] == [["fix", "pending"], ["tidy", "pending"]]
    assert result.err == "2 tasks pending again\n"


def test_refused(run: Any, project: Path) -> None:
    """What cannot be done is said in one line, and nothing has happened."""
    before = tasks(project)
    result = run("swarm", "claim", "fix", "dan")
    assert (result.code, result.out) == (1, "")
    assert result.err == "observatory: task 'fix' is in_progress of 'bob': only what is pending can be claimed\n"
    assert tasks(project) == before


def test_no_project(run: Any) -> None:
    """Where no project is meant, nothing is changed, and it says so."""
    result = run("swarm", "heal", "x")
    assert result.code == 1
    assert "no project is active" in result.err


def test_beside_a_service(run: Any, project: Path, serve: Callable[[], Any]) -> None:
    """The service is asked, and sees what has changed."""
    serve()
    write(project, {"id": "x", "status": "pending"})
    assert run("swarm", "claim", "x", "ann").code == 0
    assert run("swarm").out.splitlines()[1].split("\t")[3:6] == ["x", "in_progress", "ann"]
    assert run("swarm", "heal", "x").code == 1  # it was updated just now
    assert run("swarm", "reset-stale", "--threshold", "0", "--json").code == 0
    assert run("swarm", "gc").code == 0


def test_watch(start: Callable[..., Any], project: Path) -> None:
    """It goes on, and shows what has changed, until Ctrl-C."""
    process = start("swarm", "--watch", "--json", **PIPES)
    first = from_wire(json.loads(process.stdout.readline()), SwarmState)
    assert first.projects[str(project)].total == len(TASKS)
    write(project, {"id": "x", "status": "pending"})
    second = from_wire(json.loads(process.stdout.readline()), SwarmState)
    assert second.projects[str(project)].counts == {"pending": 1}
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
