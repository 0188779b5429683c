"""Being told of changes by a source of tasks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import trio

from observatory.errors import SwarmSourceError, one_line
from observatory.swarm.source import SwarmSource

POLL = 3.0
"""Seconds between two looks at what nobody has told of."""

_PAUSE = 30.0  # seconds after which what tells of changes is tried again when it has failed

_log = logging.getLogger("observatory.swarm")


class Watch:
    """Has a source tell of changes; of other places when there are others, and again when it has failed.

    Args:
        source: where tasks are kept.
        tell: called when something may have changed.
    """

    def __init__(self, source: SwarmSource, tell: Callable[[], None]) -> None:
        self._source = source
        self._tell = tell
        self._places: frozenset[str] = frozenset()
        self._others = trio.Event()  # there are others to be watched

    def follow(self, places: Iterable[str]) -> None:
        """Say which places are to be watched from now on."""
        before, self._places = self._places, frozenset(places)
        if self._places != before:
            self._others.set()

    async def run(self) -> None:
        """Watch them, until cancelled."""
        while True:
            self._others = trio.Event()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._source.watch, self._places, self._tell)
                    await self._others.wait()
                    nursery.cancel_scope.cancel()
            except* SwarmSourceError as group:
                _log.info("the swarm is looked at every %g s: %s", POLL, one_line(group))
                await trio.sleep(_PAUSE)
