"""`observatory token`, and what one can do with it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

Serve = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def token(run: Any, serve: Serve) -> str:
    """The token of the agent `ann`, of a service that runs."""
    serve()
    result = run("token", "ann")
    assert (result.code, result.err, result.out.count("\n")) == (0, "", 1)
    return str(result.out.strip())


def test_its_agent_is_verified(process: Any, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receipt says so."""
    monkeypatch.setenv("OBSERVATORY_TOKEN", token)
    receipt = json.loads(process("send", "bob", "hello", "--from", "ann", "--json").out)
    assert (receipt["verified"], receipt["message"]["from"]) == (True, "ann")
    monkeypatch.delenv("OBSERVATORY_TOKEN")
    assert json.loads(process("send", "bob", "hello", "--from", "ann", "--json").out)["verified"] is False


def test_it_is_of_no_use_to_be_somebody_else(process: Any, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so, and nothing is sent or acknowledged."""
    id = process("send", "bob", "hello", "--from", "ann").out.strip()
    monkeypatch.setenv("OBSERVATORY_TOKEN", token)
    for command in (["send", "cyd", "hello", "--from", "bob"], ["ack", "bob", id]):
        result = process(*command)
        assert (result.code, result.out) == (1, "")
        assert "observatory: the token names 'ann', which cannot act as 'bob'\n" in result.err
    assert process("inbox", "cyd").out == ""
    assert process("inbox", "bob").out.startswith(id)


def test_a_token_that_is_wrong(process: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so."""
    serve()
    monkeypatch.setenv("OBSERVATORY_TOKEN", "ann.wrong")
    result = process("stats")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "token" in result.err


def test_a_name_that_is_none(run: Any) -> None:
    """Is refused."""
    result = run("token", "no/name")
    assert (result.code, "agent: 'no/name' is no name" in result.err) == (1, True)


def test_without_a_service(run: Any) -> None:
    """There is nobody to take it."""
    assert run("token", "ann").code == 2
