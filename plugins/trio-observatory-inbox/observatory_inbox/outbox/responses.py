"""The format of a response in the outbox. The only place that knows it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import attrs
import orjson

from observatory_inbox.files.format import SUFFIX


@attrs.frozen
class CommandResponse:
    """Payload on `session:{session_id}`: what an agent has written into its outbox."""

    session_id: str
    """Whose outbox: the name of the directory."""
    id: str
    """The name of the file, without `.json`."""
    body: Mapping[str, Any]
    """The JSON object as it stands in the file; read-only at the top level."""
    timestamp: datetime
    """Its field `timestamp`, where that is an ISO 8601 time with an offset, or else when the file was written: UTC."""


def decode_response(raw: bytes, *, session_id: str, name: str, written: float) -> CommandResponse:
    """Read a response: any JSON object, and no field must be there.

    Args:
        raw: the bytes.
        session_id: the name of the directory.
        name: the name of the file.
        written: when the file was written, in seconds since the epoch.

    Raises:
        ValueError: when it is none.
    """
    id = name.removesuffix(SUFFIX)
    if not id.isprintable():
        raise ValueError("its name holds characters that cannot be printed")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ValueError("no JSON object")
    return CommandResponse(session_id, id, MappingProxyType(body), _time(body) or _moment(written))


def _time(body: Mapping[str, Any]) -> datetime | None:
    text = body.get("timestamp")
    if isinstance(text, str):
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC) if moment.tzinfo is not None else None
    return None


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # a file may claim any time
        return datetime.fromtimestamp(0, UTC)
