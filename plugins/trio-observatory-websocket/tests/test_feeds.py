"""What is written for events: each encoded once, in pieces, and kept within bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from observatory_websocket.server import feeds as module
from observatory_websocket.server.feeds import Feeds

from observatory import Event, Gap


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the positions of the events that were encoded."""
    positions: list[int] = []
    encode = module.encode

    def counted(topic: str, event: Event) -> bytes:
        positions.append(event.position)
        return encode(topic, event)

    monkeypatch.setattr(module, "encode", counted)
    return positions


def _event(position: int, payload: Any = "x") -> Event:
    return Event("build", "e", position, payload, None, position)


def _gap() -> Event:
    return Event("build", "e", 0, Gap(1))


def _read(data: bytes) -> list[Any]:
    """Return what the frames say."""
    found = []
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        found.append(json.loads(data[start : start + size])["params"])
        data = data[start + size :]
    return found


def _written(feeds: Feeds, events: Sequence[Event]) -> list[bytes]:
    return [data for data, _ in feeds.writes("build", events)]


def test_once(encoded: list[int]) -> None:
    """An event is encoded once, in whichever company it is written; the same company gets the same bytes."""
    feeds = Feeds()
    events = [_event(position) for position in range(1, 6)]
    [first] = _written(feeds, events)
    [again] = _written(feeds, events)
    assert again is first
    assert b"".join(_written(feeds, events[:2]) + _written(feeds, events[2:])) == first
    assert [one["position"] for one in _read(first)] == encoded == [1, 2, 3, 4, 5]


def test_each_subscription(encoded: list[int]) -> None:
    """What is said differs from one subscription to another."""
    feeds = Feeds()
    for topic in ("build", "build:*", "build"):
        [(data, _)] = feeds.writes(topic, [_event(1)])
        assert _read(data)[0]["subscription"] == topic
    assert encoded == [1, 1]


def test_pieces() -> None:
    """What is large is written in pieces of whole frames, each of which says how far it goes."""
    feeds = Feeds()
    events = [_event(position, "x" * 100_000) for position in range(1, 9)]
    pieces = list(feeds.writes("build", events))
    assert [last.position for _, last in pieces] == [3, 6, 8]
    assert [one["position"] for data, _ in pieces for one in _read(data)] == list(range(1, 9))


def test_gaps(encoded: list[int]) -> None:
    """A gap is of one subscription, and is not taken for another one that lies between the same events."""
    feeds = Feeds()
    [first] = _written(feeds, [_event(1), _gap(), _event(3)])
    [second] = _written(feeds, [_event(1), Event("build", "e", 0, Gap(7)), _event(3)])
    assert [one["payload"] for one in _read(first)] == ["x", {"missed": 1}, "x"]
    assert [one["payload"] for one in _read(second)] == ["x", {"missed": 7}, "x"]
    assert encoded == [1, 0, 3, 0]


def test_other_company() -> None:
    """Events with the same first and last one, and as many, are not the same events."""
    feeds = Feeds()
    for middle in (2, 3):
        [data] = _written(feeds, [_event(1), _event(middle), _event(4)])
        assert [one["position"] for one in _read(data)] == [1, middle, 4]


def test_bounded(encoded: list[int]) -> None:
    """What is kept is bounded, over all topics; the oldest goes first, and is encoded again where somebody needs it."""
    feeds = Feeds()
    for topic in ("a", "b"):
        for position in range(1, 11):
            list(feeds.writes(topic, [_event(position, "x" * 1024 * 1024)]))
    encoded.clear()
    list(feeds.writes("b", [_event(10)]))
    assert encoded == []
    list(feeds.writes("a", [_event(1)]))
    assert encoded == [1]
