"""The JSON of an inbox file, and which names are allowed. The only place that knows the format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
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

_FIELDS = "type", "id", "session_id", "from", "content", "timestamp", "message_type"
_texts = itemgetter(*_FIELDS)
_ONLY_TEXT = {str}

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
    data = _load(raw)
    try:
        texts = _texts(data)
    except KeyError as error:
        raise ForeignError(f"field {error} is missing") from error
    if set(map(type, texts)) != _ONLY_TEXT:
        raise ForeignError(f"field {next(field for field in _FIELDS if type(data[field]) is not str)!r} is no string")
    kind, found_id, found_to, from_, content, timestamp, type_ = texts
    if kind != "message":
        raise ForeignError("field 'type' is not 'message'")
    if found_id != id:
        raise ForeignError("field 'id' is not the name of the file")
    if found_to != to:
        raise ForeignError("field 'session_id' is not the name of the directory")
    message = partial(Message, id, from_, to, content, _time(timestamp), type=type_)
    metadata = _metadata(data)
    return message(metadata=metadata) if metadata else message()


def _load(raw: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise DamagedError(f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ForeignError("no JSON object")
    return data


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ForeignError("field 'timestamp' is no ISO 8601 time with an offset")


def _metadata(data: dict[str, Any]) -> Mapping[str, Any]:
    value = data.get("metadata")
    if not isinstance(value, dict):
        raise ForeignError("field 'metadata' is missing or no object")
    return Metadata(value)
