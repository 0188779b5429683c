"""`observatory inbox` and `observatory ack`."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def send(run: Any, *contents: str, to: str = "bob") -> list[str]:
    """Send messages and return their ids."""
    return [run("send", to, content, "--from", "ann").out.strip() for content in contents]


def test_messages_are_listed_newest_first(run: Any) -> None:
    """One line each, with tabs between the cells."""
    send(run, "one", "two", "three")
    assert [line.split("\t")[-1] for line in run("inbox", "bob").out.splitlines()] == ["three", "two", "one"]


def test_the_limit_says_how_many_there_are(run: Any) -> None:
    """What is not shown is told beside the output."""
    send(run, "one", "two", "three")
    result = run("inbox", "bob", "--limit", "2")
    assert result.out.count("\n") == 2
    assert result.err == "the newest 2 of 3; --limit 3 lists all\n"


def test_all_lists_what_is_known(run: Any) -> None:
    """From the files alone that is what is unread."""
    first, second = send(run, "one", "two")
    run("ack", "bob", first)
    result = run("inbox", "bob", "--all")
    assert (result.code, result.out.split("\t")[0]) == (0, second)
    assert result.err.startswith("acknowledged messages are not listed: with storage 'memory' only the process")
    assert "acknowledged" not in run("inbox", "bob").err


def test_all_lists_what_storage_keeps(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The acknowledged ones too, where it outlives each command."""
    pytest.importorskip("observatory_sqlite", reason="needs storage that lasts")
    monkeypatch.setenv("OBSERVATORY_STORAGE__BACKEND", "sqlite")
    first, second = send(run, "one", "two")
    run("ack", "bob", first)
    result = run("inbox", "bob", "--all")
    assert ([line.split("\t")[0] for line in result.out.splitlines()], result.err) == ([second, first], "")


def test_an_empty_inbox_is_said_beside_the_output(run: Any) -> None:
    """Standard output stays empty for scripts."""
    result = run("inbox", "bob")
    assert (result.code, result.out, result.err) == (0, "", "no messages for bob\n")


def test_json_prints_a_message_a_line(run: Any) -> None:
    """Each has the eight fields of a message."""
    send(run, "one", "two")
    messages = [json.loads(line) for line in run("inbox", "bob", "--json").out.splitlines()]
    assert [message["content"] for message in messages] == ["two", "one"]
    assert set(messages[0]) == {"id", "from", "to", "content", "timestamp", "type", "read", "metadata"}


def test_only_the_agents_own_inbox_is_read(run: Any, root: Path) -> None:
    """A damaged file of somebody else is none of its business."""
    send(run, "one")
    (root / "inbox" / "cyd").mkdir()
    (root / "inbox" / "cyd" / "0123456789abcdef.json").write_text("damaged")
    result = run("inbox", "bob")
    assert (result.code, result.out.count("\n")) == (0, 1)
    assert "0123456789abcdef" not in result.err


def test_what_does_not_fit_is_left_in_the_files_and_counted(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cap of a mailbox holds for recovery too."""
    send(run, "one", "two", "three")
    monkeypatch.setenv("OBSERVATORY_MAILBOX__MAX_MESSAGES", "2")
    result = run("inbox", "bob")
    assert result.out.count("\n") == 2
    assert "1 more message found in files and left there" in result.err


def test_a_name_may_begin_with_a_dash(run: Any) -> None:
    """Its mailbox is read and acknowledged like any other."""
    (one,) = send(run, "one", to="-x")
    assert run("inbox", "-x").out.startswith(one)
    assert run("ack", "-x", one).err == "1 message of -x acknowledged\n"


def test_an_id_never_begins_with_a_dash(run: Any) -> None:
    """There it is a misspelled option."""
    result = run("ack", "bob", "--alll")
    assert (result.code, result.err) == (2, "observatory: Unknown option: --alll.\n")


@pytest.mark.parametrize("command", [["inbox", "../bob"], ["ack", "../bob", "0123456789abcdef"]])
def test_a_name_that_is_none_is_refused(run: Any, root: Path, command: list[str]) -> None:
    """Before anything is opened."""
    result = run(*command)
    assert result.code == 1
    assert "agent: '../bob' is no name" in result.err
    assert not root.exists()


def test_a_limit_below_1_is_refused(run: Any) -> None:
    """It is a wrong command."""
    assert run("inbox", "bob", "--limit", "0").code == 2


def test_acknowledging_removes_the_files(run: Any, root: Path) -> None:
    """Those of the messages that were named, and no others."""
    one, two, three = send(run, "one", "two", "three")
    result = run("ack", "bob", one, three)
    assert (result.code, result.err) == (0, "2 messages of bob acknowledged\n")
    assert [path.stem for path in (root / "inbox" / "bob").iterdir()] == [two]


def test_an_unknown_message_is_named_and_the_others_are_acknowledged(run: Any, root: Path) -> None:
    """The exit code is 1 then."""
    (one,) = send(run, "one")
    result = run("ack", "bob", "0123456789abcdef", one)
    assert result.code == 1
    assert "the mailbox of 'bob' holds no message '0123456789abcdef'" in result.err
    assert "1 message of bob acknowledged" in result.err
    assert not list((root / "inbox" / "bob").iterdir())


HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]markup[/] :smile: \u202egnp.exe\r\nline\ttab\x9b2J"


def test_hostile_content_is_harmless_in_a_pipe(run: Any) -> None:
    """Control characters are escaped, and markup stays text."""
    send(run, HOSTILE)
    out = run("inbox", "bob").out
    assert out.endswith(
        "\\x1b[31mred\\x1b]0;title\\x07 [bold]markup[/] :smile: \\u202egnp.exe\\r\\nline\\ttab\\x9b2J\n"
    )


def test_hostile_content_is_harmless_on_a_terminal(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only line breaks are left, inside their cell."""
    send(run, HOSTILE)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    out = run("inbox", "bob").out
    assert "\\x1b[31mred\\x1b]0;title\\x07 [bold]markup[/] :smile: \\u202egnp.exe\\r" in out
    assert "line\\ttab\\x9b2J" in out
    assert not set(out) & set("\x07\u202e\r\x9b\t")


def test_words_and_emoji_stay_whole(run: Any) -> None:
    """Joiners are no harm."""
    text = "👩\u200d💻 می\u200cخواهم\u3000日本"
    send(run, text)
    assert text in run("inbox", "bob").out


def test_a_long_message_is_cut_on_a_terminal(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table says how much is missing."""
    send(run, "x" * 10_000)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "4000")
    assert "… 8,000 more characters" in run("inbox", "bob").out


def test_a_closed_pipe_is_quiet(run: Any, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    """As in `observatory inbox bob | head -1`."""
    send(run, *(f"{number} " + "x" * 100_000 for number in range(3)))
    process = start("inbox", "bob", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1


def test_a_closed_pipe_is_quiet_on_standard_error_too(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    """Nobody is there to read a complaint."""
    process = start("ack", "bob", "0123456789abcdef", stderr=subprocess.PIPE)
    assert process.stderr
    process.stderr.close()
    assert process.wait() == 1


def test_a_time_that_the_clock_on_the_wall_cannot_show(run: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown in UTC."""
    id = run("send", "bob", "hello", "--from", "ann").out.strip()
    file = root / "inbox" / "bob" / f"{id}.json"
    file.write_text(re.sub(r"\d{4}-\d\d-\d\dT[^\"]*", "9999-12-31T23:59:59+00:00", file.read_text()))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert "9999-12-31 23:59:59" in run("inbox", "bob").out
    finally:
        monkeypatch.undo()
        time.tzset()
