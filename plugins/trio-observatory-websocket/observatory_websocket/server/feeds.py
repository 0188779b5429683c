"""Events as frames: encoded once, however many connections follow a topic."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import orjson

from observatory import Event, to_wire
from observatory_websocket.server.frames import text_frame

_CHUNK = 256 * 1024
"""Bytes after which a write is handed over: a connection that is slow holds no more than that, and one event."""

_KEPT = 4 * 1024 * 1024
"""Bytes of frames that a feed keeps for connections that are a little behind."""

_JOINED = 4
"""Writes that a feed keeps: connections that are at the same place take the very same bytes."""


class Feed:
    """The frames of one topic or pattern.

    Args:
        topic: as it was subscribed to.
    """

    def __init__(self, topic: str) -> None:
        self.followers = 0
        """Subscriptions that read it."""
        self._topic = topic
        self._frames: OrderedDict[int, bytes] = OrderedDict()  # by position
        self._bytes = 0
        self._joined: OrderedDict[tuple[int, int, int], tuple[bytes, ...]] = OrderedDict()

    def writes(self, events: Sequence[Event]) -> Sequence[bytes]:
        """Return what is to be written for these events, in pieces of bounded size."""
        key = events[0].position, events[-1].position, len(events)
        writes = self._joined.get(key) if key[0] else None  # a gap is of one subscription only
        if writes is None:
            writes = tuple(self._pieces(events))
            if key[0] and len(writes) == 1:
                self._joined[key] = writes
                if len(self._joined) > _JOINED:
                    self._joined.popitem(last=False)
        return writes

    def _pieces(self, events: Sequence[Event]) -> list[bytes]:
        pieces: list[bytes] = []
        frames: list[bytes] = []
        size = 0
        for event in events:
            frame = self._frame(event)
            frames.append(frame)
            size += len(frame)
            if size >= _CHUNK:
                pieces.append(b"".join(frames))
                frames, size = [], 0
        if frames:
            pieces.append(b"".join(frames))
        return pieces

    def _frame(self, event: Event) -> bytes:
        frame = self._frames.get(event.position)
        if frame is None:
            frame = text_frame(encode(self._topic, event))
            if event.position:
                self._keep(event.position, frame)
        return frame

    def _keep(self, position: int, frame: bytes) -> None:
        self._frames[position] = frame
        self._bytes += len(frame)
        while self._bytes > _KEPT:
            _, forgotten = self._frames.popitem(last=False)
            self._bytes -= len(forgotten)


class Feeds:
    """The feeds of all topics that somebody follows."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}

    def enter(self, topic: str) -> Feed:
        """Return the feed of a topic, for one more subscription."""
        feed = self._feeds.get(topic)
        if feed is None:
            feed = self._feeds[topic] = Feed(topic)
        feed.followers += 1
        return feed

    def leave(self, topic: str) -> None:
        """Let go of a feed; with the last subscription it is forgotten."""
        feed = self._feeds[topic]
        feed.followers -= 1
        if not feed.followers:
            del self._feeds[topic]


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
        return orjson.dumps(notification, default=to_wire)
    except TypeError as error:  # what a plugin publishes may be anything; that it was there is told all the same
        params["payload"] = None
        params["topic"] = event.topic.encode(errors="backslashreplace").decode()
        params["unreadable"] = f"JSON cannot hold it: {error}"
        return orjson.dumps(notification)
