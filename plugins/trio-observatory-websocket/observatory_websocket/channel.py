"""The delivery channel: an agent's mail, to its own connections."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from observatory import Context, DeliveryChannel, Done, Dropped, Failed, Job, Outcome, Post, Skipped
from observatory_websocket.server.listening import Listeners, notification
from observatory_websocket.server.service import WebSocketService
from observatory_websocket.settings import DOOR

_SENT = Done("sent")


class WebSocketChannel(DeliveryChannel):
    """Brings each message to those of its recipient's connections that listen for it (`mailbox.listen`).

    A receipt says `sent` when at least one has it, and `dropped` when none listens.

    Args:
        context: what every delivery channel is handed.
    """

    def __init__(self, context: Context) -> None:
        self._services = context.services

    @property
    def listeners(self) -> Listeners:
        """Who listens: nobody where no service runs."""
        service = self._services.get(DOOR)
        return service.listeners if isinstance(service, WebSocketService) else Listeners()

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Hand each job to whoever listens; nobody is waited for."""
        await trio.lowlevel.checkpoint()
        listeners = self.listeners
        failed: dict[str, Failed] = {}
        return [self._carry_out(job, listeners, failed) for job in batch]

    def _carry_out(self, job: Job, listeners: Listeners, failed: dict[str, Failed]) -> Outcome:
        if isinstance(job, Dropped):
            for listener in listeners.all():
                listener.put(notification("mailbox.dropped", {"count": job.count}))
            return _SENT
        to = job.message.to if isinstance(job, Post) else job.to
        if to in failed:
            return failed[to]
        there = listeners.of(to)
        if not there:
            return Skipped(f"no connection listens for the mail of {to!r}") if isinstance(job, Post) else _SENT
        if isinstance(job, Post):
            frame = notification("mailbox.delivered", {"message": job.message, "sequence": job.sequence})
        else:
            frame = notification("mailbox.retracted", {"to": to, "id": job.id})
        taken = [listener.put(frame) for listener in there]
        if any(taken):
            return _SENT
        failed[to] = Failed(f"the connections of {to!r} do not read fast enough")
        return failed[to]
