"""OBS107."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.computing import HOLE, Texts
from observatory_lint.rules.rule import Rule
from observatory_lint.scopes import Scope
from observatory_lint.source import Call, Source
from observatory_lint.values import Raw, place_of, words

TOOLS = words(
    """
    sqlite sqlite3 sqlite-utils litecli psql pgcli pg_dump pg_dumpall pg_restore pg_basebackup pg_ctl initdb createdb
    dropdb createuser vacuumdb mysql mysqldump mysqladmin mysqlimport mysqlsh mycli mariadb mariadb-dump mariadb-admin
    mongo mongosh mongodump mongorestore mongoexport mongoimport redis-cli redis-server valkey-cli valkey-server
    duckdb clickhouse clickhouse-client clickhouse-local cqlsh influx etcdctl sqlcmd bcp sqlplus rman cypher-shell
    neo4j neo4j-admin cbq snowsql bq isql usql mdb_dump mdb_load cockroach alembic aerich
    """
)
"""Command lines of databases."""

_RUNNERS = words(
    """
    subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.Popen
    trio.run_process trio.lowlevel.open_process trio.open_process anyio.run_process anyio.open_process
    asyncio.create_subprocess_exec asyncio.create_subprocess_shell asyncio.subprocess.create_subprocess_exec
    asyncio.subprocess.create_subprocess_shell subprocess.getoutput subprocess.getstatusoutput
    os.system os.popen os.execl os.execle os.execlp os.execlpe os.execv os.execve os.execvp os.execvpe os.posix_spawn
    os.posix_spawnp os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve os.spawnvp os.spawnvpe pty.spawn
    os.startfile
    """
)
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "cmd", "cmd.exe", "pwsh", "powershell", "eval"})
_PREFIXES = words(
    """
    sudo doas env nice ionice nohup time timeout stdbuf setsid exec command xargs strace chroot su runuser flock docker
    podman docker-compose kubectl compose exec run uv uvx poetry pipx
    """
)
_KEYWORDS = frozenset({"!", "{", "if", "then", "do", "while", "until", "else", "elif"})
_SUBSTITUTED = re.compile(r"`([^`]*)`|\$\(([^()]*)\)")
_PYTHON = re.compile(r"python[\d.]*(?:\.exe)?$")


class DatabaseCommands(Rule):
    """A database that is driven through its command line is one all the same."""

    code: ClassVar[str] = "OBS107"
    nodes: ClassVar[tuple[type[ast.AST], ...]] = (ast.Call,)

    def check(self, node: ast.AST, scope: Scope, source: Source) -> Iterator[Raw]:
        """Return one finding for a call that runs such a command."""
        assert isinstance(node, ast.Call)  # noqa: S101 -- what the rule asks for
        for call in source.calls(node, scope):
            if call.origin in _RUNNERS:
                tool = _tool_of(call, source)
                if tool:
                    yield Raw(place_of(node), self.code, f"runs {tool}: the command line of a database is one, too")
                    return


def _tool_of(call: Call, source: Source) -> str | None:
    """Return the database's tool that a call runs."""
    scope = call.scope
    first = call.argument(0, "command" if call.origin.startswith(("trio", "anyio")) else "args")
    spawns = call.origin.startswith("os.spawn")
    if spawns:
        first = call.argument(1, "file")
    executable = source.texts(call.argument(99, "executable"), scope)
    candidates = [[executable]] if executable.values else []
    if first is not None:
        for text in sorted(source.texts(first, scope).values):
            if tool := _in_shell(text.replace(HOLE, " ? ") if " " in text else text, source):
                return tool
        candidates += source.elements(first, scope)
        rest = call.args[2 if spawns else 1 :]
        if not isinstance(first, (ast.List, ast.Tuple)):
            candidates.append([source.texts(first, scope), *(source.texts(arg, scope) for arg in rest)])
    for candidate in candidates:
        if tool := _in_words(candidate, source):
            return tool
    return None


def _in_words(command: list[Texts], source: Source) -> str | None:
    """Return the tool that a list of words runs, by itself or through a shell, `sudo` and the like."""
    wrapped = shell = False
    for index, word in enumerate(command):
        names = {_name(text) for text in word.values}
        if tool := next(iter(sorted(names & TOOLS)), None):
            return tool
        for script in sorted(word.values) if shell else ():
            if tool := _in_shell(script, source):
                return tool
        if any(map(_PYTHON.match, names)) or (index == 0 and not names):  # sys.executable, for one
            return _through_python(command[index + 1 :], source)
        shell = shell or not names.isdisjoint(_SHELLS)
        wrapped = wrapped or shell or not names.isdisjoint(_PREFIXES)
        if not wrapped and not all(map(_comes_before, word.values)):
            return None
    return None


def _through_python(command: list[Texts], source: Source) -> str | None:
    """Return the library that `python -m` runs."""
    texts = [next(iter(word.values), "") for word in command]
    if "-m" in texts[:-1]:
        module = texts[texts.index("-m") + 1]
        return f"python -m {module}" if source.libraries.match(module) else None
    return None


def _in_shell(script: str, source: Source) -> str | None:
    """Return the tool that a script of a shell runs, in any of its commands."""
    scripts = [script, *(part for found in _SUBSTITUTED.findall(script) for part in found if part)]
    commands = (command for part in scripts for command in _commands(part))
    found = (_in_words([Texts(frozenset({word}), True) for word in command], source) for command in commands)
    return next(filter(None, found), None)


def _commands(script: str) -> Iterator[list[str]]:
    """Take a script apart: into commands, and those into words."""
    lexer = shlex.shlex(script, posix=True, punctuation_chars=";&|()\n")
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    command: list[str] = []
    try:
        for word in lexer:
            if word.strip(";&|()\n"):
                command.append(word)
            else:
                yield command
                command = []
    except ValueError:  # a quote that does not end
        command.extend(script.split())
    yield command


def _comes_before(word: str) -> bool:
    """Return whether a word may stand in front of a command."""
    return word in _KEYWORDS or ("=" in word and not word.startswith("-"))


def _name(text: str) -> str:
    """Return the name of a program without its folder."""
    return re.split(r"[/\\]", text.strip())[-1].removesuffix(".exe")
