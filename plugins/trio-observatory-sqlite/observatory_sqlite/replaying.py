"""Rows as the values that they were made of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from observatory import (
    DeadLetter,
    Delivery,
    DeliveryRecord,
    Key,
    Message,
    Metadata,
    Retracting,
    Stored,
    StoredKey,
    StoredMessage,
)
from observatory_sqlite.committing import EPOCH, Row

_NO_METADATA = Message("", "", "", "", EPOCH).metadata  # one for all messages


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _metadata(text: str | None) -> Mapping[str, Any]:
    return _NO_METADATA if text is None else Metadata(orjson.loads(text))


def _messages(rows: Iterable[Row]) -> list[Stored]:
    # Names and types stand in many messages, and are one object each. A call less in each row is what a million is
    # recovered sooner by: it is not `_moment` that makes the timestamp.
    intern = sys.intern
    return [
        StoredMessage(
            Message(
                id,
                intern(sender),
                intern(to),
                content,
                EPOCH + timedelta(microseconds=timestamp),
                intern(kind),
                place is not None,
                _NO_METADATA if metadata is None else _metadata(metadata),
            ),
            number,
            None if expires_at is None else _moment(expires_at),
        )
        for to, number, id, sender, content, timestamp, kind, metadata, place, expires_at in rows
    ]


def _keys(rows: Iterable[Row]) -> list[Stored]:
    return [
        StoredKey(
            Key(sender, key, digest),
            to,
            id,
            number,
            _moment(timestamp),
            None if expires_at is None else _moment(expires_at),
        )
        for sender, key, digest, to, id, number, timestamp, expires_at in rows
    ]


def _retractions(rows: Iterable[Row]) -> list[Stored]:
    return [Retracting(*row) for row in rows]


def _records(rows: Iterable[Row]) -> list[Stored]:
    return [DeliveryRecord(id, Delivery(*delivery), _moment(since), _moment(at)) for id, *delivery, since, at in rows]


def _letters(rows: Iterable[Row]) -> list[Stored]:
    return [
        DeadLetter(
            Message(id, sender, to, content, _moment(timestamp), kind, bool(read), _metadata(metadata)),
            number,
            channel,
            attempts,
            error,
            _moment(given_up),
        )
        for (to, number, id, sender, content, timestamp, kind, metadata, read, *end) in rows
        for channel, attempts, error, given_up in [end]
    ]


SELECTS: Sequence[tuple[str, Callable[[Iterable[Row]], list[Stored]]]] = (
    (
        "SELECT recipient, sequence, id, sender, content, timestamp, type, metadata, acknowledged.place, expires_at "
        "FROM messages LEFT JOIN acknowledged USING (place) ORDER BY messages.place",
        _messages,
    ),
    ("SELECT * FROM keys ORDER BY rowid", _keys),
    ("SELECT * FROM retractions ORDER BY rowid", _retractions),
    ("SELECT * FROM deliveries ORDER BY rowid", _records),
    ("SELECT * FROM dead_letters ORDER BY rowid", _letters),
)
"""What is replayed, in order: each statement, and what makes values of its rows."""
