"""`observatory deliveries` and `observatory dead-letters`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Annotated

from cyclopts import CycloptsError, Parameter

from observatory import Client, DeadLetter, EmbeddedClient, Settings, to_wire
from observatory.cli.endings import FAILED, OK
from observatory.cli.opening import opened
from observatory.cli.options import ListingOptions
from observatory.cli.output import complain, counted, note, print_json, print_table, shorten
from observatory.cli.reaching import in_time, service_on


async def deliveries(id: str, /, *, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """List how far each delivery channel has come with a message.

    On a terminal as a table, else one line each: delivery channel, state, attempts, durability, time, error.

    Args:
        id: Of which message.
        options: Where from.
    """
    async with _reached_deliveries(options.settings(), "deliveries cannot be listed") as client:
        records = await in_time(client.deliveries, id)
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
    live in the memory of the process that gave up, so that has to be a running service. A service tries again in its
    own time: list them afterwards.

    Args:
        ids: Of which messages; without any, all.
        redeliver: Try them again.
        options: Where from.
    """
    problem = f"dead letters cannot be {'redelivered' if redeliver else 'listed'}"
    async with _reached_deliveries(options.settings(), problem) as client:
        letters = await _of(client, ids)
        count = await in_time(client.redeliver, ids or None) if redeliver else 0
        left = await _of(client, ids)
    again = "being tried again by the service"
    if isinstance(client, EmbeddedClient):
        left = await _of(client, ids)  # what has failed again while it was drained
        again = "tried again"
    unknown = [id for id in ids if id not in {letter.message.id for letter in letters}]
    for id in unknown:
        complain(f"there is no dead letter of a message {id!r}")
    if redeliver:
        note(f"{counted(count, 'dead letter')} {again}, {len(left):,} left")
        return FAILED if left or unknown else OK
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


async def _of(client: Client, ids: Collection[str]) -> list[DeadLetter]:
    return [letter for letter in await in_time(client.dead_letters) if not ids or letter.message.id in ids]


@asynccontextmanager
async def _reached_deliveries(settings: Settings, problem: str) -> AsyncIterator[Client]:
    """Reach the service of a root, or else what earlier processes have stored, without looking into any inbox.

    Raises:
        CycloptsError: no service runs, and storage keeps nothing beyond the end of a process.
        ObservatoryError: as `service_on` and `opened`.
    """
    async with service_on(settings) as client:
        if client is not None:
            yield client
            return
    if settings.storage.backend == "memory":
        raise CycloptsError(
            msg=f"{problem} here: with storage 'memory' they live in the memory of the process that made them, and no "
            "service runs on this root that could be asked; start one with `observatory serve`, or set "
            "`[storage] backend` to one that lasts"
        )
    async with opened(settings, recover=()) as observatory:
        yield EmbeddedClient(observatory)
