"""Events as frames: encoded once, however many connections follow a topic."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from observatory import Event, Subscription
from observatory_websocket.server.encoding import to_json
from observatory_websocket.server.frames import text_frame

_CHUNK = 256 * 1024
"""Bytes after which a write is handed over: a connection that is slow holds no more than that, and one event."""

_KEPT = 16 * 1024 * 1024
"""Bytes that are kept for other connections, all topics together."""

_OVERHEAD = 300
"""Bytes that a write is counted for beside its own."""

_Key: TypeAlias = tuple[str, tuple[int, ...]]  # the topic or pattern, and the events' positions

Piece: TypeAlias = tuple[bytes, Event]
"""Frames that are written together, and the last event in them."""

_TOGETHER = 256
"""Events that are taken from a subscription at a time ..."""

_TOGETHER_BYTES = 1024 * 1024
"""... and about their bytes: whoever is stuck holds them."""


class Feeds:
    """What is written for the events of topics and patterns.

    Each event is made a frame once, and connections that are at the same place take the very same bytes.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._bytes = 0

    def writes(self, topic: str, events: Sequence[Event]) -> Iterator[Piece]:
        """Give what is to be written for events, in pieces of bounded size.

        Args:
            topic: as it was subscribed to.
            events: at least one.
        """
        key = topic, tuple([event.position for event in events])
        kept = self._kept.get(key)
        if kept is not None:
            yield kept, events[-1]
            return
        frames: list[bytes] = []
        size = 0
        for taken, event in enumerate(events, start=1):
            frame = self._frame(topic, event)
            frames.append(frame)
            size += len(frame)
            if size >= _CHUNK or taken == len(events):
                data = b"".join(frames)
                if 1 < len(frames) == len(events):
                    self._keep(key, data)
                yield data, event
                frames, size = [], 0

    def _frame(self, topic: str, event: Event) -> bytes:
        key = topic, (event.position,)
        frame = self._kept.get(key)
        if frame is None:
            frame = text_frame(encode(topic, event))
            self._keep(key, frame)
        return frame

    def _keep(self, key: _Key, data: bytes) -> None:
        if not all(key[1]):  # a gap has no position: it is of one subscription only
            return
        self._kept[key] = data
        self._bytes += len(data) + _OVERHEAD
        while self._bytes > _KEPT:
            _, forgotten = self._kept.popitem(last=False)
            self._bytes -= len(forgotten) + _OVERHEAD


def encode(subscription: str, event: Event) -> bytes:
    """Return the notification of an event: JSON, as every client of that subscription gets it."""
    params = {
        "subscription": subscription,
        "topic": event.topic,
        "epoch": event.epoch,
        "sequence": event.sequence,
        "position": event.position,
        "kind": type(event.payload).__name__,
        "payload": event.payload,
        "origin": event.origin,
        "verified": event.verified,
    }
    notification: dict[str, Any] = {"jsonrpc": "2.0", "method": "topics.event", "params": params}
    try:
        return to_json(notification)
    except TypeError as error:  # what a plugin publishes may be anything; that it was there is told all the same
        params["payload"] = None
        params["topic"] = event.topic.encode(errors="backslashreplace").decode()
        params["unreadable"] = f"JSON cannot hold it: {error}"
        return to_json(notification)


def take_some(subscription: Subscription) -> list[Event]:
    """Return the next events of a subscription, as many as are written together; none when none wait."""
    backlog = subscription.backlog()
    fitting = backlog.events * _TOGETHER_BYTES // max(backlog.bytes, 1)
    return subscription.receive_batch_nowait(max(1, min(_TOGETHER, fitting)))
