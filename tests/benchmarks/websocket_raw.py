"""Websockets by hand, as little as is needed to count what comes out of one."""

from __future__ import annotations

import base64
import os
import socket
import struct

READ = 256 * 1024
"""Bytes that are read at a time."""


class Frames:
    """Counts the frames in what one connection gets, of which each may be of another size."""

    def __init__(self) -> None:
        self._head = b""  # of a frame, not complete
        self._missing = 0  # bytes of a frame of which the head was there

    def count(self, data: bytes) -> int:
        """Return how many frames came to their end."""
        if self._missing > len(data):
            self._missing -= len(data)
            return 0
        whole = int(self._missing > 0)
        data = self._head + data[self._missing :]
        self._head, self._missing = b"", 0
        position = 0
        while position < len(data):
            size = size_of_frame(data[position : position + 4])
            if size is None:
                self._head = data[position:]
                break
            position += size
            if position > len(data):
                self._missing = position - len(data)
                break
            whole += 1
        return whole


def size_of_frame(head: bytes) -> int | None:
    """Return the bytes of a frame, whose first four are given; None where there are too few of them."""
    if len(head) < 2 or (head[1] == 126 and len(head) < 4):
        return None
    return 2 + head[1] if head[1] < 126 else 4 + int.from_bytes(head[2:4], "big")


def text_frame(text: str) -> bytes:
    """Return a text message as a client has to send it: masked, here with zeros."""
    data = text.encode()
    size = struct.pack("!B", 0x80 | len(data)) if len(data) <= 125 else struct.pack("!BH", 0x80 | 126, len(data))
    return b"\x81" + size + bytes(4) + data


def connect(port: int, *, buffer: int = 0) -> socket.socket:
    """Connect to a server on this machine; with a receive buffer of so many bytes, if that is given."""
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.connect(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask_for_websocket(connection: socket.socket, port: int, token: str) -> None:
    """Send the request for a websocket, with a token if there is one."""
    lines = [
        "GET / HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())


def await_websocket(connection: socket.socket) -> None:
    """Read the answer to that."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += received(connection)
    if b" 101 " not in answer:
        raise RuntimeError(answer.decode())


def ask_once(connection: socket.socket, text: str) -> None:
    """Send one message, and read the reply."""
    connection.sendall(text_frame(text))
    frames = Frames()
    while not frames.count(received(connection)):
        pass


def received(connection: socket.socket) -> bytes:
    """Return what has come."""
    data = connection.recv(READ)
    if not data:
        raise RuntimeError("the server has closed a connection")
    return data
