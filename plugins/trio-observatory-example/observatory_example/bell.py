"""A bell for agents that are shell scripts: an empty file for each message that waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import trio

from observatory import Context, DeliveryChannel, Done, Dropped, Failed, Job, Outcome, Post

_RUNG = Done("written", "flushed")


class BellChannel(DeliveryChannel):
    """Makes `{root}/bell/{to}/{id}` for each message, with nothing in it, and removes it once it is acknowledged.

    Args:
        context: what every delivery channel is handed.
    """

    def __init__(self, context: Context) -> None:
        self._folder = context.root / "bell"
        self._rung = 0

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Make and remove the files, in a worker thread: a task never blocks. A batch that has begun is finished."""
        return await trio.to_thread.run_sync(self._carry_out_all, batch)

    def statistics(self) -> Mapping[str, Any]:
        """Return how often the bell was rung."""
        return {"rung": self._rung}

    def _carry_out_all(self, batch: Sequence[Job]) -> list[Outcome]:
        failed: dict[str, Failed] = {}
        return [self._carry_out(job, failed) for job in batch]

    def _carry_out(self, job: Job, failed: dict[str, Failed]) -> Outcome:
        """Carry out one job, unless one of the same recipient has failed before it."""
        if isinstance(job, Dropped):
            return Done("written")  # the bell does not tell what is missing
        to, id = (job.message.to, job.message.id) if isinstance(job, Post) else (job.to, job.id)
        if to not in failed:
            try:
                return self._ring(to, id) if isinstance(job, Post) else self._silence(to, id)
            except OSError as error:
                failed[to] = Failed(f"{self._folder / to}: {error.strerror}")
        return failed[to]

    def _ring(self, to: str, id: str) -> Done:
        (self._folder / to).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path(to, id).touch(mode=0o600)  # what is empty cannot be half written, nor be there twice
        self._rung += 1
        return _RUNG

    def _silence(self, to: str, id: str) -> Done:
        self._path(to, id).unlink(missing_ok=True)
        return _RUNG

    def _path(self, to: str, id: str) -> Path:
        return self._folder / to / id
