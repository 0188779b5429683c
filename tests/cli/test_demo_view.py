"""What a person sees of `observatory demo`, in a pseudo-terminal."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing
from rich.console import Console

from observatory import Settings, open_observatory
from observatory.cli.demo.view import LiveView


def in_a_terminal(*arguments: str, term: str = "xterm-256color") -> tuple[int, str]:
    """Run a command in a pseudo-terminal of 30 lines; return its exit code and all that it wrote."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "observatory", *arguments]
    environment = {**os.environ, "TERM": term, "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        written = b""
        while chunk := _read(ours):
            written += chunk
    os.close(ours)
    return process.returncode, written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says when nobody holds the other end any more
        return b""


@pytest.fixture
def screen(folder: Path, root: Path) -> str:
    """What a person sees, without colours."""
    code, written = in_a_terminal("demo", str(folder), "--root", str(root))
    assert code == 0
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h")  # the cursor is there again
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)


def test_a_terminal_shows_the_mailboxes_live(screen: str) -> None:
    """The last frame has every agent, what the inbox has done, and what was said last."""
    frame = screen[screen.rindex("╭─ Observatory") :]
    for name in ("planner", "worker-1", "worker-4", "reviewer", "you"):
        assert name in frame
    assert re.search(r"inbox \d+ jobs done  0 waiting  0 failed", frame)
    assert "19 messages" in frame
    assert re.search(r"planner   →  you       report    # Report\\n\\n3 files read", frame)


def test_a_terminal_shows_the_report_as_tables(screen: str, root: Path) -> None:
    """And at the end where the inboxes are."""
    assert "Checked by the reviewer" in screen
    assert "│ broken link: lost.md" in screen
    assert screen.rstrip().endswith(f"observatory inbox you --root {root}")


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(folder: Path, root: Path) -> None:
    """No live view there, and no escapes."""
    code, written = in_a_terminal("demo", str(folder), "--root", str(root), term="dumb")
    assert code == 0
    assert re.search(r"planner  → worker-1  task      deep/notes.txt|planner  → worker-1  task      guide.md", written)
    assert "\x1b" not in written


async def test_the_rate_is_that_of_the_last_second(root: Path, autojump_clock: trio.testing.MockClock) -> None:
    """What was said earlier does not count."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100, height=30)
    async with open_observatory(Settings(root=root)) as observatory:
        receipt = await observatory.mailbox.send_message("bob", "ann", "hello")
        with LiveView(observatory, console, "folder") as view:
            view.show([receipt.message] * 5)
            await trio.sleep(2)
            view.show([receipt.message] * 3)
    assert re.search(r"3.{0,20}/s  2\.0 s", written.getvalue())
