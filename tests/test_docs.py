"""The reference, compared with the code: everything is documented, and nothing is invented."""

import inspect
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from urllib.request import Request, urlopen

import attrs
import pytest
import trio
from cyclopts import App, Argument

from observatory import Statistics, errors, hookspecs, open_observatory
from observatory.cli import app
from observatory.registrar import CANONICAL_MODULES
from observatory.settings import Settings

REFERENCE = Path(__file__).parents[1] / "docs/reference"


def page(name: str) -> str:
    """Return the text of a page of the reference."""
    return (REFERENCE / name).read_text("utf-8")


def sections(name: str) -> dict[str, str]:
    """Return the sections of a page by their headings of the second level."""
    _, *parts = re.split(r"^## ", page(name), flags=re.MULTILINE)
    return {heading: text for heading, _, text in (part.partition("\n") for part in parts)}


def rows(text: str) -> list[list[str]]:
    """Return the rows of the tables in a text, without their heads."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", text, re.M)]
    return [row for row in cells if row[0].startswith("`")]


def plain(text: str | None) -> str:
    """Return a text with single spaces."""
    return " ".join((text or "").split())


class TestHooks:
    """hooks.md and hookspecs.py."""

    HOOKS = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "observatory_spec")}

    def test_names(self) -> None:
        """Every hook has a section, in the order in which hooks are called, and there is no other."""
        assert list(sections("hooks.md")) == list(self.HOOKS)

    @pytest.mark.parametrize("name", HOOKS)
    def test_text(self, name: str) -> None:
        """A hook's section says when it is called, in the words of the code."""
        assert plain(inspect.getdoc(self.HOOKS[name])) in plain(sections("hooks.md")[name])

    def test_canonical_modules(self) -> None:
        """Names that are refused are named, in the order of the alphabet."""
        refused = re.search(r"The names (.*) are refused", plain(sections("hooks.md")["observatory_register_modules"]))
        assert refused is not None
        assert re.findall(r"`(\w+)`", refused[1]) == sorted(CANONICAL_MODULES)


class TestSettings:
    """settings.md and settings.py."""

    PARTS: dict[str, Any] = {f.name: type(f.default) for f in attrs.fields(Settings) if attrs.has(type(f.default))}
    TABLES = {f"[{name}]": kind for name, kind in PARTS.items()}

    def test_tables(self) -> None:
        """Every table has a section, and there is no other."""
        assert list(sections("settings.md")) == ["At the top", *self.TABLES]

    @pytest.mark.parametrize("table", TABLES)
    def test_keys_and_defaults(self, table: str) -> None:
        """Every key of a table stands there with its default, as TOML."""
        documented = {row[0].strip("`"): default_of(row[2]) for row in rows(sections("settings.md")[table])}
        assert documented == {field.name: field.default for field in attrs.fields(self.TABLES[table])}

    def test_top(self) -> None:
        """Every key beside the tables stands there."""
        documented = [row[0].strip("`") for row in rows(sections("settings.md")["At the top"])]
        assert documented == [field.name for field in attrs.fields(Settings) if field.name not in self.PARTS]


def default_of(cell: str) -> Any:
    """Read a default from its cell: TOML between backticks, or `none`."""
    if cell == "none":
        return None
    value = tomllib.loads(f"value = {cell.split('`')[1]}")["value"]
    return tuple(value) if isinstance(value, list) else value


class TestErrors:
    """errors.md and the tree of errors."""

    ERRORS = {
        name: item
        for name, item in vars(errors).items()
        if inspect.isclass(item) and issubclass(item, errors.ObservatoryError)
    }
    ROWS = {row[0].strip("`"): row[1:] for row in rows(page("errors.md"))}

    def test_names(self) -> None:
        """Every error has a row, and there is no other."""
        assert sorted(self.ROWS) == sorted(self.ERRORS)

    @pytest.mark.parametrize("name", ERRORS)
    def test_row(self, name: str) -> None:
        """A row names the base, the attributes, and the case, in the words of the code."""
        base, attributes, case = self.ROWS[name]
        summary, _, details = (inspect.getdoc(self.ERRORS[name]) or "").partition("\n\n")
        assert base == f"`{self.ERRORS[name].__bases__[0].__name__}`"
        assert re.findall(r"\w+", attributes) == re.findall(r"^    (\w+): ", details, re.M)
        assert plain(summary).removeprefix("Raised ") == case


class TestStatistics:
    """statistics.md, the class, and what the plugins here tell."""

    DOCUMENTED = {
        heading: [row[0].strip("`") for row in rows(text)] for heading, text in sections("statistics.md").items()
    }

    def test_core(self) -> None:
        """Every figure has a row, and there is no other."""
        assert sorted(self.DOCUMENTED["Of the core"]) == sorted(figures_of(Statistics))

    async def test_http(self, tmp_path: Path) -> None:
        """The same for those of HTTP."""
        pytest.importorskip("observatory_http", reason="needs trio-observatory-http")
        async with open_observatory(Settings(root=tmp_path)) as obs:
            figures = dict(obs.service("http").statistics())
        events = {f"events.{name}" for name in figures.pop("events")}
        assert sorted(self.DOCUMENTED["Of HTTP"]) == sorted({*figures, *events} - {"refused"} | {"refused.STATUS"})

    async def test_mcp(self, tmp_path: Path) -> None:
        """The same for those of MCP over HTTP, before an agent has come and after that."""
        pytest.importorskip("observatory_mcp", reason="needs trio-observatory-mcp")
        pytest.importorskip("observatory_http", reason="needs trio-observatory-http")
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        data = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode()
        async with open_observatory(Settings(root=tmp_path)) as obs:
            headers = {
                "Accept": "application/json, text/event-stream",
                "Authorization": f"Bearer {obs.security.token_for('abc')}",
                "Content-Type": "application/json",
            }
            before = obs.service("mcp").statistics()
            request = Request(f"{obs.service('http').url}mcp", data, headers)  # noqa: S310 -- it is http
            (await trio.to_thread.run_sync(urlopen, request)).close()
            figures = dict(obs.service("mcp").statistics())
        assert {*before} == {*figures}
        clients = [f"clients[].{name}" for name in figures.pop("clients")[0]]
        assert sorted(self.DOCUMENTED["Of MCP over HTTP"]) == sorted({*figures, *clients})

    async def test_plugins(self, tmp_path: Path) -> None:
        """The same for those of the inbox and the websocket; what is counted by reason or status is one row."""
        observatory_websocket = pytest.importorskip("observatory_websocket", reason="needs trio-observatory-websocket")
        pytest.importorskip("observatory_inbox", reason="needs trio-observatory-inbox")
        async with (
            open_observatory(Settings(root=tmp_path)),
            observatory_websocket.open_client(root=tmp_path) as client,
        ):
            statistics = await client.statistics()
        inbox, websocket = dict(statistics.channels["inbox"]), dict(statistics.services["websocket"])
        clients = [f"clients[].{name}" for name in websocket.pop("clients")[0]]
        assert sorted(self.DOCUMENTED["Of the inbox"]) == sorted({*inbox} - {"left"} | {"left.REASON"})
        assert sorted(self.DOCUMENTED["Of the websocket"]) == sorted(
            {*websocket, *clients} - {"refused"} | {"refused.STATUS"}
        )

    async def test_skills(self, tmp_path: Path) -> None:
        """The same for those of a registry of skills."""
        pytest.importorskip("observatory_skills", reason="needs trio-observatory-skills")
        async with open_observatory(Settings(root=tmp_path)) as obs:
            assert self.DOCUMENTED["Of the skills"] == [*obs.statistics().services["skills"]]


def figures_of(kind: Any) -> list[str]:
    """Return the names of the figures in a class, those below others included."""
    names = []
    for name, of in get_type_hints(kind).items():
        origin, inner = get_origin(of), [part for part in (of, *get_args(of)) if attrs.has(part)]
        place = name + (".NAME" if origin is Mapping else "[]" if origin is tuple else "")
        names += [f"{place}.{below}" for one in inner for below in figures_of(one)] or [place]
    return names


def commands(above: str, group: App) -> Iterator[tuple[str, App]]:
    """Yield every command of a group, and of the groups in it, by how it is called."""
    for name in group:
        if not name.startswith("-"):
            yield f"{above} {name}", group[name]
            yield from commands(f"{above} {name}", group[name])


class TestCommands:
    """cli.md and the command line."""

    COMMANDS = dict(commands("observatory", app))

    def test_names(self) -> None:
        """Every command has a section, and there is no other."""
        assert sorted(sections("cli.md")) == sorted(self.COMMANDS)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_options(self, command: str) -> None:
        """Every option of a command has a row in its section, and there is no other."""
        everywhere, _, _ = page("cli.md").partition("\n## ")
        documented = [row[0].split("`")[1].split()[0] for row in rows(everywhere + sections("cli.md")[command])]
        assert sorted(documented) == sorted(options(self.COMMANDS[command]))

    @pytest.mark.parametrize("command", COMMANDS)
    def test_arguments(self, command: str) -> None:
        """The usage of a command names its arguments in their order, and no other."""
        usage = sections("cli.md")[command].split("```")[1].splitlines()[1]
        documented = re.findall(r"(?<!\S)\[?([A-Z]+)…?\]?(?!\S)", re.sub(r"--\S+ [A-Z]+", "", usage))
        assert documented == [argument.name.strip("-").upper() for argument in positional(self.COMMANDS[command])]


def arguments(command: App) -> list[Argument]:
    """Return everything that a command takes; a group of options stands for what is in it."""
    return [argument for argument in command.assemble_argument_collection() if not argument.children]


def positional(command: App) -> list[Argument]:
    """Return what a command takes by position."""
    return [
        argument for argument in arguments(command) if argument.field_info.kind is not inspect.Parameter.KEYWORD_ONLY
    ]


def options(command: App) -> list[str]:
    """Return the names of a command's options."""
    return [argument.name for argument in arguments(command) if argument not in positional(command)]
