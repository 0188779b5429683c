"""`observatory deliveries` and `observatory dead-letters`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("observatory_sqlite", reason="needs storage that lasts: trio-observatory-sqlite is not installed")


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let storage outlive each command."""
    monkeypatch.setenv("OBSERVATORY_STORAGE__BACKEND", "sqlite")


@pytest.fixture
def letter(run: Any, lasting: None, root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leave one dead letter, of a message to `bad`, and return the message's id."""
    (root / "inbox").mkdir(parents=True)
    (root / "inbox" / "bad").touch()
    monkeypatch.setenv("OBSERVATORY_DELIVERY__RETRY_ATTEMPTS", "1")
    result = run("send", "bad", "hello", "--from", "x")
    assert result.code == 1
    return str(result.out.strip())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["dead-letters"], "dead letters cannot be listed here"),
        (["dead-letters", "--redeliver"], "dead letters cannot be redelivered here"),
        (["deliveries", "0123456789abcdef"], "deliveries cannot be listed here"),
    ],
)
def test_they_live_in_another_process(run: Any, arguments: list[str], problem: str) -> None:
    """With storage in memory the exit code is 2, and the error says where they can be had."""
    result = run(*arguments)
    assert result.code == 2
    assert problem in result.err
    assert "set `[storage] backend`" in result.err


def test_a_delivery(run: Any, lasting: None) -> None:
    """The next command knows what became of a message."""
    id = run("send", "a", "hello", "--from", "x").out.strip()
    result = run("deliveries", id)
    assert result.code == 0
    assert result.out.split("\t")[:4] == ["inbox", "written", "1", "flushed"]
    (record,) = map(json.loads, run("deliveries", id, "--json").out.splitlines())
    assert (record["id"], record["delivery"]["state"]) == (id, "written")


def test_an_unknown_message(run: Any, lasting: None) -> None:
    """It says so, and the exit code is 1."""
    result = run("deliveries", "0123456789abcdef")
    assert (result.code, result.out) == (1, "")
    assert "nothing is known of deliveries of a message '0123456789abcdef'" in result.err


def test_a_message_that_is_kept_as_a_dead_letter_has_an_id(
    run: Any, letter: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was sent, and the error says how it is tried again."""
    (elsewhere / "lines").write_text('{"to": "bad", "content": "hello", "from": "x"}')
    result = run("send", "--jsonl", "lines", "--json")
    id = json.loads(result.out)["message"]["id"]
    assert f"message {id} is not in the inbox of bad: it is dead: " in result.err
    assert "once that is mended, `observatory dead-letters --redeliver` tries again" in result.err
    assert (result.code, "1 message sent to 1 agent" in result.err) == (1, True)
    assert [line.split("\t")[0] for line in run("dead-letters").out.splitlines()] == [letter, id]


def test_dead_letters_are_listed(run: Any, letter: str) -> None:
    """With the reason."""
    result = run("dead-letters")
    assert result.code == 0
    assert result.out.split("\t")[:4] == [letter, "bad", "inbox", "1"]
    assert "is not a directory: move it away" in result.out
    assert result.err == "1 dead letter\n"


def test_dead_letters_are_exported(run: Any, letter: str) -> None:
    """As JSON lines, with the whole message."""
    (exported,) = map(json.loads, run("dead-letters", "--json").out.splitlines())
    assert exported["message"]["id"] == letter
    assert exported["message"]["content"] == "hello"
    assert exported["channel"] == "inbox"


def test_dead_letters_are_delivered_again(run: Any, letter: str, root: Path) -> None:
    """Once what stood in the way is gone."""
    (root / "inbox" / "bad").unlink()
    result = run("dead-letters", "--redeliver")
    assert (result.code, result.err) == (0, "1 dead letter tried again, 0 left\n")
    assert [path.stem for path in (root / "inbox" / "bad").iterdir()] == [letter]
    assert run("dead-letters").err == "0 dead letters\n"


def test_what_still_stands_in_the_way(run: Any, letter: str) -> None:
    """What has failed again is counted, and the exit code is 1."""
    result = run("dead-letters", "--redeliver")
    assert (result.code, result.err.splitlines()[-1]) == (1, "1 dead letter tried again, 1 left")


def test_some_dead_letters(run: Any, letter: str, root: Path) -> None:
    """Those of the messages that are named, and no others, are listed and tried again."""
    other = run("send", "bad", "other", "--from", "x").out.strip()
    assert run("dead-letters", other).out.startswith(f"{other}\t")
    assert run("dead-letters", other).err == "1 dead letter\n"
    (root / "inbox" / "bad").unlink()
    assert "1 dead letter tried again, 0 left" in run("dead-letters", "--redeliver", other).err
    assert [path.stem for path in (root / "inbox" / "bad").iterdir()] == [other]
    assert run("dead-letters").out.startswith(f"{letter}\t")


@pytest.mark.parametrize("more", [[], ["--json"], ["--redeliver"]])
def test_an_unknown_dead_letter(run: Any, letter: str, more: list[str]) -> None:
    """It says so, and the exit code is 1."""
    result = run("dead-letters", "0123456789abcdef", *more)
    assert (result.code, result.out) == (1, "")
    assert "there is no dead letter of a message '0123456789abcdef'" in result.err
