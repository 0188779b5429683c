"""News of changes, which come in bursts."""

from __future__ import annotations

import trio

QUIET = 0.1
"""Seconds without news after which a burst is over."""
LONGEST = 1.0
"""Seconds after which it counts as over, even if it goes on."""


class News:
    """Gathers news."""

    def __init__(self) -> None:
        self._heard = trio.Event()

    def hear(self) -> None:
        """Hear of a change."""
        self._heard.set()

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
