"""`observatory send --jsonl`: a message for each line."""

import codecs
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory.cli.lines import LineReader


def lines(*values: Any) -> bytes:
    """Write values as lines of JSON."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


@pytest.fixture
def file(elsewhere: Path) -> Path:
    """The file of lines."""
    return elsewhere / "lines.jsonl"


def contents(run: Any, agent: str) -> list[str]:
    """List the contents of an inbox, oldest first."""
    listed = run("inbox", agent, "--json", "--limit", "100000").out.splitlines()
    return [json.loads(line)["content"] for line in reversed(listed)]


def test_each_line_is_sent(run: Any, file: Path) -> None:
    """What a line does not say is taken from the options."""
    file.write_bytes(
        lines(
            {"to": "bob", "content": "one"},
            {"to": "cyd", "content": "two", "from": "dan", "type": "note", "metadata": {"a": 1}},
        )
    )
    result = run("send", "--jsonl", str(file), "--from", "ann", "--type", "greeting")
    assert (result.code, result.err) == (0, "2 messages sent to 2 agents\n")
    (bob,) = map(json.loads, run("inbox", "bob", "--json").out.splitlines())
    (cyd,) = map(json.loads, run("inbox", "cyd", "--json").out.splitlines())
    assert (bob["from"], bob["type"], bob["metadata"]) == ("ann", "greeting", {})
    assert (cyd["from"], cyd["type"], cyd["metadata"]) == ("dan", "note", {"a": 1})


def test_sending_reads_no_inbox(run: Any, root: Path, file: Path) -> None:
    """A damaged file in a recipient's inbox is not even looked at."""
    (root / "inbox" / "bob").mkdir(parents=True)
    (root / "inbox" / "bob" / "0123456789abcdef.json").write_text("damaged")
    file.write_bytes(lines({"to": "bob", "content": "one", "from": "ann"}))
    assert run("send", "--jsonl", str(file)).err == "1 message sent to 1 agent\n"


def test_standard_input_is_read(process: Any, run: Any) -> None:
    """`-` stands for it, and the last line needs no line break."""
    result = process("send", "--jsonl", "-", "--from", "ann", stdin=b'\n{"to": "bob", "content": "one"}')
    assert result.code == 0
    assert contents(run, "bob") == ["one"]


def test_lines_to_one_recipient_arrive_in_their_order(run: Any, file: Path) -> None:
    """Many sends in flight do not change the order in one mailbox."""
    file.write_bytes(lines(*({"to": f"agent-{n % 3}", "content": str(n), "from": "ann"} for n in range(300))))
    assert run("send", "--jsonl", str(file)).code == 0
    for agent in range(3):
        assert contents(run, f"agent-{agent}") == [str(n) for n in range(agent, 300, 3)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "line 2: message: is not JSON: column 2: "),
        (b'{"to": x}', "line 2: message: is not JSON: column 8: "),
        (b"[]", "line 2: message: is not a JSON object"),
        (b'{"to": "bob"}', "line 2: content: is missing"),
        (b'{"content": "x"}', "line 2: to: is missing"),
        (b'{"to": "bob", "content": "x"}', "line 2: from: is missing, and --from is not given"),
        (b'{"to": "bob", "contnet": "x"}', "line 2: contnet: is no field of a message; did you mean 'content'?"),
        (b'{"to": ["bob"], "content": "x", "from": "ann"}', "line 2: to: expected a name, got list"),
        (b'{"to": "bob", "content": 7, "from": "ann"}', "line 2: content: expected text, got int"),
        (b'{"to": "bob", "content": "\\ud800", "from": "ann"}', "line 2: message: is not JSON"),
        (b"\x1b[31m\xff", "line 2: message: is not JSON: byte 6 is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named_and_the_others_are_sent(run: Any, file: Path, line: bytes, reason: str) -> None:
    """The exit code is 1 then."""
    good = {"to": "bob", "content": "good", "from": "ann"}
    file.write_bytes(lines(good) + line + b"\n" + lines(good))
    result = run("send", "--jsonl", str(file))
    assert result.code == 1
    assert f"observatory: {reason}" in result.err
    assert "observatory: 1 line of" in result.err
    assert contents(run, "bob") == ["good", "good"]


def test_a_json_error_says_one_position(run: Any, file: Path) -> None:
    """The number of the line in the file, and the column in the line."""
    file.write_bytes(b'\n{"to": x}\n')
    err = run("send", "--jsonl", str(file)).err
    assert (err.count("line 2:"), err.count("line 1"), err.count("char ")) == (1, 0, 0)


def test_blank_lines_are_left_out(run: Any, file: Path) -> None:
    """Whatever blanks stand in them."""
    good = lines({"to": "bob", "content": "good", "from": "ann"})
    file.write_bytes(b"\r\n \t\n\n" + good + b"   ")
    assert run("send", "--jsonl", str(file)).code == 0
    assert contents(run, "bob") == ["good"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(run: Any, file: Path) -> None:
    """Some editors write one; anywhere else it is wrong."""
    good = lines({"to": "bob", "content": "good", "from": "ann"})
    file.write_bytes(codecs.BOM_UTF8 + good + codecs.BOM_UTF8 + good)
    assert "observatory: line 2: message: is not JSON" in run("send", "--jsonl", str(file)).err
    assert contents(run, "bob") == ["good"]


def test_json_prints_a_receipt_for_each_line(run: Any, file: Path) -> None:
    """Each receipt says which line it belongs to."""
    file.write_bytes(lines(*({"to": "bob", "content": str(n), "from": "ann"} for n in range(3))))
    receipts = [json.loads(line) for line in run("send", "--jsonl", str(file), "--json").out.splitlines()]
    assert [receipt["line"] for receipt in receipts] == [1, 2, 3]


def test_a_line_that_is_not_delivered_counts_as_failed(
    run: Any, root: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With storage in memory it is lost, and not counted as sent."""
    (root / "inbox").mkdir(parents=True)
    (root / "inbox" / "bob").write_text("in the way")
    monkeypatch.setenv("OBSERVATORY_DELIVERY__RETRY_ATTEMPTS", "1")
    file.write_bytes(lines(*({"to": to, "content": "x", "from": "ann"} for to in ("bob", "bob", "cyd"))))
    result = run("send", "--jsonl", str(file))
    assert result.code == 1
    assert all(f"observatory: line {n}: the message to bob is lost: it is dead: " in result.err for n in (1, 2))
    assert "\n1 message sent to 1 agent\n" in result.err
    assert f"observatory: 2 lines of {file} not sent or not delivered\n" in result.err


@pytest.mark.parametrize("path", ["missing.jsonl", ".", "nul\0"])
def test_a_file_that_cannot_be_read_is_an_error(run: Any, path: str) -> None:
    """Missing, a folder, or no path at all."""
    result = run("send", "--jsonl", path, "--from", "ann")
    assert result.code == 1
    assert "cannot be read" in result.err


def test_ctrl_c_ends_it_while_it_waits_for_a_line(start: Callable[..., subprocess.Popen[bytes]], root: Path) -> None:
    """What was sent stays sent, and nothing hangs at the end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start("send", "--jsonl", "-", "--json", **pipes, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert process.stdin
    assert process.stdout
    process.stdin.write(lines({"to": "bob", "content": "one", "from": "ann"}))
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert len(list((root / "inbox" / "bob").iterdir())) == 1


async def read(data: bytes) -> list[tuple[int, bytes | None]]:
    """Read lines out of a pipe."""
    ours, theirs = os.pipe()
    found = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(write, theirs, data)
        async for line in LineReader(ours, "a pipe"):
            found.append((line.number, line.text))
    os.close(ours)
    return found


async def write(descriptor: int, data: bytes) -> None:
    """Write everything and close."""
    async with trio.lowlevel.FdStream(descriptor) as stream:
        await stream.send_all(data)


async def test_a_line_longer_than_any_message_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is skipped, wherever it stands, and counted as a line."""
    long = b"x" * (17 * 1024 * 1024)
    assert await read(b"one\n" + long + b"\ntwo\n" + long) == [(1, b"one"), (2, None), (3, b"two"), (4, None)]


def test_a_line_that_is_too_long_is_named(process: Any) -> None:
    """It is wrong like any other."""
    result = process("send", "--jsonl", "-", "--from", "ann", stdin=b"x" * (17 * 1024 * 1024))
    assert result.code == 1
    assert "line 1: message: is longer than any message can be" in result.err
