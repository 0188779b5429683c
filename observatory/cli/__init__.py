"""The command line, `observatory`.

Exit codes: 0 when all went well; 1 when something was refused, failed or could not be delivered; 2 when it cannot be
done here: the command was written wrongly, or what it needs lives in another process's memory; 130 after Ctrl-C.
"""

# options.py      what every command takes
# opening.py      an Observatory for the time of one command
# reaching.py     the service that runs already, for as long as it answers, or else that
# output.py       what a person sees, and what a program reads; what others wrote is made harmless first
# endings.py      from errors to exit codes
# logs.py         the library's log on standard error
# sending.py      send: one message
# batches.py      send --jsonl: many at a time, one recipient's in order
# lines.py        the lines of such a file
# mailboxes.py    inbox, ack
# overview.py     stats, plugins
# deliveries.py   deliveries, dead-letters
# doctor.py       doctor: what is wrong, and mending it
# tail.py         tail: what happens, as it happens
# events.py       an event as a line
# status.py       status: how a running service is
# swarm.py        swarm: tasks, and what is done about them
# swarm_view.py   how that looks
# traces.py       traces: the way of the latest messages
# agents.py       agents: who is there, and who holds what
# tokens.py       token: for an agent that connects to one
# service.py      serve
# extending.py    groups of commands that plugins register; their authors import from observatory.commands
# demo/           demo: agents that do a small real piece of work

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from cyclopts import App

from observatory.cli.endings import OK, ending
from observatory.cli.logs import log_to_stderr
from observatory.cli.output import watched_stdout

# By path, so that a command costs the import of what it needs, and no more.
_OWN = (
    "sending:send",
    "mailboxes:inbox",
    "mailboxes:ack",
    "overview:stats",
    "deliveries:deliveries",
    "deliveries:dead_letters",
    "overview:plugins",
    "doctor:doctor",
    "demo.command:demo",
    "service:serve",
    "tail:tail",
    "status:status",
    "tokens:token",
    "swarm:swarm",
    "traces:traces",
    "agents:agents",
)


def _make() -> App:
    made = App(
        name="observatory",
        help="Coordinates a swarm of coding agents: mailboxes, inbox files, plugins.",
        version=lambda: version("trio-observatory"),
        version_format="plaintext",
        help_format="markdown",
        suppress_keyboard_interrupt=False,
    )
    for path in _OWN:
        made.command(f"{__name__}.{path}")
    return made


app = _make()
"""The commands of the core."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code.

    Args:
        arguments: the command and what it is given; by default the process's own.
    """
    command = list(sys.argv[1:] if arguments is None else arguments)
    with log_to_stderr(), watched_stdout():
        sys.exit(ending(lambda: _run(command)))


def _run(command: list[str]) -> int:
    first = command[0] if command else app.help_flags[0]
    own = first in app and first not in app.help_flags
    whole = app if own else _extended(command)
    if not own and first.startswith("-"):
        whole.resolved_commands()  # imports them all: each is listed with the first line of its own docstring
    result: Any = whole(
        command,  # and whatever a plugin's own commands say of these:
        backend="trio",
        result_action="return_value",
        print_error=False,  # `main` prints errors, in one line like all others
        exit_on_error=False,
        help_on_error=False,
    )
    return result if isinstance(result, int) else OK  # None for `--help` and `--version`


def _extended(command: list[str]) -> App:
    from observatory.cli.extending import extend  # here, since plugins are loaded for what they are asked for only

    extended = _make()
    extend(extended, command)
    return extended
