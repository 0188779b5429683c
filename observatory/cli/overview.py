"""`observatory stats` and `observatory plugins`."""

from __future__ import annotations

from observatory import Statistics, to_wire
from observatory.cli.endings import FAILED, OK
from observatory.cli.opening import opened, opened_on_files
from observatory.cli.options import ListingOptions
from observatory.cli.output import counted, in_words, note, print_json, print_table


async def stats(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """List every mailbox with what is in it.

    On a terminal as a table, else one line each: agent, messages, unread ones, age of the oldest unread one.

    Args:
        options: Where from.
    """
    async with opened_on_files(options.settings(), recover=None) as observatory:
        mailboxes = dict(sorted(observatory.mailbox.get_stats().items()))
        statistics = observatory.statistics()
    if options.json:
        print_json({"mailboxes": to_wire(mailboxes), "statistics": to_wire(statistics)})
        return OK
    rows = [
        (agent, f"{box.total:,}", f"{box.unread:,}", in_words(box.oldest_unread_age_sec))
        for agent, box in mailboxes.items()
    ]
    if rows:
        print_table(("Agent", "Messages", "Unread", "Oldest unread"), rows, numbers=("Messages", "Unread"))
    _note_totals(statistics)
    return OK


def _note_totals(statistics: Statistics) -> None:
    totals = statistics.mailbox
    note(
        f"{counted(totals.messages, 'message')}, {totals.unread:,} unread, {totals.bytes:,} bytes, "
        f"in {counted(totals.mailboxes, 'mailbox', 'mailboxes')}"
    )
    if totals.left_behind:
        note(f"{counted(totals.left_behind, 'message')} found in files and left there")


async def plugins(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """List what is loaded, from which distribution, and what could not be loaded and why.

    On a terminal as a table, else one line each: name, state, distribution, version, what it registers, reason.

    Args:
        options: With which settings.
    """
    async with opened(options.settings(), recover=()) as observatory:
        infos = observatory.plugins()
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
