"""`observatory stats` and `observatory plugins`."""

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from observatory.cli.output import in_words

Install = Callable[[str, str], None]


def test_stats_lists_every_mailbox(run: Any) -> None:
    """Whoever has sent the messages."""
    for to in ("cyd", "bob", "bob"):
        run("send", to, "hello", "--from", "ann")
    result = run("stats")
    assert [line.split("\t")[:3] for line in result.out.splitlines()] == [["bob", "2", "2"], ["cyd", "1", "1"]]
    assert result.err == "3 messages, 3 unread, 1,695 bytes, in 2 mailboxes\n"


def test_stats_of_nothing_are_no_lines(run: Any) -> None:
    """Standard output stays empty for scripts."""
    result = run("stats")
    assert (result.code, result.out, result.err) == (0, "", "0 messages, 0 unread, 0 bytes, in 0 mailboxes\n")


def test_stats_as_json_hold_what_files_and_storage_tell(run: Any) -> None:
    """One line with the mailboxes, and what delivery channels have found; nothing of this process's own."""
    run("send", "bob", "hello", "--from", "ann")
    document = json.loads(run("stats", "--json").out)
    assert document["mailboxes"]["bob"]["unread"] == 1
    assert document["statistics"]["channels"]["inbox"]["recovered"] == 1
    assert document["statistics"]["mailbox"]["messages"] == 1
    assert document["statistics"].keys() == {"mailbox", "channels"}
    assert "written" not in document["statistics"]["channels"]["inbox"]


def test_stats_count_what_was_left_in_files(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no mailbox has room for is not hidden."""
    for content in ("one", "two"):
        run("send", "bob", content, "--from", "ann")
    monkeypatch.setenv("OBSERVATORY_MAILBOX__MAX_MESSAGES", "1")
    result = run("stats")
    assert "1 message found in files and left there, without room or not allowed; " in result.err
    assert "`observatory doctor` lists all that is left in files" in result.err


def test_damaged_files_are_named_in_one_line(run: Any, root: Path) -> None:
    """The library's warnings come out on standard error, harmless like everything else."""
    folder = root / "inbox" / "bob"
    folder.mkdir(parents=True)
    (folder / "0123456789abcdef.json").write_text("damaged")
    result = run("stats")
    assert result.code == 0
    assert "observatory: warning: " in result.err
    assert "0123456789abcdef.json" in result.err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (-1, "0 s"), (59, "59 s"), (60, "1 min"), (7_200, "2 h"), (200_000, "2 d")],
)
def test_ages_are_written_in_words(seconds: float | None, words: str) -> None:
    """In the largest unit that fits."""
    assert in_words(seconds) == words


def test_plugins_lists_what_is_loaded_and_from_where(run: Any) -> None:
    """With the distribution and its version."""
    result = run("plugins", "--json")
    inbox = next(info for info in map(json.loads, result.out.splitlines()) if info["name"] == "inbox")
    assert result.code == 0
    assert (inbox["distribution"], inbox["state"]) == ("trio-observatory-inbox", "loaded")
    assert inbox["registered"] == [
        "delivery channel inbox",
        "service outbox",
        "check inbox",
        "check outbox",
        "check teams",
    ]


def test_what_is_in_the_box_has_a_distribution_too(run: Any) -> None:
    """That of the command line itself."""
    first = run("plugins").out.splitlines()[0]
    assert first.split("\t")[:4] == ["observatory", "loaded", "trio-observatory", version("trio-observatory")]


def test_a_broken_plugin_is_listed_with_its_reason(run: Any, install: Install) -> None:
    """The exit code is 1 then."""
    install("bad", "raise RuntimeError('no \\x1b[31mluck')")
    result = run("plugins")
    line = next(line for line in result.out.splitlines() if line.startswith("bad\t"))
    assert result.code == 1
    assert line.split("\t")[:4] == ["bad", "broken", "plugin-bad", "3.1"]
    assert "\\x1b[31mluck" in line
    assert "\x1b" not in result.err + result.out


def test_a_disabled_plugin_is_no_failure(run: Any, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was not wanted."""
    install("unwanted", "raise RuntimeError")
    monkeypatch.setenv("OBSERVATORY_DISABLED_PLUGINS", '["unwanted"]')
    result = run("plugins")
    assert result.code == 0
    assert "unwanted\tdisabled" in result.out


def test_the_settings_file_is_read(run: Any, elsewhere: Path) -> None:
    """`--config` names it, and an error in it names the place."""
    (elsewhere / "wrong.toml").write_text("[mailbox]\nmax_mesages = 3\n")
    result = run("stats", "--config", "wrong.toml")
    assert result.code == 1
    assert "unknown key; did you mean 'max_messages'? @ $.mailbox.max_mesages in wrong.toml" in result.err


def test_the_root_of_the_settings_counts_without_an_option(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--root` is there to win over it."""
    monkeypatch.setenv("OBSERVATORY_ROOT", str(tmp_path / "other"))
    run("send", "bob", "hello", "--from", "ann", root="")
    assert os.listdir(tmp_path / "other" / "inbox") == ["bob"]


def test_a_root_that_is_none_is_an_error(run: Any, elsewhere: Path) -> None:
    """One line that names it."""
    (elsewhere / "file").touch()
    result = run("stats", root="file")
    assert (result.code, result.err) == (1, f"observatory: the root {elsewhere / 'file'} is no directory\n")
