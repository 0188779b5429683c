"""What is worth remembering of an agent while the swarm runs: an ephemeral module."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

import attrs
import trio

from observatory import ClosedError, Context, InvalidInputError, Module

TOPIC = "agent-notes:update"
"""Where every new `AgentNote` is published."""

MAX_AGENTS = 1_000
"""Agents with notes; beyond, the one that was annotated first goes."""

MAX_NOTES = 20
"""Notes kept of one agent; beyond, its oldest goes."""

MAX_TEXT = 1_000
"""Characters of a note."""

_MAX_WAITING = 100


@attrs.frozen
class AgentNote:
    """A note on an agent."""

    agent: str
    """The agent's name."""
    text: str
    """What there is to say."""
    timestamp: datetime
    """When it was written: aware, UTC."""


class _Request:
    """A note that is to be written, and the task that waits for it."""

    def __init__(self, note: AgentNote) -> None:
        self.note = note
        self.withdrawn = False  # whoever has asked has given up
        self.refused = False  # Observatory is closing: it will not be written
        self.done = trio.Event()


class AgentNotes(Module):
    """The latest notes on each agent, published on topic `agent-notes:update`.

    Args:
        context: what every module is handed.
    """

    exposes: ClassVar[Collection[str]] = ("annotate", "notes_for")

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._pubsub = context.pubsub
        self._table: dict[str, deque[AgentNote]] = {}
        self._requests_in, self._requests = trio.open_memory_channel[_Request](_MAX_WAITING)

    async def annotate(self, agent: str, text: str) -> AgentNote:
        """Write a note on an agent. Cancelled before its turn has come, it is not written.

        Args:
            agent: the agent's name, not empty.
            text: 1 to 1,000 characters.

        Raises:
            InvalidInputError: an argument is not allowed.
            ClosedError: Observatory is closing.
        """
        _check(agent, text)
        if self._pubsub.closed:
            raise ClosedError("this Observatory is closing; notes are not written any more")
        request = _Request(AgentNote(agent, text, self._clock.now()))
        await self._requests_in.send(request)
        try:
            await request.done.wait()
        except trio.Cancelled:
            request.withdrawn = True
            raise
        if request.refused:
            raise ClosedError("this Observatory was closed before its turn came; nothing was written")
        return request.note

    def notes_for(self, agent: str) -> tuple[AgentNote, ...]:
        """Return the notes on an agent, newest first."""
        return tuple(reversed(self._table.get(agent, ())))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write notes until cancelled: the only task that changes the table."""
        task_status.started()
        try:
            while True:
                request = await self._requests.receive()
                if not request.withdrawn:
                    self._write(request.note)
                request.done.set()
        except trio.Cancelled:
            self._refuse_waiting()
            raise

    def _refuse_waiting(self) -> None:
        """Let everybody go who waits: nobody will serve them any more."""
        while self._requests.statistics().current_buffer_used:
            request = self._requests.receive_nowait()
            request.refused = True
            request.done.set()

    def _write(self, note: AgentNote) -> None:
        if note.agent not in self._table and len(self._table) == MAX_AGENTS:
            del self._table[next(iter(self._table))]
        self._table.setdefault(note.agent, deque(maxlen=MAX_NOTES)).append(note)
        self._pubsub.publish(TOPIC, note, size=len(note.text))


def _check(agent: object, text: object) -> None:
    if not isinstance(agent, str) or not agent:
        raise InvalidInputError("agent", "the name of an agent is needed: a string that is not empty")
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise InvalidInputError("text", f"1 to {MAX_TEXT:,} characters are allowed")
