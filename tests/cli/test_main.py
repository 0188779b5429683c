"""The command line as a whole: version, help, errors, exit codes."""

import errno
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import trio
from cyclopts import CycloptsError

from observatory import ObservatoryError
from observatory.cli import app, main
from observatory.cli.endings import ending
from observatory.cli.logs import log_to_stderr

COMMANDS = {
    *("send", "inbox", "ack", "stats", "deliveries", "dead-letters", "plugins", "doctor", "demo"),
    *("serve", "tail", "status", "token", "swarm", "traces", "agents"),
}


def test_version_prints_that_of_the_distribution(run: Any) -> None:
    """And nothing else."""
    assert run("--version", root="").out == f"{version('trio-observatory')}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_explains_every_command(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first line of its own docstring; in a process of its own, where none was used before."""
    monkeypatch.setenv("COLUMNS", "200")
    command = [sys.executable, "-m", "observatory", *arguments]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    listed = dict(re.findall(r"^│ ([a-z][a-z-]*) +(\S.*?) *│$", out, re.M))
    listed = {name: text for name, text in listed.items() if name in COMMANDS}  # those of plugins are theirs
    assert listed == {name: app[name].help.partition("\n")[0] for name in COMMANDS}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_every_option(run: Any, command: str) -> None:
    """Each parameter has a description of its own."""
    assert run(command, "--help", root="").code == 0
    for argument in app[command].assemble_argument_collection(parse_docstring=True):
        assert argument.parameter.help or not argument.show, argument.name


def test_an_unknown_command_exits_with_2(run: Any) -> None:
    """And names the nearest one."""
    result = run("sned", root="")
    assert result.code == 2
    assert 'Did you mean "send"?' in result.err


def test_the_arguments_of_the_process_are_the_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`main` is what the installed script calls."""
    monkeypatch.setattr(sys, "argv", ["observatory", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{version('trio-observatory')}\n"


def test_importing_the_library_does_not_import_the_command_line() -> None:
    """Whoever embeds Observatory does not pay for it."""
    code = "import observatory.late, sys; print([name for name in ('cyclopts', 'rich') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_letters_that_a_terminal_lacks_are_escaped(process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written in its encoding is no error."""
    process("send", "bob", "naïve 👩", "--from", "ann")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert process("inbox", "bob").out.endswith("na\\xefve \\U0001f469\n")


def test_a_closed_standard_output_is_no_error(root: Path) -> None:
    """As in `observatory send … >&-`."""
    code = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, '-m', 'observatory', *sys.argv[1:]])"
    arguments = ["send", "bob", "hello", "--from", "ann", "--root", str(root)]
    assert subprocess.run([sys.executable, "-c", code, *arguments], check=False).returncode == 0
    assert len(list((root / "inbox" / "bob").iterdir())) == 1


@pytest.fixture
def full() -> Iterator[int]:
    """A file that nothing can be written to, as on a full disk."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["stats"], ["plugins"], ["--help"]])
def test_a_full_standard_output_is_one_line(
    run: Any, start: Callable[..., "subprocess.Popen[str]"], full: int, command: list[str], unbuffered: str
) -> None:
    """Whether it is noticed at once or at the end."""
    run("send", "bob", "hello", "--from", "ann")
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    process = start(*command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.splitlines()[-1] == (
        f"observatory: standard output cannot be written: {os.strerror(errno.ENOSPC)}; what the command has done stands"
    )
    assert "Traceback" not in err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_standard_error_changes_nothing(
    start: Callable[..., "subprocess.Popen[str]"], full: int, unbuffered: str
) -> None:
    """Nobody reads what is told beside the output."""
    streams = {"stdout": subprocess.PIPE, "stderr": full, "text": True}
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    process = start("send", "bob", "hello", "--from", "ann", **streams, env=environment)
    out, _ = process.communicate()
    assert (process.returncode, len(out)) == (0, 17)


def test_errors_in_a_group_are_told_each(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is the highest of theirs."""

    def command() -> int:
        raise ExceptionGroup("both", [ObservatoryError("one"), ExceptionGroup("", [CycloptsError(msg="two")])])

    assert ending(command) == 2
    assert capsys.readouterr().err == "observatory: one\nobservatory: two\n"


def test_an_error_that_nobody_foresaw_comes_out(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a fault of ours, and its traceback is wanted."""

    def command() -> int:
        raise ExceptionGroup("both", [ObservatoryError("one"), ZeroDivisionError()])

    with pytest.RaisesGroup(ObservatoryError, ZeroDivisionError):
        ending(command)


def test_ctrl_c_is_no_traceback() -> None:
    """Trio may have wrapped it."""

    async def interrupted() -> int:
        async with trio.open_nursery():
            raise KeyboardInterrupt

    assert ending(lambda: trio.run(interrupted)) == 130


def test_a_closed_standard_error_leaves_standard_output_alone(root: Path) -> None:
    """As in `observatory ack … 2>&-`: an error does not go where ids are read."""
    code = "import os, sys; os.close(2); os.execv(sys.executable, [sys.executable, '-m', 'observatory', *sys.argv[1:]])"
    arguments = ["ack", "bob", "0" * 16, "--root", str(root)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_the_reason_of_an_error_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the line of the log has it not, it stands behind it."""
    with log_to_stderr():
        log = logging.getLogger("observatory.test")
        log.error("it failed", exc_info=ValueError("no\nluck"))
        log.error("it failed: ValueError: no luck", exc_info=ValueError("no luck"))
    assert capsys.readouterr().err == "observatory: error: it failed: ValueError: no luck\n" * 2
