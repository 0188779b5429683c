"""An event as a line: of columns on a terminal, with tabs in a pipe, or of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import trio
from rich.table import Table
from rich.text import Text

from observatory import (
    Event,
    Gap,
    Health,
    HookEvent,
    MailboxCleared,
    Message,
    MessagesExpired,
    MessagesRead,
    Note,
    NoteDeleted,
    PresenceUpdate,
    TraceStatistics,
    to_wire,
)
from observatory.cli.output import counted, harmless, local_time, make_console, print_json, shorten

_SHOWN = 240
"""Characters of a text on a terminal."""

_WHO = 24
"""Columns of a terminal for who it is about; a longer name goes on below."""


@attrs.frozen
class _Line:
    """What is told of an event."""

    text: str
    who: str
    """Whom or what it is about; for a message the recipient."""
    at: datetime | None = None
    """When it was, if that is known."""
    sender: str = ""
    kind: str = ""
    """For a message its type, unless that is `text`."""
    verified: bool = False
    style: str = "dim"


class EventPrinter:
    """Prints a line for each event that tells something new.

    Args:
        json: print JSON, for every event.
    """

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._restart: str | None = None
        self._health: str | None = None

    @trio.lowlevel.enable_ki_protection  # Ctrl-C in the middle of rich may be lost; so it comes when this is done
    def print(self, event: Event, *, first: bool) -> None:
        """Print an event.

        Args:
            event: the event.
            first: whether it is the first one of its subscription since the service was started.
        """
        if self._json:
            print_json({**to_wire(event), "kind": _kind_of(event)}, flush=True)
        elif self._is_new(event, first):
            _print(event, _line_of(event))

    def _is_new(self, event: Event, first: bool) -> bool:
        """Return whether it tells something new: of a restart every subscription hears, of health at every turn."""
        if first and event.payload == Gap(None):
            known, self._restart = self._restart, event.epoch
            return known != event.epoch
        if isinstance(event.payload, Health):
            before, self._health = self._health, _line_of(event).text
            return before != self._health
        return True


def _print(event: Event, line: _Line) -> None:
    at = line.at or datetime.now(UTC)
    console = make_console()
    if console.is_terminal:
        console.print(_columns(line, local_time(at, "%H:%M:%S")))
        return
    cells = local_time(at, "%Y-%m-%d %H:%M:%S"), event.topic, _kind_of(event) or "-", line.sender or "-", line.text
    print("\t".join(map(harmless, cells)), flush=True)


def _kind_of(event: Event) -> str | None:
    """Return what kind of value the payload is; None for one of a plugin's that came as JSON."""
    return None if isinstance(event.payload, Mapping) else type(event.payload).__name__


def _line_of(event: Event) -> _Line:
    match event.payload:
        case Message() as message:
            kind = "" if message.type == "text" else message.type
            return _Line(message.content, message.to, message.timestamp, message.from_, kind, event.verified, style="")
        case MessagesRead(to, ids):
            return _Line(f"has acknowledged {counted(len(ids), 'message')}", to)
        case MessagesExpired(to, ids):
            return _Line(f"has lost {counted(len(ids), 'message')} that expired", to, style="yellow")
        case MailboxCleared(to, count):
            return _Line(f"has removed all messages, {count:,} of them", to)
        case Note(key, text, timestamp):
            return _Line(text, f"note {key}", timestamp, style="")
        case NoteDeleted(key):
            return _Line("is deleted", f"note {key}")
        case Health() as health:
            return _line_of_health(health)
        case HookEvent(name, session_id, timestamp, agent):
            return _Line(name, agent or session_id, timestamp, style="")
        case TraceStatistics() as statistics:
            return _Line(_line_of_traces(statistics), "protocols", style="")
        case PresenceUpdate() as update:
            return _Line(_words_of_presence(update), "agents")
        case Gap(None):
            return _Line("was started again; events may be missing here", "service", style="yellow")
        case Gap(int() as missed):
            return _Line(f"{counted(missed, 'event')} missing here", event.topic, style="yellow")
        case other:
            return _Line(_in_words(to_wire(other)), event.topic, style="")


def _line_of_health(health: Health) -> _Line:
    troubles = [
        f"{child.name} is {child.state}{f': {child.error}' if child.error else ''}"
        for child in health.children
        if child.state not in ("running", "finished")
    ]
    troubles += [f"the plugin {name} is broken: {reason}" for name, reason in health.broken_plugins.items()]
    style = "green" if health.healthy else "red"
    return _Line("; ".join(troubles) or ("all is well" if health.healthy else "is closed"), "health", style=style)


def _line_of_traces(statistics: TraceStatistics) -> str:
    queued = sum(statistics.queued.values())
    return f"{statistics.traces:,} traces, {statistics.unread:,} messages unread, {counted(queued, 'job')} waiting"


def _words_of_presence(update: PresenceUpdate) -> str:
    words = [f"{agent.name} has joined" for agent in update.joined]
    words += [f"{agent.name} is {agent.status}" for agent in update.changed]
    words += [f"{agent.name} is gone" for agent in update.left]
    words += [f"{name} is forgotten" for name in update.forgotten]
    words += [f"{lease.holder} holds {lease.resource}" for lease in update.taken]
    words += [f"{one.lease.holder} holds {one.lease.resource} no longer: {one.reason}" for one in update.released]
    return "; ".join(words)


def _in_words(wire: Any) -> str:
    if not isinstance(wire, Mapping):
        return str(wire)
    return ", ".join(f"{key} {value}" for key, value in wire.items())


def _columns(line: _Line, time: str) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(width=_WHO, overflow="fold")
    grid.add_column(overflow="fold")
    who = Text()
    if line.sender:
        who.append(harmless(line.sender), "bold")
        who.append(" ✓" if line.verified else "", "green")
        who.append(" → ", "dim")
    who.append(harmless(line.who), "cyan")
    text = Text(harmless(shorten(line.text, _SHOWN)), style=line.style)
    if line.kind:
        text = Text.assemble((harmless(line.kind), "magenta"), "  ", text)
    grid.add_row(time, who, text)
    return grid
