"""What stands in JSON, as the library's values, and the other way round."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from observatory import (
    Event,
    Gap,
    Health,
    HookEvent,
    InvalidInputError,
    MailboxCleared,
    Message,
    MessagesExpired,
    MessagesRead,
    Note,
    NoteDeleted,
    ObservatoryError,
    PresenceUpdate,
    Receipt,
    SwarmState,
    TraceStatistics,
    error_from_wire,
    from_wire,
)

_PAYLOADS: Mapping[str, Any] = {
    kind.__name__: kind
    for kind in (
        Gap,
        Health,
        HookEvent,
        MailboxCleared,
        Message,
        MessagesExpired,
        MessagesRead,
        Note,
        NoteDeleted,
        SwarmState,
        TraceStatistics,
        PresenceUpdate,
    )
}
_PARAMS = "params."
_MAX_DEPTH = 100
_MAX_INTEGER = 2**63


def event_of(params: Mapping[str, Any]) -> Event:
    """Return the event of a notification; what a plugin publishes stays what JSON says."""
    payload, kind = params["payload"], _PAYLOADS.get(params["kind"])
    if kind is not None:
        with suppress(InvalidInputError):  # a plugin's own, of the same name
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


def error_of(answer: Mapping[str, Any]) -> ObservatoryError:
    """Return the error of an answer, as the library raises it: there parameters stand for themselves."""
    data = answer.get("data")
    if not isinstance(data, dict):
        return ObservatoryError(str(answer.get("message")))
    error = error_from_wire(data)
    if isinstance(error, InvalidInputError) and error.field.startswith(_PARAMS):
        return InvalidInputError(error.field.removeprefix(_PARAMS), error.reason)
    return error


def receipt_or_error(data: Mapping[str, Any]) -> Receipt | ObservatoryError:
    """Return one outcome of a broadcast."""
    return error_from_wire(data) if "error" in data else from_wire(data, Receipt)


def as_json(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON holds them, refusing what would become something else on the way.

    Raises:
        InvalidInputError: it names the path of what JSON cannot hold.
    """
    return {name: _as_json(value, name, 0) for name, value in params.items()}


def _as_json(value: Any, path: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise InvalidInputError(path.partition(".")[0], "is nested too deep, or contains itself")
    if isinstance(value, Mapping):
        return {_key(key, path): _as_json(item, f"{path}.{key:.40}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInputError(path, f"is {value}, which JSON cannot hold")
    if isinstance(value, int) and not -_MAX_INTEGER <= value < _MAX_INTEGER:
        raise InvalidInputError(path, "is an integer beyond 64 bits; write it as a string")
    if value is None or isinstance(value, bool | int | float):
        return value
    raise InvalidInputError(path, f"is a {type(value).__name__}, which JSON cannot hold")


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise InvalidInputError(path, f"has a key of type {type(key).__name__}; keys are strings")
    return _text(key, path)


def _text(text: str, path: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            reason = f"has a lone surrogate at character {error.start}, which UTF-8 cannot hold"
            raise InvalidInputError(path, reason) from error
    return text
