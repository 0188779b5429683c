"""What can be asked of mailboxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from observatory import Context, InvalidInputError, Mailbox, Message, ObservatoryError, Receipt
from observatory_websocket.bounds import AT_ONCE, copies
from observatory_websocket.server.answers import Check, Figures, Page, acknowledged, check_of, figures_of, page_of
from observatory_websocket.server.caller import Caller
from observatory_websocket.settings import DOOR


class Mailboxes:
    """The methods that begin with `mailbox.`.

    Args:
        context: what the service was handed.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return them by the names that they have on the wire."""
        return {
            "mailbox.send": self.send,
            "mailbox.broadcast": self.broadcast,
            "mailbox.request": self.request,
            "mailbox.receive": self.receive,
            "mailbox.listen": self.listen,
            "mailbox.unlisten": self.unlisten,
            "mailbox.messages": self.messages,
            "mailbox.check": self.check,
            "mailbox.acknowledge": self.acknowledge,
            "mailbox.clear": self.clear,
            "mailbox.stats": self.stats,
        }

    @property
    def _mailbox(self) -> Mailbox:
        return self._context.module(Mailbox)

    async def send(
        self,
        to: str,
        content: str,
        from_: str | None = None,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        require: Sequence[str] = (),
        expires_in: float | None = None,
        idempotency_key: str | None = None,
        caller: Caller,
    ) -> Receipt:
        """Send one message; by default in the name of the connection's identity."""
        return await self._mailbox.send_message(
            to,
            caller.acts_as(from_, "from"),
            content,
            type=type,
            metadata=metadata,
            require=require,
            expires_in=expires_in,
            idempotency_key=idempotency_key,
            verified=caller.identity.verified,
        )

    async def broadcast(
        self,
        names: Sequence[str],
        content: str,
        from_: str | None = None,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        caller: Caller,
    ) -> list[Receipt | ObservatoryError]:
        """Send independent copies to up to 1,000 recipients; a receipt or an error for each, in the order given."""
        sender, verified = caller.acts_as(from_, "from"), caller.identity.verified
        _check_at_most(copies(content, metadata), "names", names, "in one request that sends this much")
        return await self._mailbox.broadcast_to_many(
            names, sender, content, type=type, metadata=metadata, verified=verified
        )

    async def request(
        self,
        to: str,
        content: str,
        from_: str | None = None,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        caller: Caller,
    ) -> Message:
        """Send a message, wait for the reply to it, and acknowledge that."""
        sender, verified = caller.acts_as(from_, "from"), caller.identity.verified
        return await self._mailbox.request(to, sender, content, type=type, metadata=metadata, verified=verified)

    async def receive(self, agent: str | None = None, *, after: str | None = None, caller: Caller) -> Message:
        """Wait for an agent's oldest unread message; it stays unread until it is acknowledged."""
        return await self._mailbox.receive(caller.acts_as(agent, "agent"), after=after)

    def listen(self, agent: str | None = None, *, caller: Caller) -> bool:
        """Have an agent's mail brought over this connection as it is delivered; return False where nobody brings it.

        Each message is a notification `mailbox.delivered`, its acknowledgement `mailbox.retracted`; where some could
        not be brought, `mailbox.dropped` says how many. What was unread before is listed by `mailbox.check`.
        """
        caller.listening.begin(caller.acts_as(agent, "agent"))
        observatory = self._context.observatory
        return observatory is not None and DOOR in observatory.statistics().lanes

    def unlisten(self, agent: str | None = None, *, caller: Caller) -> bool:
        """Have it no more; return whether it was had."""
        return caller.listening.end(caller.acts_as(agent, "agent"))

    def messages(self, agent: str, *, limit: int = 100, before: str | None = None, unread_only: bool = False) -> Page:
        """List an agent's messages, newest first, as many as an answer holds; `more` says whether older ones follow."""
        return page_of(self._mailbox, agent, limit=limit, before=before, unread_only=unread_only)

    def check(self, agent: str, *, max_chars: int = 10_000) -> Check:
        """List an agent's unread messages, newest first, within so many characters; of the rest, who wrote and when."""
        return check_of(self._mailbox, agent, max_chars=max_chars)

    async def acknowledge(self, agent: str, ids: Sequence[str], *, caller: Caller) -> Page:
        """Acknowledge up to 1,000 messages: they are read from now on, and delivery channels take them back.

        The answer has as many of them as it holds; acknowledged again, the others are in the next one.
        """
        owner = caller.acts_as(agent, "agent")
        _check_at_most(AT_ONCE, "ids", ids, "in one request")
        return acknowledged(await self._mailbox.mark_read(owner, *ids))

    async def clear(self, agent: str, *, caller: Caller) -> int:
        """Remove every message of a mailbox, unread ones included; return how many there were."""
        return await self._mailbox.clear_messages(caller.acts_as(agent, "agent"))

    def stats(self, agent: str | None = None, *, after: str = "") -> Figures:
        """Return the figures of one mailbox, or of each that is not empty, by name, and of all together."""
        mailbox = self._mailbox
        boxes = mailbox.get_stats() if agent is None else {agent: mailbox.agent_stats(agent)}
        return figures_of(boxes, mailbox.statistics(), after)


def _check_at_most(most: int, parameter: str, values: Sequence[str], where: str) -> None:
    if len(values) > most:
        raise InvalidInputError(f"params.{parameter}", f"has {len(values):,}; at most {most:,} are allowed {where}")
