"""`observatory traces`: the way of the latest messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import attrs
import trio
from cyclopts import Parameter

from observatory import Hop, Trace, TracesClient, TraceStatistics, to_wire
from observatory.cli.endings import FAILED, OK
from observatory.cli.options import ListingOptions
from observatory.cli.output import complain, local_time, make_console, print_json, print_table
from observatory.cli.reaching import in_time, running_service

_BETWEEN = 1.0
"""Seconds between two looks."""


@attrs.frozen
class _Page:
    """What is shown at a time."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    objects: Sequence[Any]
    """The same, for a program: what becomes a line of JSON each."""
    numbers: Sequence[str]
    """Columns that hold numbers."""


async def traces(
    id: str | None = None,
    /,
    *,
    agent: str | None = None,
    limit: int = 20,
    statistics: Annotated[bool, Parameter(negative="")] = False,
    watch: Annotated[bool, Parameter(negative="")] = False,
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> int:
    """List the latest messages and how far each has come, or the hops of one.

    They live in the memory of the running service. On a terminal as a table, else one line each with tabs between:
    message, sender, recipient, when it was accepted, its last hop, and how long after; of one message: how long
    after it was accepted, hop, delivery channel, detail.

    Args:
        id: Of which message.
        agent: Only messages that it has sent or is sent.
        limit: How many messages.
        statistics: Show how long messages take to each hop, instead.
        watch: Go on, and show what is new, until Ctrl-C.
        options: Of which root.
    """
    async with running_service(options.settings(), for_long=watch) as client:
        shown: _Page | None = None
        while True:
            page = await _look(client.traces, id, agent, limit, statistics=statistics)
            if page is None:
                complain(f"nothing is known of the way of a message {id!r}: only the latest are traced")
                return FAILED
            _show(page, shown, options)
            shown = page
            if not watch:
                return OK
            await trio.sleep(_BETWEEN)


async def _look(
    client: TracesClient, id: str | None, agent: str | None, limit: int, *, statistics: bool
) -> _Page | None:
    if statistics:
        return _figures(await in_time(client.get_statistics))
    if id is None:
        return _list(await in_time(client.get_traces, agent, limit=limit))
    trace = await in_time(client.get_trace, id)
    return None if trace is None else _hops(trace)


def _show(page: _Page, before: _Page | None, options: ListingOptions) -> None:
    """Show a page: to a person as a whole, to a program what is new in it."""
    if page == before:
        return
    if options.json:
        for one in page.objects:
            if before is None or one not in before.objects:
                print_json(one, flush=True)
        return
    console = make_console()
    if console.is_terminal and before is not None:
        console.clear()
    new = [row for row in page.rows if before is None or console.is_terminal or row not in before.rows]
    print_table(page.columns, new, numbers=page.numbers)


def _list(found: Sequence[Trace]) -> _Page:
    for_person = make_console().is_terminal  # whose lines are short
    rows = []
    for trace in found:
        last, accepted = trace.hops[-1], trace.accepted
        at = local_time(accepted, "%H:%M:%S") if for_person else accepted.isoformat(timespec="seconds")
        rows.append((trace.id, trace.from_, trace.to, at, _in_words(last), _after(trace, last)))
    return _Page(("Message", "From", "To", "Accepted", "Last hop", "After"), rows, to_wire(found), ("After",))


def _hops(trace: Trace) -> _Page:
    rows = [(_after(trace, hop), hop.name, hop.channel or "-", hop.detail or "-") for hop in trace.hops]
    return _Page(("After", "Hop", "Channel", "Detail"), rows, [to_wire(trace)], ("After",))


def _figures(statistics: TraceStatistics) -> _Page:
    rows = [
        (one.hop, one.channel or "-", f"{one.count:,}", _duration(one.p50), _duration(one.p99))
        for one in statistics.latencies
    ]
    numbers = "Messages", "Half within", "99 % within"
    return _Page(("Hop", "Channel", *numbers), rows, [to_wire(statistics)], numbers)


def _in_words(hop: Hop) -> str:
    return f"{hop.name} by {hop.channel}" if hop.channel else hop.name


def _after(trace: Trace, hop: Hop) -> str:
    if trace.origin is not None:
        return "-"  # it was accepted by another clock
    return _duration((hop.at - trace.accepted).total_seconds())


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:,.2f} ms" if abs(seconds) < 1 else f"{seconds:,.2f} s"
