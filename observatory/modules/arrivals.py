"""Tasks that wait for a message to arrive, and are woken when it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from observatory.errors import ClosedError
from observatory.messages import Message

IN_REPLY_TO = "in_reply_to"
"""Key in a reply's metadata: the id of the message it answers."""


class Reply:
    """A reply that somebody waits for."""

    def __init__(self, asker: str) -> None:
        self.asker = asker
        self.message: Message | None = None
        self._arrived = trio.Event()

    def deliver(self, message: Message) -> None:
        """Hand over the reply; a second one is an ordinary message."""
        if self.message is None:
            self.message = message
            self._arrived.set()

    def close(self) -> None:
        """Let the waiting task go without a reply."""
        self._arrived.set()

    async def wait(self) -> Message:
        """Wait for the reply.

        Raises:
            ClosedError: when there will be none.
        """
        await self._arrived.wait()
        if self.message is None:
            raise ClosedError("this Observatory is closing; the reply has not come")
        return self.message


class Arrivals:
    """Who waits for what."""

    def __init__(self) -> None:
        self._mailboxes: dict[str, trio.Event] = {}
        self._replies: dict[str, Reply] = {}
        self.closed = False
        self.announced = 0
        """Messages that have arrived since the start."""

    def announce(self, message: Message) -> None:
        """Wake whoever waits for this message."""
        self.announced += 1
        if self._mailboxes:
            event = self._mailboxes.pop(message.to, None)
            if event is not None:
                event.set()
        if self._replies:
            question = message.metadata.get(IN_REPLY_TO)  # any JSON: whoever sends it decides
            reply = self._replies.get(question) if isinstance(question, str) else None
            if reply is not None and reply.asker == message.to:
                reply.deliver(message)

    async def wait(self, agent: str) -> None:
        """Wait until a message has arrived for an agent.

        Raises:
            ClosedError: when none will.
        """
        if self.closed:
            raise ClosedError("this Observatory is closing; no message will come")
        event = self._mailboxes.setdefault(agent, trio.Event())
        try:
            await event.wait()
        finally:
            if not event.statistics().tasks_waiting and self._mailboxes.get(agent) is event:
                del self._mailboxes[agent]

    @contextmanager
    def reply_to(self, message_id: str, asker: str) -> Iterator[Reply]:
        """Expect a reply to a message that is about to be sent."""
        reply = self._replies[message_id] = Reply(asker)
        try:
            yield reply
        finally:
            del self._replies[message_id]

    def close(self) -> None:
        """Let everybody go."""
        self.closed = True
        for event in self._mailboxes.values():
            event.set()
        self._mailboxes.clear()
        for reply in self._replies.values():
            reply.close()
