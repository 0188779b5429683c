"""Raw clients in a process of their own, which only count: what `start_clients` starts runs this file."""

from __future__ import annotations

import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

import attrs
from websocket_raw import (
    READ,
    Frames,
    ask_for_websocket,
    ask_once,
    await_websocket,
    connect,
    received,
    size_of_frame,
    text_frame,
)

_SMALL = 4 * 1024
"""Bytes of the receive buffer of a connection that is to be full soon."""

_TOGETHER = 64
"""Connections that are opened at a time: no more than what may wait for the slowest of the servers."""

_WATCHED = 10
"""Connections of which is noted when each frame comes."""

_UNREAD = 20
"""Frames that others may have to wait with."""


@attrs.frozen(kw_only=True)
class Plan:
    """What the clients do."""

    work: Literal["count", "ask", "pace"]
    """`count` frames that arrive, `ask` and wait for the reply over and over, or `pace`: send at a steady rate."""
    port: int
    """Where the server listens, on 127.0.0.1."""
    token: str = ""
    """What the server wants to see, if anything."""
    connections: int = 1
    """Connections that count, or ask; with `pace`, those that listen beside the one that sends."""
    stuck: int = 0
    """Connections that are opened like those that count, but are never read from."""
    first: str = ""
    """What each of these sends first, to be answered once."""
    frame: int = 0
    """Bytes of a frame of a server that speaks no websocket: Redis."""
    burst: int = 1
    """Frames, all of one size, after which those that count report."""
    request: str = ""
    """What is sent again and again."""
    requests: int = 0
    """How many are sent in all."""
    rate: int = 0
    """How many are sent in a second."""


@contextmanager
def start_clients(plan: Plan) -> Iterator[socket.socket]:
    """Start clients for the time of a block.

    Returns:
        What they report to: a byte when they are connected, then one for each burst, or a number when all is done.
    """
    reports, theirs = socket.socketpair()
    with reports, theirs:
        reports.setblocking(False)
        command = [sys.executable, __file__, str(theirs.fileno()), json.dumps(attrs.asdict(plan))]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()  # so that the end of the clients shows
        try:
            yield reports
        finally:
            process.kill()
            process.wait()


def number_in(report: bytes) -> float:
    """Return the number that was reported."""
    number: float = struct.unpack("d", report)[0]
    return number


def _open(plan: Plan, count: int, *, first: str, buffer: int = 0) -> list[socket.socket]:
    opened: list[socket.socket] = []
    while len(opened) < count:
        some = [connect(plan.port, buffer=buffer) for _ in range(min(_TOGETHER, count - len(opened)))]
        if plan.frame:
            for connection in some:
                connection.sendall(first.encode())
                received(connection)
        else:
            _upgrade(some, plan, first)
        opened += some
    return opened


def _upgrade(connections: Sequence[socket.socket], plan: Plan, first: str) -> None:
    for connection in connections:
        ask_for_websocket(connection, plan.port, plan.token)
    for connection in connections:
        await_websocket(connection)
        if first:
            ask_once(connection, first)


class _Poll:
    """Tells which connections have something to read."""

    def __init__(self, connections: Sequence[socket.socket]) -> None:
        self._poll = select.epoll()
        self._connections = {connection.fileno(): connection for connection in connections}
        for connection in connections:
            self._poll.register(connection, select.EPOLLIN)

    def wait(self, seconds: float | None = None) -> list[socket.socket]:
        """Wait for at least one, for at most so many seconds, of which epoll itself only knows thousandths."""
        if seconds is not None:
            select.select([self._poll], [], [], max(seconds, 0))
        ready = self._poll.poll(None if seconds is None else 0)
        return [self._connections[number] for number, _ in ready]


def _count(plan: Plan, reports: socket.socket) -> None:
    """Report a byte each time that every connection has got a burst."""
    stuck = _open(plan, plan.stuck, first=plan.first, buffer=_SMALL)
    connections = _open(plan, plan.connections, first=plan.first)
    poll = _Poll(connections)
    reports.send(b".")
    poll.wait()
    size = plan.frame or size_of_frame(connections[0].recv(4, socket.MSG_PEEK | socket.MSG_WAITALL)) or 0
    missing = dict.fromkeys(connections, 0)
    buffer = bytearray(READ)
    while True:
        missing = dict.fromkeys(connections, size * plan.burst)
        behind = len(missing)
        while behind:
            for connection in poll.wait():
                missing[connection] -= connection.recv_into(buffer)
                behind -= missing[connection] <= 0
        if any(missing.values()):
            raise RuntimeError(f"not all frames have {size} bytes, or {len(stuck)} are stuck and others, too")
        reports.send(b".")


def _ask(plan: Plan, reports: socket.socket) -> None:
    """Let every connection ask, one request at a time, and report the seconds for all requests."""
    connections = _open(plan, plan.connections, first=plan.first)
    poll = _Poll(connections)
    frames = {connection: Frames() for connection in connections}
    request = text_frame(plan.request)
    reports.send(b".")
    start = time.perf_counter()
    for connection in connections:
        connection.send(request)
    left = plan.requests
    while left > 0:
        for connection in poll.wait():
            if frames[connection].count(received(connection)):
                left -= 1
                connection.send(request)
    reports.send(struct.pack("d", time.perf_counter() - start))


def _pace(plan: Plan, reports: socket.socket) -> None:
    """Send at a steady rate; report the seconds after which 99 of 100 frames were there.

    What counts comes to those that listen, or where there are none, back to the one that sends. Some that listen are
    watched, evenly spread over all; the others are only read from, so that this process is not what takes the time.
    """
    sender = _open(plan, 1, first="")[0]
    listeners = _open(plan, plan.connections, first=plan.first)
    watched = listeners[:: max(len(listeners) // _WATCHED, 1)] or [sender]
    frames = {connection: Frames() for connection in watched}
    others = [connection for connection in (sender, *listeners) if connection not in frames]
    poll = _Poll(watched)
    seen = dict.fromkeys(watched, 0)
    request = text_frame(plan.request)
    sent: list[float] = []
    latencies: list[float] = []
    buffer = bytearray(READ)
    reports.send(b".")
    start = time.perf_counter()
    while len(latencies) < plan.requests * len(frames):
        due = start + len(sent) / plan.rate - time.perf_counter()
        while due <= 0 and len(sent) < plan.requests:
            sent.append(time.perf_counter())
            sender.send(request)
            due += 1 / plan.rate
            _empty(others[len(sent) % _UNREAD :: _UNREAD], buffer)  # some at a time: this takes time, too
        for connection in poll.wait(due if len(sent) < plan.requests else None):
            data = received(connection)
            now = time.perf_counter()
            begin = seen[connection]
            seen[connection] = end = begin + frames[connection].count(data)
            latencies += [now - at for at in sent[begin:end]]
    latencies.sort()
    reports.send(struct.pack("d", latencies[len(latencies) * 99 // 100]))


def _empty(connections: Sequence[socket.socket], buffer: bytearray) -> None:
    for connection in connections:
        with suppress(BlockingIOError):
            connection.recv_into(buffer, flags=socket.MSG_DONTWAIT)


if __name__ == "__main__":
    works = {"count": _count, "ask": _ask, "pace": _pace}
    given = Plan(**json.loads(sys.argv[2]))
    works[given.work](given, socket.socket(fileno=int(sys.argv[1])))
