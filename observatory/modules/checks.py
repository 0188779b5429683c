"""What a message may be. Everything that enters the table has passed here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from observatory.arguments import check_name, is_name, shorten
from observatory.errors import InvalidInputError
from observatory.messages import MESSAGE_OVERHEAD, NO_METADATA, Message, Metadata

MAX_CONTENT = 1024 * 1024
"""Bytes of a message's content in UTF-8."""

MAX_METADATA = 256 * 1024
"""Bytes that a message's metadata is counted for."""

_MAX_RECIPIENTS = 10_000
_MAX_TYPE = 128
_MAX_ID = 128
_MAX_DEPTH = 64
_MAX_INTEGER = 2**63


def check_names(names: object) -> list[Any]:
    """Check the recipients of a broadcast as a whole, and return them; what each may be is for `check_name`.

    Raises:
        InvalidInputError: when they are no collection, more than 10,000, or one stands there twice.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InvalidInputError("names", f"expected a list of names, got {type(names).__name__}")
    recipients = list(islice(names, _MAX_RECIPIENTS + 1))
    if len(recipients) > _MAX_RECIPIENTS:
        raise InvalidInputError("names", f"has more than the {_MAX_RECIPIENTS:,} names that are allowed")
    counted = Counter(name for name in recipients if isinstance(name, str))
    if len(counted) < counted.total():
        raise InvalidInputError("names", f"{shorten(counted.most_common(1)[0][0])} stands there twice")
    return recipients


def check_agents(field: str, agents: object) -> list[str]:
    """Return the names of agents that a caller gives.

    Raises:
        InvalidInputError: when they are no collection, or one is no name.
    """
    return _each(check_name, field, "agents", agents)


def check_channels(require: object) -> tuple[str, ...]:
    """Return the names of delivery channels that a sender gives.

    Raises:
        InvalidInputError: when they are no collection of names.
    """
    return tuple(_each(_check_channel, "require", "delivery channels", require)) if require != () else ()


def _check_channel(field: str, name: object) -> None:
    if not isinstance(name, str):
        raise InvalidInputError(field, f"expected names of delivery channels, got {type(name).__name__}")


def _each(check: Callable[[str, object], None], field: str, what: str, values: object) -> list[Any]:
    """Read a collection once, check each value in it, and return them."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        got = f"the text {values!r:.80}" if isinstance(values, str) else type(values).__name__
        raise InvalidInputError(field, f"expected a collection of {what}, got {got}")
    checked = []
    for value in values:
        check(field, value)
        checked.append(value)
    return checked


def check_id(field: str, id: object) -> None:
    """Check that something can be the id of a message.

    Raises:
        InvalidInputError: when it is no string.
    """
    if not isinstance(id, str):
        raise InvalidInputError(field, f"expected the id of a message, got {type(id).__name__}")


def check_ids(field: str, ids: object) -> frozenset[str]:
    """Return the ids that a caller gives.

    Raises:
        InvalidInputError: when they are no collection, or one cannot be the id of a message.
    """
    return frozenset(_each(check_id, field, "ids of messages", ids))


def check_verified(verified: object) -> None:
    """Check what a caller says of the sender.

    Raises:
        InvalidInputError: when it is neither True nor False.
    """
    if not isinstance(verified, bool):
        raise InvalidInputError("verified", f"expected True or False, got {type(verified).__name__}")


def check_limit(limit: object) -> None:
    """Check how many messages are asked for.

    Raises:
        InvalidInputError: when it is no integer of at least 0.
    """
    if not isinstance(limit, int) or limit < 0:
        got = limit if isinstance(limit, int) else type(limit).__name__
        raise InvalidInputError("limit", f"expected an integer of at least 0, got {got}")


def check_text(field: str, text: object, limit: int) -> int:
    """Check a text and return its length in bytes of UTF-8.

    Raises:
        InvalidInputError: when it is no string, too long, or cannot be written in UTF-8.
    """
    if not isinstance(text, str):
        raise InvalidInputError(field, f"expected text, got {type(text).__name__}")
    size = len(text)
    if size <= limit and not text.isascii():
        size = _utf8_size(field, text)
    if size > limit:
        raise InvalidInputError(field, f"has {size:,} bytes or more; at most {limit:,} are allowed")
    return size


def check_type(kind: object) -> None:
    """Check a message's type.

    Raises:
        InvalidInputError: when it is not 1 to 128 printable characters.
    """
    if not isinstance(kind, str):
        raise InvalidInputError("type", f"expected a string, got {type(kind).__name__}")
    if not (0 < len(kind) <= _MAX_TYPE and kind.isprintable()):
        raise InvalidInputError(
            "type", f"{shorten(kind)} is no type: 1 to {_MAX_TYPE} printable characters are allowed"
        )


def copy_metadata(metadata: object) -> tuple[Mapping[str, Any], int]:
    """Copy a JSON object so that later changes by the caller do not reach the message; return it with its size.

    Raises:
        InvalidInputError: names the path of what JSON cannot hold: NaN, keys that are no strings, lone surrogates,
            integers beyond 64 bits, other types, cycles, more than 64 levels, or more than 256 KiB.
    """
    if metadata is NO_METADATA or (not metadata and (metadata is None or isinstance(metadata, Mapping))):
        return NO_METADATA, 0
    if not isinstance(metadata, Mapping):
        raise InvalidInputError("metadata", f"expected a JSON object, got {type(metadata).__name__}")
    budget = _Budget()
    copy = _copy(metadata, "metadata", 0, budget)
    return Metadata(copy), budget.spent


def _check_time(moment: object) -> None:
    if isinstance(moment, datetime) and moment.tzinfo is UTC:
        return
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InvalidInputError("timestamp", f"expected a time with an offset from UTC, got {moment!r:.80}")
    try:
        moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInputError("timestamp", f"{moment} has no year in UTC") from error


def size_of(message: Message) -> int:
    """Return the bytes that a message is counted for.

    Raises:
        InvalidInputError: when the message is not one that `send_message` would take.
    """
    size = _plain_size(message)
    if size is None:  # says what is wrong with it, if anything is
        check_text("id", message.id, _MAX_ID)
        check_name("to", message.to)
        check_name("from", message.from_)
        check_type(message.type)
        _check_time(message.timestamp)
        size = MESSAGE_OVERHEAD + check_text("content", message.content, MAX_CONTENT)
    return size if message.metadata is NO_METADATA else size + copy_metadata(message.metadata)[1]


def _plain_size(message: Message) -> int | None:
    """Return the size of a message in nothing but ASCII, metadata aside; None of any other, and where one may be wrong.

    A start looks at each of a hundred thousand: one question for all that most of them are.
    """
    id, content, kind, moment = message.id, message.content, message.type, message.timestamp
    if (
        type(content) is type(id) is type(kind) is type(message.from_) is type(message.to) is str
        and content.isascii()
        and id.isascii()
        and kind.isascii()
        and kind.isprintable()
        and len(content) <= MAX_CONTENT
        and len(id) <= _MAX_ID
        and 0 < len(kind) <= _MAX_TYPE
        and is_name(message.to)
        and is_name(message.from_)
        and type(moment) is datetime
        and moment.tzinfo is UTC
    ):
        return MESSAGE_OVERHEAD + len(content)
    return None


class _Budget:
    """Counts bytes, so that a small object with many references cannot grow without bounds when copied."""

    def __init__(self) -> None:
        self.spent = 0

    def spend(self, size: int) -> None:
        self.spent += size
        if self.spent > MAX_METADATA:
            raise InvalidInputError("metadata", f"has more than the {MAX_METADATA:,} bytes that are allowed")


def _copy(value: Any, path: str, depth: int, budget: _Budget) -> Any:
    if depth > _MAX_DEPTH:
        raise InvalidInputError("metadata", f"is nested deeper than {_MAX_DEPTH} levels, or contains itself")
    budget.spend(8)  # also for an empty text: a list may hold the same one a million times
    if isinstance(value, str):
        budget.spend(_utf8_size(path, value))
        return str(value)
    if isinstance(value, Mapping):
        return {
            _copy_key(key, path, budget): _copy(item, f"{path}.{key:.40}", depth + 1, budget)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_copy(item, f"{path}[{index}]", depth + 1, budget) for index, item in enumerate(value)]
    return _check_scalar(value, path)


def _copy_key(key: object, path: str, budget: _Budget) -> str:
    if not isinstance(key, str):
        raise InvalidInputError(path, f"has a key of type {type(key).__name__}; keys are strings")
    budget.spend(_utf8_size(path, key))
    return str(key)


def _check_scalar(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -_MAX_INTEGER <= value < _MAX_INTEGER:
            raise InvalidInputError(path, "is an integer beyond 64 bits; write it as a string")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInputError(path, f"is {value}, which JSON cannot hold")
        return float(value)
    raise InvalidInputError(path, f"is a {type(value).__name__}, which JSON cannot hold")


def _utf8_size(field: str, text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            field, f"has a lone surrogate at character {error.start}, which UTF-8 cannot hold"
        ) from error
