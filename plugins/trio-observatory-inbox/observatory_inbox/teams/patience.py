"""How long one batch may wait for locks that others hold."""

from __future__ import annotations

import time

_TOTAL = 0.05  # seconds
_STEP = 0.001


class Patience:
    """A bounded time of waiting, shared by everything in one batch: the lane behind it serves other recipients, too."""

    def __init__(self) -> None:
        self._left = _TOTAL

    def wait(self) -> bool:
        """Wait for a moment and return True, or return False when no time is left. Blocking."""
        if self._left <= 0:
            return False
        self._left -= _STEP
        time.sleep(_STEP)
        return True
