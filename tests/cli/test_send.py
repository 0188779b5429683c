"""`observatory send`: one message."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def only_file(root: Path, agent: str) -> dict[str, Any]:
    """Read the one file in an agent's inbox."""
    (path,) = (root / "inbox" / agent).iterdir()
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def test_a_message_lands_in_the_inbox_of_its_recipient(run: Any, root: Path) -> None:
    """The file holds what was sent, and standard output its id."""
    result = run("send", "bob", "hello", "--from", "ann", "--type", "greeting", "--metadata", '{"a": 1}')
    file = only_file(root, "bob")
    assert result.code == 0
    assert result.out == f"{file['id']}\n"
    assert (file["from"], file["content"], file["message_type"]) == ("ann", "hello", "greeting")
    assert file["metadata"] == {"a": 1}


def test_what_one_process_sends_the_next_one_lists_and_acknowledges(process: Any) -> None:
    """Three processes share nothing but the files."""
    message_id = process("send", "bob", "hello", "--from", "ann").out.strip()
    listed = process("inbox", "bob")
    assert listed.out.split("\t")[0] == message_id
    assert listed.out.endswith("\tann\ttext\thello\n")
    assert process("ack", "bob", message_id).code == 0
    assert process("inbox", "bob").out == ""


def test_json_prints_the_receipt(run: Any) -> None:
    """The receipt is one line of JSON with the names of the wire."""
    receipt = json.loads(run("send", "bob", "hello", "--from", "ann", "--json").out)
    assert receipt["message"]["from"] == "ann"
    assert receipt["deliveries"]["inbox"]["state"] == "written"


def test_sending_reads_no_inbox(run: Any, root: Path) -> None:
    """A damaged file in the recipient's inbox is not even looked at."""
    (root / "inbox" / "bob").mkdir(parents=True)
    (root / "inbox" / "bob" / "0123456789abcdef.json").write_text("damaged")
    result = run("send", "bob", "hello", "--from", "ann")
    assert result.code == 0
    assert "damaged" not in result.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["../bob", "hello", "--from", "ann"], "to: '../bob' is no name"),
        (["bob", "hello", "--from", "a n n"], "from: 'a n n' is no name"),
        (["bob", "hello", "--from", "ann", "--type", ""], "type: '' is no type"),
        (["bob", "hello", "--from", "ann", "--metadata", "[1]"], "metadata: expected a JSON object, got list"),
        (["bob", "hello", "--from", "ann", "--metadata", '{"a": NaN}'], "--metadata: is not JSON"),
        (["bob", "\udcff", "--from", "ann"], "content: has a lone surrogate"),
    ],
)
def test_what_is_refused_is_said_in_one_line(run: Any, root: Path, arguments: list[str], reason: str) -> None:
    """Exit code 1, one line on standard error, and no file."""
    result = run("send", *arguments)
    assert result.code == 1
    assert result.err.startswith("observatory: ")
    assert reason in result.err
    assert result.err.count("\n") == 1
    assert not list(root.glob("inbox/*/*"))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bob", "hello"],
        ["bob", "--from", "ann"],
        ["bob", "--jsonl", "-"],
        ["bob", "hello", "--from", "ann", "--color", "red"],
    ],
)
def test_a_wrong_command_exits_with_2(run: Any, arguments: list[str]) -> None:
    """What was written wrongly is said in one line too."""
    result = run("send", *arguments)
    assert result.code == 2
    assert result.err.startswith("observatory: ")
    assert result.err.count("\n") == 1


@pytest.fixture
def in_the_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be written, and no delivery be tried twice."""
    root.mkdir()
    (root / "inbox").write_text("in the way")
    monkeypatch.setenv("OBSERVATORY_DELIVERY__RETRY_ATTEMPTS", "1")


@pytest.mark.usefixtures("in_the_way")
def test_a_message_that_nothing_keeps_is_lost(run: Any) -> None:
    """Storage in memory ends with the command, so there is no id to go on with."""
    result = run("send", "bob", "hello", "--from", "ann")
    assert (result.code, result.out) == (1, "")
    assert "observatory: the message to bob is lost: it is dead: " in result.err
    assert "storage 'memory' keeps nothing, so mend that and send it again" in result.err


@pytest.mark.usefixtures("in_the_way")
def test_a_message_that_is_not_written_is_complained_about(run: Any) -> None:
    """Its receipt is printed all the same, and says what has become of it."""
    result = run("send", "bob", "hello", "--from", "ann", "--json")
    receipt = json.loads(result.out)
    assert result.code == 1
    assert (receipt["deliveries"]["inbox"]["state"], receipt["durability"]) == ("dead", "memory")
    assert "observatory: the message to bob is lost: it is dead: " in result.err


def test_what_could_not_be_drained_is_counted(
    run: Any, failing_folders: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery that is still being tried at the end makes the exit code 1."""
    failing_folders.add("bob")
    monkeypatch.setenv("OBSERVATORY_SUPERVISION__DRAIN", "0")
    result = run("send", "bob", "hello", "--from", "ann")
    assert result.code == 1
    assert f"message {result.out.strip()} is not in the inbox of bob yet: it is retrying: " in result.err
    assert "; with storage 'memory' it is lost if this command ends first" in result.err
    assert "1 delivery could not be made before the end" in result.err


def test_the_file_is_waited_for_though_nothing_requires_it(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings without a required channel do not leave the outcome open."""
    monkeypatch.setenv("OBSERVATORY_DELIVERY__REQUIRED", "[]")
    result = run("send", "bob", "hello", "--from", "ann", "--json")
    assert json.loads(result.out)["deliveries"]["inbox"]["state"] == "written"


@pytest.mark.parametrize(
    ("arguments", "to", "content"),
    [
        (["bob", "- item one", "--from", "ann"], "bob", "- item one"),
        (["bob", "-", "--from", "ann"], "bob", "-"),
        (["--from", "ann", "-x", "--type is an option", "--json"], "-x", "--type is an option"),
        (["-x", "--from", "ann", "-5"], "-x", "-5"),
    ],
)
def test_a_name_and_a_text_may_begin_with_a_dash(
    run: Any, root: Path, arguments: list[str], to: str, content: str
) -> None:
    """Options before, between and behind them are options all the same."""
    assert run("send", *arguments).code == 0
    assert only_file(root, to)["from"] == "ann"
    assert only_file(root, to)["content"] == content


def test_what_is_written_like_an_option_goes_after_two_dashes(run: Any, root: Path) -> None:
    """And a sender whose name begins with a dash behind an equals sign."""
    assert run("send", "--from=-x", "--root", str(root), "--", "bob", "--json", root="").code == 0
    assert (only_file(root, "bob")["from"], only_file(root, "bob")["content"]) == ("-x", "--json")


def test_a_sender_that_is_missing_is_not_the_next_option(run: Any) -> None:
    """As in `--from $ME --json` where `ME` is not set."""
    assert run("send", "bob", "hello", "--from", "--json").code == 2


@pytest.mark.parametrize("command", [["send", "bob", "hello", "--from", "ann"], ["inbox", "bob"], ["stats"]])
def test_without_anything_that_keeps_messages_it_cannot_be_done(
    run: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Exit code 2 when all there is, is the memory of this process."""
    monkeypatch.setenv("OBSERVATORY_DISABLED_PLUGINS", '["inbox"]')
    result = run(*command)
    assert result.code == 2
    assert "cannot be done here" in result.err


def test_storage_that_keeps_messages_does_without_the_inbox(
    run: Any, install: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another storage backend than `memory` is taken at its word."""
    install(
        "kept",
        "from observatory import MemoryStorage, hookimpl\n"
        "@hookimpl\n"
        "def observatory_register_storage(registrar):\n"
        "    registrar.register('kept', lambda context: MemoryStorage())\n",
    )
    monkeypatch.setenv("OBSERVATORY_DISABLED_PLUGINS", '["inbox"]')
    monkeypatch.setenv("OBSERVATORY_STORAGE__BACKEND", "kept")
    result = run("send", "bob", "hello", "--from", "ann")
    assert result.code == 0
    assert result.err == "to bob: memory\n"
