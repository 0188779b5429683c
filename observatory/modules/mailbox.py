"""Mailboxes: every message lands in the table, with every live subscriber, and with the delivery channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import trio

from observatory.abc import Context, Module, StorageBackend
from observatory.arguments import check_name
from observatory.delivery.dispatcher import Dispatcher
from observatory.errors import DeliveryError, ObservatoryError, UnknownMessageError
from observatory.messages import DeadLetter, MailboxTotals, Message, Receipt
from observatory.modules.arrivals import Arrivals
from observatory.modules.checks import check_channels, check_id, check_names, check_verified, size_of
from observatory.modules.composer import Composer, check_draft, expiry_of, key_of, mark_reply
from observatory.modules.keyed import KeyedSend
from observatory.modules.leaving import Leaving
from observatory.modules.recipients import Recipients
from observatory.modules.requests import Acknowledge, Broadcast, Clear, Send
from observatory.modules.running import Running
from observatory.modules.table import Table
from observatory.modules.upkeep import Resend
from observatory.modules.writer import Writer
from observatory.registrar import Registered
from observatory.settings import MailboxSettings

if TYPE_CHECKING:
    from observatory.modules.presence import Presence


class Mailbox(Running, Module):
    """The client API of the mailboxes, and the task that is the table's only writer.

    Args:
        context: what every module is handed.
        settings: the caps.
        storage: the log behind the table; started.
        dispatcher: the lanes.
        policies: what plugins have registered by name, asked on every send.
        recover: whose messages the delivery channels are asked for at the start; None for everybody's.
        presence: knows of whom was heard, and hears of those who send.
    """

    essential: ClassVar[bool] = True

    def __init__(
        self,
        context: Context,
        *,
        settings: MailboxSettings,
        storage: StorageBackend,
        dispatcher: Dispatcher,
        policies: Mapping[str, Registered],
        recover: Collection[str] | None,
        presence: Presence,
    ) -> None:
        leaving = Leaving(stored=storage.durability != "memory" and bool(dispatcher.recovering))
        table, arrivals = Table(settings, leaving), Arrivals()
        writer = Writer(
            table,
            settings=settings,
            storage=storage,
            dispatcher=dispatcher,
            recover=recover,
            pubsub=context.pubsub,
            arrivals=arrivals,
            clock=context.clock,
        )
        super().__init__(table, arrivals, context.clock, presence, writer)
        self._recipients = Recipients(presence, settings)
        self._dispatcher = dispatcher
        self._resending = trio.Lock()
        self.durability = storage.durability
        """What the storage backend promises for what is committed."""
        self._composer = Composer(policies, context.clock)

    async def send_message(
        self,
        to: str,
        from_: str,
        content: str,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        require: Iterable[str] = (),
        expires_in: float | None = None,
        idempotency_key: str | None = None,
        verified: bool = False,
    ) -> Receipt:
        """Send one message.

        It returns after the first outcome of the required delivery channels. Cancelled before the commit, nothing
        has happened; after it, the message stands.

        Args:
            to: the recipient, 1 to 128 characters of `A-Z a-z 0-9 . _ @ + -`, no dot at the start.
            from_: the sender, of the same form.
            content: the text, at most 1 MiB in UTF-8.
            type: what kind of message it is, 1 to 128 printable characters.
            metadata: a JSON object, at most 256 KiB.
            require: delivery channels that must have delivered.
            expires_in: seconds after which it leaves the mailbox, if nobody has acknowledged it, and is a dead letter.
            idempotency_key: 1 to 255 characters. The same sender's same key sends the same message once within 24
                hours, and gives the first receipt again.
            verified: whether whoever calls has made sure that the sender is who it says, as doors do that know their
                clients. The event and the receipt say it, the message does not.

        Raises:
            InvalidInputError: an argument is not allowed.
            PolicyRefusedError, PluginError: a policy does not admit it, or returns no draft.
            MailboxFullError: there is no room, and nothing that may go.
            StorageError: it could not be committed. In all these cases nothing has happened.
            OutcomeUnknownError: the Mailbox's task died with it in hand.
            DeliveryError: it is committed, but a channel in `require` did not deliver; it carries the receipt.
            IdempotencyError: the key was used for something else.
            UnknownNameError: `require` names a delivery channel that there is not.
            UnknownRecipientError: nobody has heard of the recipient, and the settings say that such are refused.
            ClosedError: Observatory is closing.
        """
        check_verified(verified)
        required = check_channels(require)
        awaited = self._dispatcher.await_also(required)
        if self._recipients.looks:
            await self._recipients.look()
        message, size = self._composer.compose(to, from_, content, type, metadata)
        nearest = self._recipients.note(message)
        expires_at = None if expires_in is None else expiry_of(message, expires_in)
        if idempotency_key is None:
            self._recipients.admit(message, nearest)
            receipt = await self._writer.submit(Send(message, size, awaited, expires_at, None, verified, nearest))
        else:
            key = key_of(from_, idempotency_key, to, content, type, metadata)
            admit = partial(self._recipients.admit, message, nearest)  # what was sent before was admitted then
            send = KeyedSend(
                message, size, awaited, expires_at, key, verified, nearest, admit, self._dispatcher, self.durability
            )
            receipt = await self._writer.submit(send)
        if required:
            missed = tuple(name for name in required if receipt.deliveries[name].state not in ("written", "sent"))
            if missed:
                raise DeliveryError(receipt, missed)
        return receipt

    async def resend(self, letter: DeadLetter) -> bool:
        """Send a message that has expired again: as a new one, which does not expire.

        Returns:
            False when somebody else has done so already.

        Raises:
            What `send_message` raises.
        """
        required, letters = self._dispatcher.required, self._dispatcher.dead_letters
        async with self._resending:  # of two at the same time the second one must see what the first one has done
            message = self._composer.renew(letter.message)
            try:
                await self._writer.submit(Resend(message, size_of(message), required, letter.message.id, letters))
            except UnknownMessageError:
                return False
        return True

    async def broadcast_to_many(
        self,
        names: Iterable[str],
        from_: str,
        content: str,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        verified: bool = False,
    ) -> list[Receipt | ObservatoryError]:
        """Send independent copies to many recipients, in one commit.

        `verified` is as in `send_message`, here and below.

        Returns:
            In the order given, a receipt or an error for each: one full mailbox does not keep the others from theirs.

        Raises:
            InvalidInputError: a name stands twice, there are more than 10,000, or what goes to all is not allowed.
            StorageError: it could not be committed; nothing has happened.
            OutcomeUnknownError: the Mailbox's task died with it in hand.
            ClosedError: Observatory is closing.
        """
        check_verified(verified)
        recipients = check_names(names)
        check_draft(from_, content, type, metadata)
        if self._recipients.looks:
            await self._recipients.look()
        composed = self._composer.compose_each(recipients, from_, content, type, metadata)
        outcomes: list[Any] = [self._recipients.addressed(outcome) for outcome in composed]
        drafts = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
        if not drafts:
            await trio.lowlevel.checkpoint()
            return outcomes
        receipts = await self._writer.submit(Broadcast(drafts, self._dispatcher.required, verified))
        results = iter(receipts)
        return [next(results) if isinstance(outcome, tuple) else outcome for outcome in outcomes]

    async def request(
        self,
        to: str,
        from_: str,
        content: str,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        verified: bool = False,
    ) -> Message:
        """Send a message, wait for the reply to it, and acknowledge that.

        Cancelled while waiting, the question stands, and a reply that comes later is an ordinary unread message.

        Raises:
            ClosedError: Observatory is closing, and the reply has not come; and what `send_message` raises.
        """
        check_verified(verified)
        if self._recipients.looks:
            await self._recipients.look()
        question, size = self._composer.compose(to, from_, content, type, metadata)
        self._recipients.admit(question, self._recipients.note(question))
        asker = question.from_
        with self._arrivals.reply_to(question.id, asker) as reply:
            await self._writer.submit(Send(question, size, self._dispatcher.required, verified=verified))
            answer = await reply.wait()
        try:
            return (await self.mark_read(asker, answer.id))[0]
        except UnknownMessageError:
            return answer  # it has come, and somebody has cleared the mailbox since

    async def reply(
        self,
        message: Message,
        content: str,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        verified: bool = False,
    ) -> Receipt:
        """Answer a message: from its recipient to its sender, with its id as `in_reply_to` in the metadata.

        Raises:
            What `send_message` raises.
        """
        marked = mark_reply(message, metadata)
        return await self.send_message(
            message.from_, message.to, content, type=type, metadata=marked, verified=verified
        )

    async def mark_read(self, agent: str, *ids: str) -> tuple[Message, ...]:
        """Acknowledge messages: they are read from now on, and delivery channels take them back.

        Acknowledging twice is no error.

        Returns:
            The messages, in the order given.

        Raises:
            InvalidInputError: an argument is not allowed.
            UnknownMessageError: the mailbox does not hold one of them; then none is acknowledged.
            StorageError: it could not be committed; nothing has happened.
            OutcomeUnknownError: the Mailbox's task died with it in hand.
            ClosedError: Observatory is closing.
        """
        check_name("agent", agent)
        for id in ids:
            check_id("ids", id)
        acknowledged = await self._writer.submit(Acknowledge(agent, ids))
        self._presence.hear(agent, "message")
        return acknowledged

    async def clear_messages(self, agent: str) -> int:
        """Remove every message of a mailbox, unread ones included, and take them back from delivery channels.

        Returns:
            How many messages were removed.

        Raises:
            InvalidInputError: the name is not allowed.
            StorageError: it could not be committed; nothing has happened.
            OutcomeUnknownError: the Mailbox's task died with it in hand.
            ClosedError: Observatory is closing.
        """
        check_name("agent", agent)
        return await self._writer.submit(Clear(agent))

    def statistics(self) -> MailboxTotals:
        """Return the figures of all mailboxes together."""
        return self._table.totals(self._writer.left_behind, self._arrivals.announced)
