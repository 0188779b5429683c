"""How a swarm looks on a terminal."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from observatory import Problem, SwarmState
from observatory.cli.swarm_view import SwarmView
from observatory.swarm.pipeline import read

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def state(*tasks: dict[str, Any], active: str | None = None, problems: tuple[Problem, ...] = ()) -> SwarmState:
    """Return the state of a swarm with one project."""
    data = b"".join(json.dumps(task).encode() + b"\n" for task in tasks)
    return SwarmState(active, {"/work": read(data, "/work", NOW).pipeline}, (), problems)


def task(id: str, status: str = "pending", **fields: Any) -> dict[str, Any]:
    """Return a task."""
    return {"id": id, "status": status, **fields}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what shows states one after another, and returns what is written for each."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    view = SwarmView(None, json=False)

    def shown(state: SwarmState) -> str:
        view.show(state)
        return capsys.readouterr().out

    return shown


def plain(text: str) -> list[str]:
    """Return lines without colours."""
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).splitlines()]


def test_the_same_again(shown: Any) -> None:
    """What has not changed is not written again; what has takes its place."""
    assert "\x1b[2J" not in shown(state(task("a")))
    assert shown(state(task("a"))) == ""
    assert shown(state(task("a", "failed"))).startswith("\x1b[2J")


def test_nothing_to_do(shown: Any) -> None:
    """A project without tasks has a line of its own, and nothing else."""
    lines = plain(shown(state(active="/work")))
    assert lines[0] == "/work  active  0 of 0 tasks completed, 100%"
    assert [line for line in lines[2:] if line] == []


def test_all_is_done(shown: Any) -> None:
    """Waves that are completed are counted; how long it takes is not said any more."""
    done = [
        task("a", "completed", updated="2026-01-01T00:00:00Z"),
        task("b", "completed", updated="2026-01-01T01:00:00Z", blocked_by=["a"]),
    ]
    lines = plain(shown(state(*done)))
    assert lines[0] == "/work  2 of 2 tasks completed, 100%"
    assert lines[2] == "2 waves completed"


def test_very_many(shown: Any) -> None:
    """Of waves, and of tasks in a wave, the first ones are shown, and how many others there are."""
    chain = [task(f"c{number}", blocked_by=[f"c{number - 1}"] if number else []) for number in range(30)]
    lines = plain(shown(state(*chain, *[task(f"w{number}") for number in range(20)])))
    waves = [line for line in lines if line.startswith("wave ")]
    assert len(waves) == 20
    assert waves[0].endswith("… and 9 more")
    path = " ".join(lines).partition("critical path ")[2]
    assert path.startswith("c0 → c1 → ")
    assert "→ c19 … 30 in all" in path


def test_what_is_wrong(shown: Any) -> None:
    """Problems of a file, and of what cannot be read, are shown, and can do nothing to the terminal."""
    found = state(task("\x1b]0;x"), problems=(Problem("/no\nwhere", None, "permission denied"),))
    pipeline = read(b'{"id": "a"}\n{"id": 7, "status": "x"}\n', "/work", NOW).pipeline
    lines = plain(shown(SwarmState(None, {**found.projects, "/other": pipeline}, (), found.problems)))
    assert "/no\\nwhere: permission denied" in lines
    assert any("\\x1b]0;x" in line for line in lines)
    assert any(line.startswith("problem line 1: status: expected one of") for line in lines)


def test_who_is_at_work(shown: Any) -> None:
    """Whoever works at a task stands beside it, with how long ago it was updated, and whether that is long."""
    working = [task("a", "in_progress", owner="ann", updated=datetime.now(UTC).isoformat()), task("b", "in_progress")]
    lines = plain(shown(state(*working)))
    assert any(re.fullmatch(r"a +ann +\d s ago", line) for line in lines)
    assert any(re.fullmatch(r"b +- +-, stale", line) for line in lines)


def test_a_home_is_a_tilde(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project below one's home is shown as one writes it."""
    monkeypatch.setenv("HOME", "/home/ann")
    pipeline = state(task("a")).projects["/work"]
    assert plain(shown(SwarmState(None, {"/home/ann/work": pipeline}, (), ())))[0].startswith("~/work  0 of 1 task")
