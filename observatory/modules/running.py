"""Running the mailboxes: what nobody but Observatory itself asks of the Mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import trio

from observatory.arguments import is_name
from observatory.clock import Clock
from observatory.errors import ClosedError
from observatory.messages import Message
from observatory.modules.arrivals import Arrivals
from observatory.modules.foreign import Taken
from observatory.modules.reading import Reading
from observatory.modules.table import Table
from observatory.modules.writer import Writer

if TYPE_CHECKING:
    from observatory.modules.presence import Presence


class Running(Reading):
    """The part of the Mailbox that runs its task, and hands it what other processes have done.

    Args:
        table: what is read.
        arrivals: tells of new messages.
        clock: tells how old they are.
        presence: is told whose messages come, and who takes them.
        writer: serves requests.
    """

    def __init__(self, table: Table, arrivals: Arrivals, clock: Clock, presence: Presence, writer: Writer) -> None:
        super().__init__(table, arrivals, clock, presence)
        self._writer = writer

    async def run(  # noqa: ASYNC128 -- the writer says that it has started
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Fill the table, then serve requests until cancelled."""
        await self._writer.run(task_status=task_status)

    def end(self) -> None:
        """Let everybody go who waits; it will not run again."""
        self._arrivals.close()
        self._writer.end()

    async def adopt(self, messages: Sequence[Message], origin: str) -> None:
        """Take messages in that another process on this root has delivered; those that are known are ignored.

        While Observatory is closing they stay where they are, for the next start.

        Args:
            messages: as they were found.
            origin: the delivery channel that has found them.

        Raises:
            StorageError: it could not be committed; nothing has happened.
            OutcomeUnknownError: the Mailbox's task died with it in hand.
        """
        now = self._clock.now()  # theirs may be ahead
        for message in messages:
            if is_name(message.from_):  # before anybody can get it, and answer
                self._presence.known.hear(message.from_, "message", _earlier(message.timestamp, now))
        with suppress(ClosedError):
            await self._writer.adopt(messages, origin)

    async def taken(self, agent: str, ids: Sequence[str]) -> None:
        """Acknowledge messages that their recipient has taken; what is unknown, or read already, is ignored.

        Raises:
            StorageError: it could not be committed; nothing has happened.
            OutcomeUnknownError: the Mailbox's task died with it in hand.
        """
        with suppress(ClosedError):
            await self._writer.submit(Taken(agent, ids))
            self._presence.hear(agent, "message")

    async def record(self) -> None:
        """Let storage know what has become of deliveries; done every second, and at the end.

        Raises:
            StorageError: it could not be committed.
        """
        await self._writer.record()

    async def close(self) -> None:
        """Refuse new requests, and wait until those that were accepted are served."""
        self._arrivals.close()
        await self._writer.close()


def _earlier(moment: object, now: datetime) -> datetime:
    """Return when something was, and for what is no time, or is to come, now."""
    return min(moment, now) if isinstance(moment, datetime) and moment.tzinfo else now
