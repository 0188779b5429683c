"""Checks that are asked again and again while an Observatory is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import trio

from observatory.checks import Check, Finding
from observatory.errors import ObservatoryError, one_line


class Rounds:
    """Asks one check in its time.

    Args:
        name: the check's.
        check: the check.
        interval: seconds between two rounds.
        tell: takes the name, and what was found.
    """

    def __init__(
        self, name: str, check: Check, interval: float, tell: Callable[[str, Sequence[Finding]], None]
    ) -> None:
        self._name = name
        self._check = check
        self._interval = interval
        self._tell = tell

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Ask until cancelled; the first time at once."""
        task_status.started()
        while True:
            try:
                found = await self._check.run()
            except (ObservatoryError, OSError) as error:
                problem = f"could not look: {one_line(error)}"
                found = [Finding(f"check {self._name}", problem, "put that right; it is asked again by itself")]
            self._tell(self._name, found)
            await trio.sleep(self._interval)


def rounds_of(checks: Mapping[str, Check], tell: Callable[[str, Sequence[Finding]], None]) -> dict[str, Rounds]:
    """Return rounds for those of several checks that have an interval; arguments as of `Rounds`."""
    in_time = {name: (check, check.interval) for name, check in checks.items()}
    return {
        name: Rounds(name, check, interval, tell) for name, (check, interval) in in_time.items() if interval is not None
    }
