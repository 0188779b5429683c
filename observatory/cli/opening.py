"""An Observatory for the time of one command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from cyclopts import CycloptsError

from observatory import Observatory, ObservatoryError, Settings, open_observatory
from observatory.cli.output import counted

INBOX = "inbox"
"""The delivery channel whose files one process leaves and the next one finds."""


@asynccontextmanager
async def opened(
    settings: Settings, *, recover: Collection[str] | None = None, services: bool = False
) -> AsyncIterator[Observatory]:
    """Open an Observatory, and see at the end that everything was delivered.

    Raises:
        ObservatoryError: something could not be delivered; and what `open_observatory` raises.
    """
    async with open_observatory(settings, recover=recover, services=services) as observatory:
        yield observatory
    if observatory.undelivered:
        count = counted(observatory.undelivered, "delivery", "deliveries")
        raise ObservatoryError(f"{count} could not be made before the end")


@asynccontextmanager
async def opened_on_files(settings: Settings, *, recover: Collection[str] | None) -> AsyncIterator[Observatory]:
    """Open an Observatory that sees what earlier processes left, and leaves something for later ones.

    Raises:
        CycloptsError: there is nothing here that keeps messages beyond the end of a process.
        ObservatoryError: as `opened`.
    """
    async with opened(settings, recover=recover) as observatory:
        if INBOX not in observatory.statistics().lanes and settings.storage.backend == "memory":
            raise CycloptsError(
                msg="cannot be done here: the delivery channel 'inbox' is not loaded and storage 'memory' keeps "
                "nothing, so messages live in the memory of one process; `observatory plugins` says what is loaded"
            )
        yield observatory
