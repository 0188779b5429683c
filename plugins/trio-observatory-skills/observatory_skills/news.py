"""News of changes, which come in bursts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import trio

QUIET = 0.1
"""Seconds without news after which a burst is over."""
LONGEST = 1.0
"""Seconds after which it counts as over, even if it goes on."""


class News:
    """Gathers news."""

    def __init__(self) -> None:
        self._heard = trio.Event()
        self._changed: dict[str, set[str] | None] = {}

    def hear(self, source: str, *paths: str) -> None:
        """Hear of a change, which may be anything where no paths are told."""
        known = self._changed.setdefault(source, set())
        self._changed[source] = None if known is None or not paths else known.union(paths)
        self._heard.set()

    def take(self) -> Mapping[str, Collection[str] | None]:
        """Return what has changed in which source since this was called last; None for anything."""
        changed, self._changed = self._changed, {}
        return changed

    async def wait(self) -> None:
        """Wait for a burst of news, and until it is over."""
        await self._heard.wait()
        with trio.move_on_after(LONGEST):
            while True:
                self._heard = trio.Event()
                with trio.move_on_after(QUIET) as rest:
                    await self._heard.wait()
                if rest.cancelled_caught:
                    break
        self._heard = trio.Event()
