"""The JSON of an inbox file, and which names are allowed. The only place that knows the format."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import orjson

from observatory import Message, Metadata

SUFFIX = ".json"

is_name = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,127}").fullmatch
"""Match a recipient's name: it becomes the name of a directory."""

is_id = re.compile(r"[0-9a-f]{16}").fullmatch
"""Match a message's id: it becomes the name of a file."""

is_file_name = re.compile(r"[0-9a-f]{16}\.json").fullmatch
"""Match the name of a message's file."""

_TEXTS = "type", "id", "session_id", "from", "content", "timestamp", "message_type"
_fields = itemgetter(*_TEXTS, "metadata")

_NO_METADATA: dict[str, Any] = {}


class DamagedError(ValueError):
    """Raised when a file is not JSON."""


class ForeignError(ValueError):
    """Raised when a file is JSON, but not a message of this inbox."""


def encode(message: Message) -> bytes:
    """Return the bytes of a message's file.

    Raises:
        TypeError: when JSON cannot hold the message.
    """
    return orjson.dumps(
        {
            "type": "message",
            "from": message.from_,
            "content": message.content,
            "message_type": message.type,
            "metadata": message.metadata or _NO_METADATA,
            "id": message.id,
            "session_id": message.to,
            "timestamp": message.timestamp,
        },
        default=dict,  # for read-only mappings
    )


def decode(raw: bytes, *, to: str, id: str) -> Message:
    """Read a message back from its file's bytes; fields that a message does not have are passed over.

    Args:
        raw: the bytes.
        to: the recipient whose directory holds the file.
        id: the file's name without its suffix.

    Raises:
        DamagedError: when the bytes are not JSON.
        ForeignError: when a field is missing or of a wrong kind, or does not fit the file's place.
    """
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise DamagedError(f"not JSON: {error}") from error
    try:
        kind, found_id, found_to, from_, content, timestamp, type_, metadata = _fields(data)
    except (KeyError, TypeError):
        raise ForeignError(_what_is_wrong(data, to, id)) from None
    if not (
        (kind, found_id, found_to) == ("message", id, to)
        and type(from_) is type(content) is type(type_) is type(timestamp) is str
        and type(metadata) is dict
    ):
        raise ForeignError(_what_is_wrong(data, to, id))
    moment = _time(timestamp)
    if metadata:
        return Message(id, from_, to, content, moment, type_, metadata=Metadata(metadata))
    return Message(id, from_, to, content, moment, type_)


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ForeignError("field 'timestamp' is no ISO 8601 time with an offset")


def _what_is_wrong(data: object, to: str, id: str) -> str:
    """Say why JSON is no message, or not the one that belongs there."""
    if not isinstance(data, dict):
        return "no JSON object"
    for field in _TEXTS:
        if field not in data:
            return f"field {field!r} is missing"
        if not isinstance(data[field], str):
            return f"field {field!r} is no string"
    if data["type"] != "message":
        return "field 'type' is not 'message'"
    if data["id"] != id:
        return "field 'id' is not the name of the file"
    if data["session_id"] != to:
        return "field 'session_id' is not the name of the directory"
    return "field 'metadata' is missing or no object"
