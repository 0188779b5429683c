"""`observatory tail`: what happens, as it happens."""

from __future__ import annotations

import os
import stat
import sys
from typing import Annotated

import trio
from cyclopts import Parameter

from observatory import ClientSubscription, InvalidInputError
from observatory.cli.events import EventPrinter
from observatory.cli.options import ListingOptions
from observatory.cli.output import note
from observatory.cli.reaching import in_time, running_service

_EVERYTHING = ("agent:*", "notes:*", "health:*", "session:*", "presence:*")


async def tail(
    *topics: Annotated[str, Parameter()],
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> None:
    """Follow what is published, until Ctrl-C.

    On a terminal a line for each event says when, who, and what; one whose sender is verified has a check mark.
    Elsewhere the cells have tabs between: time, topic, kind, sender, text. The time is that of a message or a note, and
    of anything else when it came here. When the service is started again it goes on with what was missed, or says that
    something is missing.

    Args:
        topics: Such as `agent:bob`, or `agent:*` for all that begin so; by default messages, notes, health,
            responses, presence.
        options: Of which root.
    """
    for topic in topics:
        _check(topic)
    settings = options.settings()
    async with running_service(settings, for_long=True) as client, trio.open_nursery() as nursery:
        subscriptions = [await in_time(client.subscribe, topic) for topic in dict.fromkeys(topics or _EVERYTHING)]
        note(f"following {', '.join(one.topic for one in subscriptions)}; Ctrl-C ends")
        nursery.start_soon(_end_with_the_reader)
        printer = EventPrinter(json=options.json)
        for subscription in subscriptions:
            nursery.start_soon(_follow, subscription, printer)


def _check(topic: str) -> None:
    """Check that something can come of a topic: to pub/sub `agent:bo*` is one like any other, on which nobody speaks.

    Raises:
        InvalidInputError: it is meant as a pattern, and is none.
    """
    if "*" in topic.removesuffix(":*"):
        pattern = "a pattern is the beginning of a topic up to a colon, and then `*`, such as `agent:*`"
        raise InvalidInputError("topic", f"{topic!r:.80} is not allowed: {pattern}")


async def _follow(subscription: ClientSubscription, printer: EventPrinter) -> None:
    epoch: str | None = None
    async for event in subscription:
        printer.print(event, first=event.epoch != epoch)
        epoch = event.epoch


async def _end_with_the_reader() -> None:
    """End when nobody reads the pipe that we write to, though nothing may happen that could be written.

    Raises:
        BrokenPipeError: that is so.
    """
    if sys.stdout is not None and stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
        await trio.lowlevel.wait_readable(sys.stdout.fileno())  # never readable, but woken by the error
        raise BrokenPipeError
