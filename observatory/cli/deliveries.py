"""`observatory deliveries` and `observatory dead-letters`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Annotated

from cyclopts import CycloptsError, Parameter

from observatory import DeadLetter, Observatory, Settings, to_wire
from observatory.cli.endings import FAILED, OK
from observatory.cli.opening import opened
from observatory.cli.options import ListingOptions
from observatory.cli.output import complain, counted, note, print_json, print_table, shorten


async def deliveries(id: str, /, *, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """List how far each delivery channel has come with a message.

    On a terminal as a table, else one line each: delivery channel, state, attempts, durability, time, error.

    Args:
        id: Of which message.
        options: Where from.
    """
    async with _opened_on_storage(options.settings(), "deliveries cannot be listed") as observatory:
        records = observatory.deliveries(id)
    if not records:
        complain(f"nothing is known of deliveries of a message {id!r}")
        return FAILED
    if options.json:
        for record in records:
            print_json(to_wire(record))
        return OK
    rows = [
        (
            record.delivery.channel,
            record.delivery.state,
            f"{record.delivery.attempts:,}",
            record.delivery.durability or "-",
            record.at.isoformat(timespec="seconds"),
            record.delivery.error or "-",
        )
        for record in records
    ]
    print_table(("Channel", "State", "Attempts", "Durability", "At", "Error"), rows, numbers=("Attempts",))
    return OK


async def dead_letters(
    *ids: str,
    redeliver: Annotated[bool, Parameter(negative="")] = False,
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> int:
    """List deliveries that were given up, or have them tried again.

    With `--json` each is an object on a line of its own, the message with it: an export. With storage `memory` they
    live in the memory of the process that gave up, and a running one cannot be asked from here yet.

    Args:
        ids: Of which messages; without any, all.
        redeliver: Try them again.
        options: Where from.
    """
    problem = f"dead letters cannot be {'redelivered' if redeliver else 'listed'}"
    async with _opened_on_storage(options.settings(), problem) as observatory:
        letters = _of(observatory, ids)
        count = await observatory.redeliver(ids or None) if redeliver else 0
    unknown = [id for id in ids if id not in {letter.message.id for letter in letters}]
    for id in unknown:
        complain(f"there is no dead letter of a message {id!r}")
    if redeliver:
        letters = _of(observatory, ids)  # what has failed again while it was drained
        note(f"{counted(count, 'dead letter')} tried again, {len(letters):,} left")
        return FAILED if letters or unknown else OK
    if options.json:
        for letter in letters:
            print_json(to_wire(letter))
        return FAILED if unknown else OK
    rows = [
        (
            letter.message.id,
            letter.message.to,
            letter.channel,
            f"{letter.attempts:,}",
            letter.timestamp.isoformat(timespec="seconds"),
            shorten(letter.error, 200),
        )
        for letter in letters
    ]
    if rows:
        print_table(("Message", "To", "Channel", "Attempts", "Given up", "Why"), rows, numbers=("Attempts",))
    note(counted(len(letters), "dead letter"))
    return FAILED if unknown else OK


def _of(observatory: Observatory, ids: Collection[str]) -> list[DeadLetter]:
    return [letter for letter in observatory.dead_letters() if not ids or letter.message.id in ids]


@asynccontextmanager
async def _opened_on_storage(settings: Settings, problem: str) -> AsyncIterator[Observatory]:
    """Open an Observatory on what earlier processes have stored, without looking into any inbox.

    Raises:
        CycloptsError: storage keeps nothing beyond the end of a process.
        ObservatoryError: as `opened`.
    """
    if settings.storage.backend == "memory":
        raise CycloptsError(
            msg=f"{problem} here: with storage 'memory' they live in the memory of the process that made them, and a "
            "running one cannot be asked yet; in it, use `observatory.deliveries(id)`, `observatory.dead_letters()` "
            "and `await observatory.redeliver()`, or set `[storage] backend` to one that lasts"
        )
    async with opened(settings, recover=()) as observatory:
        yield observatory
