"""How long to wait before trying again: doubling, bounded, with jitter so that many do not try at once."""

from __future__ import annotations

import random


def backoff(attempt: int, *, first: float, longest: float, chance: random.Random) -> float:
    """Return the seconds to wait after the `attempt`-th failure, counted from 1.

    The doubled delay is an upper bound; what is returned lies between its half and itself.
    """
    ceiling = min(first * 2 ** min(attempt - 1, 62), longest)
    return float(ceiling * chance.uniform(0.5, 1.0))
