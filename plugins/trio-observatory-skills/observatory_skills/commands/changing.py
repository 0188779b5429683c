"""`observatory skills reload` and `watch`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from observatory import from_wire, to_wire
from observatory.commands import OK, ListingOptions, note, print_json, running_service, service_on
from observatory_skills.commands.reaching import There, running
from observatory_skills.values import SkillsUpdate

_TOPIC = "skills:update"


async def reload(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """Let the service that runs look at all skills again, and print what has become different.

    Args:
        options: Of which root.
    """
    async with running_service(options.settings()) as client:
        update = await There(client).reload()
    _print(update, json=options.json)
    if not (update.added or update.changed or update.removed):
        note("nothing has changed")
    return OK


async def watch(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """Print which skills are added, changed and removed, as it happens, until Ctrl-C.

    Args:
        options: Of which root.
    """
    async with _events(options) as events:
        note("watching; Ctrl-C ends it")
        async for event in events:
            payload = event.payload
            update = payload if isinstance(payload, SkillsUpdate) else from_wire(payload, SkillsUpdate)
            _print(update, json=options.json)
    return OK


@asynccontextmanager
async def _events(options: ListingOptions) -> AsyncIterator[Any]:
    settings = options.settings()
    async with service_on(settings, for_long=True) as client:
        if client is not None:
            async with await client.subscribe(_TOPIC) as events:
                yield events
            return
    async with running(settings) as registry:
        assert registry.pubsub is not None  # noqa: S101  # a service has one
        async with registry.pubsub.subscribe(_TOPIC) as events:
            yield events


def _print(update: SkillsUpdate, *, json: bool) -> None:
    if json:
        print_json(to_wire(update), flush=True)
        return
    for what in ("added", "changed", "removed"):
        for name in getattr(update, what):
            print(f"{what}\t{name}", flush=True)
