"""`observatory status`: how a running service is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import trio
from rich.table import Table
from rich.text import Text

from observatory import Client, Health, InvalidInputError, ServiceInfo, Statistics, from_wire, to_wire
from observatory.cli.endings import FAILED, OK
from observatory.cli.options import ListingOptions
from observatory.cli.output import harmless, in_words, make_console, print_json
from observatory.cli.reaching import in_time, running_service, service_of

_BETWEEN = 1.0
"""Seconds between two looks at figures that only ever grow: what they have grown by is the rate."""

_SHOWN = 20
"""Connections that are listed, of perhaps a thousand: those that are full, and then those that have asked for most."""

_STYLES = {"failed": "bold red", "backing-off": "yellow", "starting": "yellow", "full": "yellow", "-": "dim"}


@attrs.frozen
class _Look:
    """What was seen of a service."""

    root: str
    service: ServiceInfo
    health: Health
    figures: Statistics
    rates: dict[str, float]
    """How many of what a second."""


@attrs.frozen
class _Client:
    """A connection, as its service tells of it: see `Service.statistics`."""

    identity: str | None = None
    owner: bool = False
    requests: int | None = None
    subscriptions: int | None = None
    full: bool = False


@attrs.frozen
class _Section:
    """Lines of one kind."""

    kind: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[str] = ()
    """Columns that hold numbers."""


async def status(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """Show how the service on a root is: its parts, lanes, connections and rates.

    It looks twice, a second apart: the rates are what has come in between. On a terminal as tables, else one line for
    each service, door, part, lane, connection, figure and broken plugin, which begins with that word; of connections
    the twenty that matter most. The exit code is 1 when something has failed for good.

    Args:
        options: Of which root.
    """
    settings = options.settings()
    async with running_service(settings) as client:
        look = await _look(client, settings.root)
    if options.json:
        print_json(_as_json(look))
    else:
        _show(look)
    return OK if look.health.healthy else FAILED


async def _look(client: Client, root: Path) -> _Look:
    """Look twice at one service; when it was started again in between, look at what runs now.

    Raises:
        CycloptsError: it has ended in between.
    """
    now = await service_of(root)
    while True:
        service = now
        before, start = await in_time(client.statistics), trio.current_time()
        await trio.sleep(_BETWEEN)
        after, end = await in_time(client.statistics), trio.current_time()
        health = await in_time(client.health)
        now = await service_of(root)
        if (now.pid, now.started) == (service.pid, service.started):
            grown = zip(_counts(before).items(), _counts(after).values(), strict=True)
            rates = {name: (count - then) / (end - start) for (name, then), count in grown}
            return _Look(str(root), service, health, after, rates)


def _counts(figures: Statistics) -> dict[str, int]:
    """Return what is counted since the start of a service."""
    return {"messages": figures.mailbox.accepted, "events": figures.pubsub.published}


def _as_json(look: _Look) -> dict[str, Any]:
    service = {"root": look.root, **to_wire(look.service)}
    del service["token"]
    return {
        "service": service,
        "health": to_wire(look.health),
        "statistics": to_wire(look.figures),
        "rates": look.rates,
    }


def _show(look: _Look) -> None:
    console = make_console()
    for section in _sections(look):
        if not console.is_terminal:
            for row in section.rows:
                print("\t".join(map(harmless, (section.kind, *row))))
        elif section.kind == "service":
            console.print(_headline(look), soft_wrap=True)
        elif section.rows:
            console.print()
            console.print(_table(section))


def _headline(look: _Look) -> Text:
    state = ("healthy", "bold green") if look.health.healthy else ("unhealthy", "bold red")
    return Text.assemble(state, harmless(f": {look.root}, process {look.service.pid}, for {_age(look.service)}"))


def _table(section: _Section) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in section.columns:
        table.add_column(column, overflow="fold", justify="right" if column in section.numbers else "left")
    for row in section.rows:
        table.add_row(*(Text(harmless(cell), _STYLES.get(cell, "")) for cell in row))
    return table


def _age(service: ServiceInfo) -> str:
    return in_words((datetime.now(UTC) - service.started).total_seconds())


def _sections(look: _Look) -> Iterator[_Section]:
    state = "healthy" if look.health.healthy else "unhealthy"
    yield _Section("service", (), [(state, look.root, str(look.service.pid), _age(look.service))])
    yield _Section("door", ("Door", "At"), list(look.service.doors.items()))
    yield _Section("plugin", ("Broken plugin", "Why"), list(look.health.broken_plugins.items()))
    parts = [(child.name, child.state, f"{child.restarts:,}", child.error or "-") for child in look.health.children]
    yield _Section("part", ("Part", "State", "Restarts", "Last failure"), parts, ("Restarts",))
    yield _lanes(look.figures)
    yield _connections(look.figures)
    yield _figures(look)


def _lanes(statistics: Statistics) -> _Section:
    rows = [
        (name, f"{lane.queued:,}", f"{lane.backing_off:,}", f"{lane.delivered:,}", f"{lane.dead:,}", lane.error or "-")
        for name, lane in statistics.lanes.items()
    ]
    numbers = "Waiting", "Backing off", "Done", "Given up"
    return _Section("lane", ("Lane", *numbers, "Last failure"), rows, numbers)


def _connections(statistics: Statistics) -> _Section:
    found = [(name, client) for name, figures in statistics.services.items() for client in _clients(figures)]
    found.sort(key=lambda one: (one[1].full, one[1].requests or 0), reverse=True)
    rows = [
        (
            service,
            client.identity or ("the owner" if client.owner else "not known yet"),
            _number(client.requests),
            _number(client.subscriptions),
            "full" if client.full else "-",
        )
        for service, client in found[:_SHOWN]
    ]
    if len(found) > _SHOWN:
        rows.append((f"… and {len(found) - _SHOWN:,} more", "-", "-", "-", "-"))
    numbers = "Requests", "Subscriptions"
    return _Section("connection", ("Connection", "Of", *numbers, "Full"), rows, numbers)


def _clients(figures: Mapping[str, Any]) -> Iterator[_Client]:
    """Read what a service, perhaps somebody else's, tells of its connections; what does not fit is passed over."""
    clients = figures.get("clients")
    for client in clients if isinstance(clients, list) else ():
        with suppress(InvalidInputError):
            yield from_wire(client, _Client)


def _number(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _figures(look: _Look) -> _Section:
    counts, boxes = _counts(look.figures), look.figures.mailbox
    rows = [
        ("messages accepted", f"{counts['messages']:,}", f"{look.rates['messages']:,.1f}"),
        ("events published", f"{counts['events']:,}", f"{look.rates['events']:,.1f}"),
        ("messages held", f"{boxes.messages:,}", "-"),
        ("of them unread", f"{boxes.unread:,}", "-"),
        ("mailboxes", f"{boxes.mailboxes:,}", "-"),
    ]
    return _Section("figure", ("Figure", "Number", "A second"), rows, ("Number", "A second"))
