"""`observatory tail` and `observatory status`: what only a running service can tell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

import trio
from cyclopts import CycloptsError, Parameter
from rich.text import Text

from observatory import (
    Client,
    Event,
    Gap,
    Health,
    Message,
    Settings,
    Statistics,
    find_client,
    to_wire,
)
from observatory.cli.endings import FAILED, OK
from observatory.cli.options import ListingOptions
from observatory.cli.output import counted, harmless, make_console, note, print_json, print_table, shorten

_EVERYTHING = ("agent:*", "notes:*", "health:*", "session:*")
_SHOWN = 200  # characters of a message on a line


async def tail(
    *topics: Annotated[str, Parameter()],
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> int:
    """Follow what is published, until Ctrl-C.

    A line for each event: time, topic, who or what, and the text. A connection that is lost comes back by itself, with
    what was missed, or a line that says how much is missing.

    Args:
        topics: Such as `agent:bob`, or `agent:*` for all that begin so; by default messages, notes, health, responses.
        options: Of which root.
    """
    async with _running(options.settings()) as client, trio.open_nursery() as nursery:
        for topic in topics or _EVERYTHING:
            nursery.start_soon(_follow, client, topic, options.json)
    return OK


async def status(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """Show how the service on a root is: its parts, lanes, connections and figures.

    The exit code is 1 when something in it has failed for good.

    Args:
        options: Of which root.
    """
    async with _running(options.settings()) as client:
        health, statistics = await client.health(), await client.statistics()
    if options.json:
        print_json({"health": to_wire(health), "statistics": to_wire(statistics)})
    else:
        _show(health, statistics)
    return OK if health.healthy else FAILED


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[Client]:
    """Reach the service of a root.

    Raises:
        CycloptsError: none runs there.
    """
    running = await find_client(settings)
    if running is None:
        raise CycloptsError(
            msg=f"no service runs on the root {settings.root} that could be asked: start one with `observatory serve`"
        )
    async with running as client:
        yield client


async def _follow(client: Client, topic: str, json: bool) -> None:
    async with await client.subscribe(topic) as subscription:
        async for event in subscription:
            if json:
                print_json(_event_to_wire(event))
            else:
                _print_event(event)


def _event_to_wire(event: Event) -> dict[str, Any]:
    wire: dict[str, Any] = to_wire(event)
    return {**wire, "kind": type(event.payload).__name__, "payload": to_wire(event.payload)}


def _print_event(event: Event) -> None:
    payload = event.payload
    if isinstance(payload, Message):
        sender = f"{payload.from_} (verified)" if event.verified else payload.from_
        _print_line(f"{payload.timestamp.astimezone():%H:%M:%S}", event.topic, sender, payload.content)
    elif isinstance(payload, Gap):
        missed = "some events" if payload.missed is None else counted(payload.missed, "event")
        _print_line("--:--:--", event.topic, "gap", f"{missed} missing here")
    else:
        _print_line("", event.topic, type(payload).__name__, ", ".join(_fields(to_wire(payload))))


def _fields(wire: Any) -> Iterator[str]:
    if not isinstance(wire, Mapping):
        yield str(wire)
        return
    for key, value in wire.items():
        yield f"{key} {value}"


def _print_line(time: str, topic: str, who: str, text: str) -> None:
    cells = [harmless(cell) for cell in (time, topic, who, shorten(text, _SHOWN))]
    console = make_console()
    if console.is_terminal:
        styles = "dim", "cyan", "bold", ""
        console.print(Text("  ").join(Text(cell, style=style) for cell, style in zip(cells, styles, strict=True)))
    else:
        print("\t".join(cells), flush=True)


def _show(health: Health, statistics: Statistics) -> None:
    children = [(child.name, child.state, f"{child.restarts:,}", child.error or "-") for child in health.children]
    print_table(("Part", "State", "Restarts", "Last failure"), children, numbers=("Restarts",))
    lanes = [
        (name, f"{lane.queued:,}", f"{lane.backing_off:,}", f"{lane.delivered:,}", f"{lane.dead:,}", lane.error or "-")
        for name, lane in statistics.lanes.items()
    ]
    numbers = ("Queued", "Backing off", "Delivered", "Dead")
    if lanes:
        print_table(("Lane", *numbers, "Last failure"), lanes, numbers=numbers)
    for name, figures in statistics.services.items():
        _show_service(name, figures)
    totals = statistics.mailbox
    boxes, events = counted(totals.mailboxes, "mailbox", "mailboxes"), counted(statistics.pubsub.published, "event")
    note(f"{counted(totals.messages, 'message')}, {totals.unread:,} unread, in {boxes}; {events} published")
    for plugin, reason in health.broken_plugins.items():
        note(f"the plugin {plugin} is broken: {reason}")


def _show_service(name: str, figures: Mapping[str, Any]) -> None:
    if "url" in figures:
        note(f"{name}: {figures['url']}, {counted(figures.get('connections', 0), 'connection')}")
