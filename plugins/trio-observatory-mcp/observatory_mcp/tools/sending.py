"""Tools that send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observatory import InvalidInputError, Message, ObservatoryError, Receipt, UnknownMessageError
from observatory_mcp.desk import Call, Desk
from observatory_mcp.values import Broadcast, NotSent, Sent

_PAGE = 200
"""Messages that are asked for at a time."""


async def send_message(
    to: str,
    content: str,
    type: str = "text",
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    expires_in: float | None = None,
    *,
    call: Call,
) -> Sent:
    """Send a message to another agent. You are its sender.

    Args:
        to: Who it is for: 1 to 128 characters of `A-Z a-z 0-9 . _ @ + -`.
        content: The text, at most 1 MiB.
        type: What kind of message it is.
        metadata: A JSON object that goes with it.
        idempotency_key: Of several messages with the same key and content only one is sent; use it to try again.
        expires_in: Seconds after which it is not worth reading any more.
    """
    receipt = await call.desk.client.mailbox.send_message(
        to,
        call.desk.agent,
        content,
        type=type,
        metadata=metadata,
        idempotency_key=idempotency_key,
        expires_in=expires_in,
    )
    return _sent(receipt)


async def broadcast_message(
    to: list[str], content: str, type: str = "text", metadata: Mapping[str, Any] | None = None, *, call: Call
) -> Broadcast:
    """Send a copy of a message to each of several agents. You are its sender.

    Args:
        to: Who it is for, each once.
        content: The text, at most 1 MiB.
        type: What kind of message it is.
        metadata: A JSON object that goes with it.
    """
    broadcast = call.desk.client.mailbox.broadcast_to_many
    try:
        results = await broadcast(to, call.desk.agent, content, type=type, metadata=metadata)
    except InvalidInputError as error:
        field = "to" if error.field.removeprefix("params.") == "names" else error.field  # as they are called there
        raise InvalidInputError(field, error.reason) from error
    sent = [_sent(result) for result in results if isinstance(result, Receipt)]
    failed = [
        NotSent(name, str(result))
        for name, result in zip(to, results, strict=True)
        if isinstance(result, ObservatoryError)
    ]
    return Broadcast(tuple(sent), tuple(failed))


async def reply_message(
    message_id: str, content: str, type: str = "text", metadata: Mapping[str, Any] | None = None, *, call: Call
) -> Sent:
    """Answer a message that you were sent; its sender sees to which one the answer belongs.

    Args:
        message_id: The message's id, as `check_inbox` returns it.
        content: The text, at most 1 MiB.
        type: What kind of message it is.
        metadata: A JSON object that goes with it.
    """
    message = await _own_message(call.desk, message_id)
    return _sent(await call.desk.client.mailbox.reply(message, content, type=type, metadata=metadata))


async def _own_message(desk: Desk, id: str) -> Message:
    """Find a message in the agent's mailbox.

    Raises:
        UnknownMessageError: it is not there.
    """
    before: str | None = None
    while page := await desk.client.mailbox.get_messages(desk.agent, limit=_PAGE, before=before):
        for message in page:
            if message.id == id:
                return message
        before = page[-1].id
    raise UnknownMessageError(desk.agent, id)


def _sent(receipt: Receipt) -> Sent:
    message = receipt.message
    deliveries = {channel: delivery.state for channel, delivery in receipt.deliveries.items()}
    return Sent(message.id, message.to, message.timestamp, receipt.duplicate, deliveries, _doubt_about(receipt))


def _doubt_about(receipt: Receipt) -> str | None:
    if receipt.nearest is None:
        return None
    meant = (
        f"; did you mean {' or '.join(receipt.nearest)}?" if receipt.nearest else "; `list_agents` lists those known"
    )
    return f"nobody has heard of {receipt.message.to} here{meant}"
