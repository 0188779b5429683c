"""A delivery channel that keeps messages and may not let them go, and what storage knows of that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, ClassVar

import pytest
import trio

from observatory import Adopt, Failed, Gone, Job, Outcome, Retracting, Retraction, StorageBackend
from observatory.testing import RecordingChannel


class StubbornFolder(RecordingChannel):
    """Keeps messages for the next Observatory; takes none back while it is stubborn, and stands still while stuck."""

    recovers: ClassVar[bool] = True
    watches = True

    def __init__(self) -> None:
        super().__init__()
        self.stubborn = self.stuck = False
        self.adopt: Adopt

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Carry out what it likes to."""
        if self.stuck:
            await trio.sleep_forever()
        refused = [self.stubborn and isinstance(job, Retraction) for job in batch]
        outcomes = iter(await super().deliver([job for job, no in zip(batch, refused, strict=True) if not no]))
        return [Failed("planned by the test") if no else next(outcomes) for no in refused]

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Hand over what is there."""
        await adopt([message for message in self.delivered if agents is None or message.to in agents])

    async def watch(
        self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep the callback for the test."""
        self.adopt = adopt
        task_status.started()
        await trio.sleep_forever()


@pytest.fixture
def folder() -> StubbornFolder:
    """Return a delivery channel that keeps messages for the next Observatory."""
    return StubbornFolder()


@pytest.fixture
def retracting() -> Callable[[StorageBackend], Awaitable[list[Retracting]]]:
    """Return what tells which messages storage knows to be taken back."""

    async def retracting(storage: StorageBackend) -> list[Retracting]:
        stored: list[Any] = []
        await storage.replay(stored.extend)
        return [each for each in stored if isinstance(each, Retracting)]

    return retracting
