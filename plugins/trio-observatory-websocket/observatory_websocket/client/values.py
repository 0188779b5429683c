"""What stands in JSON, as the library's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observatory import (
    Event,
    Gap,
    Health,
    MailboxCleared,
    Message,
    MessagesExpired,
    MessagesRead,
    Note,
    NoteDeleted,
    ObservatoryError,
    Receipt,
    error_from_wire,
    from_wire,
)

_PAYLOADS: Mapping[str, Any] = {
    kind.__name__: kind
    for kind in (Gap, Health, MailboxCleared, Message, MessagesExpired, MessagesRead, Note, NoteDeleted)
}


def event_of(params: Mapping[str, Any]) -> Event:
    """Return the event of a notification; what a plugin publishes stays what JSON says."""
    payload, kind = params["payload"], _PAYLOADS.get(params["kind"])
    if kind is not None and payload is not None:
        payload = from_wire(payload, kind)
    return Event(
        params["topic"],
        params["epoch"],
        params["sequence"],
        payload,
        params["origin"],
        params["position"],
        params["verified"],
    )


def error_of(error: Mapping[str, Any]) -> ObservatoryError:
    """Return the error of an answer."""
    data = error.get("data")
    return error_from_wire(data) if isinstance(data, dict) else ObservatoryError(str(error.get("message")))


def receipt_or_error(data: Mapping[str, Any]) -> Receipt | ObservatoryError:
    """Return one outcome of a broadcast."""
    return error_from_wire(data) if "error" in data else from_wire(data, Receipt)
