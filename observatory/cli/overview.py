"""`observatory stats` and `observatory plugins`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import attrs

from observatory import PluginInfo, Statistics, to_wire
from observatory.cli.endings import FAILED, OK
from observatory.cli.opening import opened
from observatory.cli.options import ListingOptions
from observatory.cli.output import counted, in_words, note, print_json, print_table
from observatory.cli.reaching import in_time, reached

_OWN = "trio-observatory"


async def stats(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """List every mailbox with what is in it.

    On a terminal as a table, else one line each: agent, messages, unread ones, age of the oldest unread one. Where no
    service runs all of it comes from files and storage: a process that runs beside may know more.

    Args:
        options: Where from.
    """
    async with reached(options.settings(), recover=None) as client:
        mailboxes = dict(sorted((await in_time(client.mailbox.get_stats)).items()))
        statistics = await in_time(client.statistics)
    if options.json:
        print_json({"mailboxes": to_wire(mailboxes), "statistics": _kept(statistics)})
        return OK
    rows = [
        (agent, f"{box.total:,}", f"{box.unread:,}", in_words(box.oldest_unread_age_sec))
        for agent, box in mailboxes.items()
    ]
    if rows:
        print_table(("Agent", "Messages", "Unread", "Oldest unread"), rows, numbers=("Messages", "Unread"))
    _note_totals(statistics)
    return OK


def _kept(statistics: Statistics) -> dict[str, Any]:
    """Return what comes from files and storage: lanes and topics have only seen this command.

    Of a delivery channel that is what is not zero, since nothing is sent here.
    """
    channels = {name: {key: value for key, value in one.items() if value} for name, one in statistics.channels.items()}
    return {"mailbox": to_wire(statistics.mailbox), "channels": to_wire(channels)}


def _note_totals(statistics: Statistics) -> None:
    totals = statistics.mailbox
    note(
        f"{counted(totals.messages, 'message')}, {totals.unread:,} unread, {totals.bytes:,} bytes, "
        f"in {counted(totals.mailboxes, 'mailbox', 'mailboxes')}"
    )
    if totals.left_behind:
        left = f"{counted(totals.left_behind, 'message')} found in files and left there"
        note(f"{left}, without room or not allowed; `observatory doctor` lists all that is left in files")


async def plugins(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """List what is loaded, from which distribution, and what could not be loaded and why.

    On a terminal as a table, else one line each: name, state, distribution, version, what it registers, reason.

    Args:
        options: With which settings.
    """
    async with opened(options.settings(), recover=()) as observatory:
        infos = [_with_distribution(info) for info in observatory.plugins()]
    if options.json:
        for info in infos:
            print_json(to_wire(info))
    else:
        columns = ("Plugin", "State", "Distribution", "Version", "Registers", "Reason")
        rows = [
            (
                info.name,
                info.state,
                info.distribution or "-",
                info.version or "-",
                ", ".join(info.registered) or "-",
                info.reason or "-",
            )
            for info in infos
        ]
        print_table(columns, rows)
    return FAILED if any(info.state == "broken" for info in infos) else OK


def _with_distribution(info: PluginInfo) -> PluginInfo:
    """Name the distribution of what is in the box; to the library it is no plugin that somebody has installed."""
    if info.distribution is not None:
        return info
    return attrs.evolve(info, distribution=_OWN, version=version(_OWN))
