"""Groups of commands that plugins register."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from observatory.cli import app
from observatory.registrar import CORE_COMMANDS

Install: TypeAlias = Callable[..., None]

LIBRARY = """
import sys
from library_group import make
from observatory import hookimpl

print("loaded", file=sys.stderr)

@hookimpl
def observatory_register_commands(registrar):
    registrar.register("library", make)
"""

GROUP = """
def make():
    '''Look after books.

    And after those who read them.
    '''
    from library_commands import library
    return library
"""

COMMANDS = """
from typing import Annotated
import trio
from cyclopts import App
from observatory import InvalidInputError
from observatory.commands import FAILED, ListingOptions, Options, note, print_json, print_table, running_service

library = App({options})

@library.command(name="list")
async def list_books(*, options: ListingOptions = ListingOptions()) -> int:
    '''List books.

    Args:
        options: Of which root.
    '''
    await trio.lowlevel.checkpoint()
    if options.json:
        print_json(str(options.settings().root))
    else:
        print_table(["title"], [["one"], ["two"]])
    note("that is all")
    return FAILED

@library.command
def count():
    "Count books."
    return "two"

@library.command
async def lend(title: str) -> None:
    "Lend a book."
    if title == "none":
        raise InvalidInputError("title", "is none")
    if title == "all":
        raise KeyboardInterrupt
    await trio.lowlevel.checkpoint()

@library.command
async def wait(*, options: Options = Options()) -> None:
    "Wait."
    print("waiting", flush=True)
    await trio.sleep_forever()

@library.command
async def ask(*, options: Options = Options()) -> None:
    "Ask a service."
    async with running_service(options.settings()):
        print("there is one")
"""


def listed_in(out: str) -> dict[str, str]:
    """Return what a help lists, with what it says of that."""
    return dict(re.findall(r"^│ ([a-z][a-z-]*) +(\S.*?) *│$", out, re.M))


PLAIN = 'help="Look after books."'
OTHERWISE = (
    'name="other", help="Look after books.", backend="asyncio", print_error=True, exit_on_error=True, '
    'help_on_error=True, result_action="print_non_int_sys_exit", suppress_keyboard_interrupt=True'
)

BROKEN = """
from observatory import hookimpl

@hookimpl
def observatory_register_commands(registrar):
    registrar.register("broken", make)

def make():
    {make}
"""


@pytest.fixture(params=[PLAIN, OTHERWISE], ids=["plain", "otherwise"])
def library(request: pytest.FixtureRequest, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a plugin with the commands of a library, which says nothing of how it is run, or says it otherwise."""
    for name in ("library_commands", "library_group"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    install("library", LIBRARY, library="library_group:make")
    (tmp_path / "site" / "library_group.py").write_text(GROUP)
    (tmp_path / "site" / "library_commands.py").write_text(COMMANDS.format(options=request.param))


@pytest.mark.usefixtures("library")
class TestLibrary:
    """A group of commands, as those of the core, whatever it says of itself."""

    def test_runs(self, run: Any) -> None:
        """A command runs on Trio, prints, and says how it has ended."""
        result = run("library", "list")
        assert (result.code, result.out) == (1, "one\ntwo\n")
        assert result.err.endswith("that is all\n")

    def test_options(self, run: Any, root: Path) -> None:
        """It takes the options that every command takes."""
        result = run("library", "list", "--json")
        assert result.out == f'"{root}"\n'

    def test_what_is_no_exit_code(self, run: Any) -> None:
        """A command that returns anything else has done well, and nothing of that is printed."""
        result = run("library", "count", root="")
        assert (result.code, result.out) == (0, "")

    @pytest.mark.parametrize(
        ("arguments", "code", "line"),
        [
            (["lend", "none"], 1, "title: is none"),
            (["lend"], 2, 'Command "library lend" parameter --title requires an argument.'),
            (["lend", "a", "--loud"], 2, "Unknown option: --loud."),
            (["lent"], 2, 'Unknown command "lent". Did you mean "lend"? Available commands: '),
            (["ask"], 2, "no service can be asked on the root "),
        ],
    )
    def test_errors(self, run: Any, arguments: list[str], code: int, line: str) -> None:
        """An error is one line, with the exit code that is the core's for it."""
        result = run("library", *arguments, root="")
        assert (result.code, result.out) == (code, "")
        loaded, *lines = result.err.splitlines()
        assert (loaded, len(lines)) == ("loaded", 1)
        assert lines[0].startswith(f"observatory: {line}")

    def test_ctrl_c(self, run: Any, start: Any) -> None:
        """Ctrl-C ends it without a word."""
        assert run("library", "lend", "all", root="").code == 130
        process = start("library", "wait", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert (process.returncode, err) == (130, "loaded\n")

    def test_listed(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is listed beside those of the core, and nothing is loaded for that but what makes it."""
        monkeypatch.setenv("COLUMNS", "200")
        result = run("--help", root="")
        listed = listed_in(result.out)
        assert listed["library"] == "Look after books."
        assert set(listed) >= CORE_COMMANDS | {"library"}  # and those of the plugins that are installed
        assert result.err == ""
        assert {"library_group"} == {"library_group", "library_commands", "plugin_library"} & sys.modules.keys()

    def test_explains_itself(self, run: Any) -> None:
        """It is called by the name that it is registered under."""
        result = run("library", "--help", root="")
        assert result.code == 0
        assert "Usage: observatory library COMMAND" in result.out
        assert "Lend a book." in result.out

    @pytest.mark.parametrize("option", [["--config", "FILE"], ["--config=FILE"]])
    def test_settings(self, run: Any, elsewhere: Path, option: list[str]) -> None:
        """A settings file that is named after the command says which plugins there are."""
        (elsewhere / "FILE").write_text("disabled_plugins = ['library']\n")
        result = run("library", "list", *option)
        assert result.code == 2
        assert result.err.startswith('observatory: Unknown command "library".')

    @pytest.mark.parametrize("arguments", [["--config"], ["--", "--config", "FILE"]])
    def test_no_settings(self, run: Any, arguments: list[str]) -> None:
        """What names no settings file is for the command to refuse."""
        result = run("library", "count", *arguments, root="")
        assert result.code == 2
        assert "Unknown command" not in result.err

    @pytest.mark.parametrize("arguments", [["--version"], ["stats", "--help"], ["traces", "--limit", "x"]])
    def test_not_loaded(self, run: Any, arguments: list[str]) -> None:
        """What the core does by itself costs the import of no plugin."""
        assert "loaded" not in run(*arguments, root="").err

    def test_unknown(self, run: Any) -> None:
        """The nearest name of an unknown command may be a plugin's."""
        result = run("libary", root="")
        assert result.code == 2
        assert 'Did you mean "library"?' in result.err


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        ("raise OSError('no luck')", "the factory of 'broken' failed: OSError: no luck"),
        ("raise SystemExit(3)", "the factory of 'broken' failed: SystemExit: 3"),
        ("return make", "the factory of 'broken' made a function, which is no App"),
    ],
)
def test_a_group_that_cannot_be_made(run: Any, install: Install, make: str, reason: str) -> None:
    """It is left out with a note, and an error only where it is what is asked for."""
    install("broken", BROKEN.format(make=make))
    mistaken = run("nothing", root="")
    assert (mistaken.code, "send" in mistaken.err) == (2, True)
    told = " ".join(mistaken.err.split())
    assert told.startswith(f"a group of commands is left out: plugin 'broken': {reason} ")
    asked = run("broken", "now", root="")
    assert (asked.code, asked.err) == (1, f"observatory: plugin 'broken': {reason}\n")


def test_broken_settings_and_an_unknown_command(run: Any, elsewhere: Path) -> None:
    """Both are told."""
    (elsewhere / "observatory.toml").write_text("rot = 1\n")
    result = run("library", root="")
    assert result.code == 2
    first, last = result.err.splitlines()
    assert first.startswith("commands of plugins are left out: ")
    assert last.startswith('observatory: Unknown command "library".')


def test_a_plugin_that_cannot_be_imported(run: Any, install: Install) -> None:
    """What is asked for is told which one it is, unless it is the help, which needs none of them."""
    install("broken", "import no_such_package")
    result = run("nothing", root="")
    assert result.code == 2
    assert "observatory: warning: plugin broken is left out: it cannot be imported: ModuleNotFound" in result.err
    assert run("--help", root="").err == ""
    assert "plugin broken" in run("doctor").out


def test_names_of_the_core(run: Any, install: Install) -> None:
    """A plugin cannot take the name of a command of the core."""
    assert {name for name in app if not name.startswith("-")} == CORE_COMMANDS
    names = {"send": "plugin_broken:make", "-h": "plugin_broken:make"}
    install("broken", BROKEN.format(make="pass").replace('"broken"', '"send"'), **names)
    helped = run("--help", root="")
    assert (helped.code, helped.err, "Send a message" in listed_in(helped.out)["send"]) == (0, "", True)
    result = run("nothing", root="")
    assert result.code == 2
    assert "plugin 'broken': 'send' is a command of the core and cannot be replaced" in result.err


def test_one_name_of_two_plugins(run: Any, install: Install) -> None:
    """Two plugins cannot have a group of the same name."""
    for name in ("broken", "another"):
        install(name, BROKEN.format(make="pass"), broken=f"plugin_{name}:make")
    assert run("--help", root="").code == 0
    result = run("nothing", root="")
    assert result.code == 2
    assert "the command 'broken' is registered by plugin " in result.err
