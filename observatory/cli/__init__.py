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
# listing.py      what the help says of groups of commands that plugins announce
# extending.py    those groups, as plugins register them; their authors import from observatory.commands
# demo/           demo: agents that do a small real piece of work

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from cyclopts import App

from observatory.cli.endings import OK, ending
from observatory.cli.output import watched_stdout

# By path, so that a command costs the import of what it needs, and no more; with the first line of its docstring, so
# that the help, which lists them all, costs the import of none.
_OWN = {
    "sending:send": "Send a message, or one for each line of a file.",
    "mailboxes:inbox": "List an agent's messages, newest first.",
    "mailboxes:ack": "Acknowledge messages: they are read, and their files go.",
    "overview:stats": "List every mailbox with what is in it.",
    "deliveries:deliveries": "List how far each delivery channel has come with a message.",
    "deliveries:dead_letters": "List deliveries that were given up, or have them tried again.",
    "overview:plugins": "List what is loaded, from which distribution, and what could not be loaded and why.",
    "doctor:doctor": "Look for what is wrong, and say how to mend it.",
    "demo.command:demo": "Watch agents do a small real piece of work: they read a folder and tell what they found.",
    "service:serve": "Run modules, delivery channels and services until Ctrl-C or SIGTERM.",
    "tail:tail": "Follow what is published, until Ctrl-C.",
    "status:status": "Show how the service on a root is: its parts, lanes, connections and rates.",
    "tokens:token": "Print a token with which an agent can connect to the running service, and send as nobody else.",
    "swarm:swarm": "Show how the tasks of the swarm stand, and do something about them.",
    "traces:traces": "List the latest messages and how far each has come, or the hops of one.",
    "agents:agents": "Show who is there, what has told of them, their unread mail and their leases.",
}


def _make(*, listing: bool = False) -> App:
    made = App(
        name="observatory",
        help="Coordinates a swarm of coding agents: mailboxes, inbox files, plugins.",
        version=_version,
        version_format="plaintext",
        help_format="plaintext" if listing else "markdown",  # of which the list has none, and it is dear
        suppress_keyboard_interrupt=False,
    )
    for path, line in _OWN.items():
        made.command(f"{__name__}.{path}", help=line if listing else None)
    return made


def _version() -> str:
    from importlib.metadata import version  # here, so that the help is quick

    return version("trio-observatory")


app = _make()
"""The commands of the core."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code.

    Args:
        arguments: the command and what it is given; by default the process's own.
    """
    command = list(sys.argv[1:] if arguments is None else arguments)
    asked = command[0] if command else app.help_flags[0]
    with watched_stdout():
        sys.exit(ending(lambda: _help(command) if asked in app.help_flags else _run(command)))


def _help(command: list[str]) -> int:
    from observatory.cli.listing import announced

    listing = _make(listing=True)
    for name, line in announced(command):
        if name not in listing and name[:1].isalpha():  # else no plugin may register it, which `doctor` tells of
            listing.command(App(name=name, help=line))
    return _call(listing, command)


def _run(command: list[str]) -> int:
    from observatory.cli.logs import log_to_stderr  # here, so that the help is quick

    with log_to_stderr():
        return _call(app if command[0] in app else _extended(command), command)


def _call(called: App, command: list[str]) -> int:
    result: Any = called(
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
