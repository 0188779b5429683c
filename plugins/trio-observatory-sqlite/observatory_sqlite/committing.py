"""A batch of entries as rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, TypeAlias

import orjson

from observatory import (
    Cleared,
    DeadLetter,
    DeliveryRecord,
    Entry,
    Expired,
    Forgotten,
    Key,
    Message,
    Read,
    Retracting,
    Sent,
    Settled,
)
from observatory_sqlite.numbers import Numbers

Row: TypeAlias = tuple[Any, ...]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ADD = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_MARK = "INSERT INTO acknowledged VALUES (?) ON CONFLICT DO NOTHING"
_REMOVE = "DELETE FROM messages WHERE place = ?"
_UNMARK = "DELETE FROM acknowledged WHERE place = ?"
_REMEMBER = "INSERT INTO recipients VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = excluded.last"
_KEEP_KEY = "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_FORGET_KEY = "DELETE FROM keys WHERE sender = ? AND key = ?"
_RECORD = """INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, channel) DO UPDATE SET
    state = excluded.state, attempts = excluded.attempts, durability = excluded.durability, error = excluded.error,
    since = excluded.since, at = excluded.at"""
_FORGET_RECORDS = "DELETE FROM deliveries WHERE id = ?"
_GIVE_UP = "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_TAKE_BACK = "INSERT INTO retractions VALUES (?, ?) ON CONFLICT DO NOTHING"
_FORGET_RETRACTION = "DELETE FROM retractions WHERE recipient = ? AND id = ?"
_SETTLE = "DELETE FROM dead_letters WHERE channel = ? AND id = ?"


class Rows:
    """What a batch changes, as statements and their rows.

    Messages are added before any is marked or removed: what is cleared is what had a number by then, so the order
    between them says nothing, and one kind of statement is run once.

    Args:
        batch: the entries.
        numbers: those that were given before the batch.
    """

    def __init__(self, batch: Sequence[Entry], numbers: Numbers) -> None:
        self.given: list[int] = []
        """The numbers of the batch's messages, in order."""
        self._numbers = numbers
        self._next_place = numbers.next_place
        self._new: dict[str, dict[int, int]] = {}  # places of the batch's messages, by recipient and number
        self._added: list[Row] = []
        self._read: list[Row] = []
        self._removed: dict[str, dict[int, int]] = {}
        self._others: list[tuple[str, Row]] = []  # in order: what is forgotten may be kept anew
        for entry in batch:
            if isinstance(entry, Message):
                self._add(entry, None)
            else:
                self._take(entry)

    def statements(self) -> Iterator[tuple[str, Sequence[Row]]]:
        """Yield each statement with its rows."""
        yield _ADD, self._added
        yield _MARK, self._read
        if self._removed:
            places = [(place,) for removed in self._removed.values() for place in removed.values()]
            yield _REMOVE, places
            yield _UNMARK, places
            # Of a recipient whose newest message is there, that tells the last number, and it is written once less.
            yield _REMEMBER, [(to, self._last(to)) for to in self._removed]
        for statement, group in itertools.groupby(self._others, itemgetter(0)):
            yield statement, [row for _, row in group]

    def note(self) -> None:
        """Let the numbers be those after the batch: it is committed."""
        for to, new in self._new.items():
            for number, place in new.items():
                self._numbers.add(to, number, place)
        for to, removed in self._removed.items():
            self._numbers.remove(to, removed, self._last(to))

    def _take(self, entry: Any) -> None:
        match entry:
            case Sent(message, expires_at, key):
                number = self._add(message, expires_at)
                if key is not None:
                    self._others.append((_KEEP_KEY, _row_of_key(key, message, number, expires_at)))
            case Read(to, sequences):
                self._read += [(place,) for place in self._find(to, sequences).values()]
            case Expired(to, sequences):
                self._removed.setdefault(to, {}).update(self._find(to, sequences))
            case Cleared(to):
                live = dict(self._numbers.live(to)) | self._new.get(to, {})
                self._removed.setdefault(to, {}).update(live)
            case Retracting(to, id):
                self._others.append((_TAKE_BACK, (to, id)))
            case DeliveryRecord():
                self._others.append((_RECORD, _row_of_record(entry)))
            case DeadLetter():
                self._others.append((_GIVE_UP, _row_of_letter(entry)))
            case Settled(channel, ids):
                self._others += [(_SETTLE, (channel, id)) for id in ids]
            case Forgotten(keys, records, retractions):
                self._others += [(_FORGET_KEY, key) for key in keys]
                self._others += [(_FORGET_RECORDS, (id,)) for id in records]
                self._others += [(_FORGET_RETRACTION, retraction) for retraction in retractions]

    def _add(self, message: Message, expires_at: datetime | None) -> int:
        to, place = message.to, self._next_place
        self._next_place += 1
        new = self._new.get(to)
        if new is None:
            new = self._new[to] = {}
        number = (next(reversed(new)) if new else self._numbers.last(to)) + 1
        new[number] = place
        self.given.append(number)
        self._added.append((place, *_row_of_message(message, number), _micros_or_none(expires_at)))
        if message.read:
            self._read.append((place,))
        return number

    def _last(self, to: str) -> int:
        new = self._new.get(to)
        return next(reversed(new)) if new else self._numbers.last(to)

    def _find(self, to: str, numbers: Iterable[int]) -> dict[int, int]:
        """Find the places of those messages that are live."""
        new = self._new.get(to, {})
        places = ((number, new.get(number) or self._numbers.find(to, number)) for number in numbers)
        return {number: place for number, place in places if place}


def _micros(moment: datetime) -> int:
    """Return microseconds since 1970, exactly: a float has not room for them all."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else _micros(moment)


def _row_of_message(message: Message, number: int) -> Row:
    return (
        message.to,
        number,
        message.id,
        message.from_,
        message.content,
        _micros(message.timestamp),
        message.type,
        orjson.dumps(message.metadata, default=dict).decode() if message.metadata else None,
    )


def _row_of_key(key: Key, message: Message, number: int, expires_at: datetime | None) -> Row:
    sent = message.to, message.id, number, _micros(message.timestamp)
    return key.sender, key.key, key.digest, *sent, _micros_or_none(expires_at)


def _row_of_record(record: DeliveryRecord) -> Row:
    delivery = record.delivery
    state = delivery.channel, delivery.state, delivery.attempts, delivery.durability
    return record.id, *state, _writable(delivery.error), _micros(record.since), _micros(record.at)


def _row_of_letter(letter: DeadLetter) -> Row:
    error = _writable(letter.error)
    end = letter.channel, letter.attempts, error, _micros(letter.timestamp)
    return *_row_of_message(letter.message, letter.sequence), letter.message.read, *end


def _writable(error: str | None) -> str | None:
    """Return an error's text as UTF-8 can hold it: in names of files there may be anything."""
    return None if error is None else error.encode(errors="backslashreplace").decode()
