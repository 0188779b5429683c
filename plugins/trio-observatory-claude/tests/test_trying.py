"""What the check tries: the hook command, the MCP server and the service, and what it says when they fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest
from observatory_claude import trying
from observatory_claude.connecting import Places, Wanted, of_project, wanted_for
from observatory_claude.trying import expanded, try_hook, try_server, try_service

from observatory import Finding

Program: TypeAlias = Callable[[str], Wanted]

ANSWERS = """read line; echo '{"jsonrpc": "2.0", "id": 0, "result": {"serverInfo": {}}}'; cat"""


@pytest.fixture
def places(project: Path) -> Places:
    """Return those of the project."""
    return of_project(project)


@pytest.fixture
def program(root: Path, with_mcp: None, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return what has the MCP server be another program, of the shell, which is beside the interpreter."""
    (root / "bin").mkdir()
    (root / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr("observatory_claude.entries.sys.executable", str(root / "bin" / "python"))

    def program(text: str) -> Wanted:
        path = root / "bin" / "observatory"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return wanted_for(root, "ann")

    return program


def problem_of(found: Sequence[Finding]) -> str:
    """Return what is wrong, of the only thing that is."""
    [finding] = found
    return finding.problem


async def test_server(places: Places, program: Program) -> None:
    """Nothing is wrong with a server that answers, though it would go on."""
    assert await try_server(places, program(ANSWERS)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("exit 3", "it ends instead of answering: without a word"),
        ("echo one >&2; echo 'observatory: no luck' >&2; exit 2", "it ends instead of answering: observatory: no luck"),
        ("echo nonsense; exec sleep 60", "it does not answer within 1 s"),
        ("exec sleep 60", "it does not answer within 1 s"),
        ("exec 0<&-; exec sleep 60", "it does not answer within 1 s"),
    ],
)
async def test_server_fails(
    places: Places, program: Program, text: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started as Claude Code does, for the session's agent, and has to answer; how, a person can see."""
    monkeypatch.setattr(trying, "_PATIENCE", 1)
    monkeypatch.setenv("OBSERVATORY_AGENT", "bob")
    [finding] = await try_server(places, program(text))
    assert (finding.problem, "--agent bob" in finding.remedy) == (problem, True)


async def test_no_server(places: Places, program: Program, root: Path) -> None:
    """Where the program is not to be found, that is said."""
    wanted = program("")
    (root / "bin" / "observatory").unlink()
    assert problem_of(await try_server(places, wanted)) == "it cannot be run: No such file or directory"


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are put in as Claude Code does: with a default, or else left as they stand."""
    monkeypatch.setenv("THERE", "x y")
    assert expanded("${THERE} ${THERE:-a} ${GONE_:-a b} ${GONE_:-} ${GONE_} $THERE") == "x y x y a b  ${GONE_} $THERE"


async def test_hook(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook command has to be there, and to end well, in time."""
    (tmp_path / "observatory_claude").mkdir()
    program = tmp_path / "observatory_claude" / "hook.py"
    monkeypatch.setattr("observatory_claude.entries.HOOK", program)
    wanted = wanted_for(root, "ann")
    program.write_text("")
    assert await try_hook(wanted) == []
    program.write_text("raise SystemExit(3)")
    assert problem_of(await try_hook(wanted)) == "it ends with 3"
    program.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(trying, "_PATIENCE", 0.2)
    assert problem_of(await try_hook(wanted)) == "it takes more than 0.2 s"
    monkeypatch.setattr("observatory_claude.entries.sys.executable", "/gone/bin/python")
    assert problem_of(await try_hook(wanted_for(root, "ann"))) == "it cannot be run: No such file or directory"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((404, b""), "it takes no events"),
        ((500, b""), "it answers with 500 where events go"),
        (OSError(111, "Connection refused"), "it does not answer: Connection refused"),
        (ValueError(), "it does not answer: ValueError"),
    ],
)
async def test_service(root: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, problem: str) -> None:
    """What a service answers is told of, unless it refuses what is no event as it should."""
    hook = ModuleType("hook")

    def ask(*_: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    vars(hook).update(name_of_session=str, read_service=lambda _: {"pid": 7, "doors": {"http": ""}}, ask=ask)
    monkeypatch.setattr(trying, "hook", hook)
    assert problem_of(await try_service(root, "ann")) == problem
