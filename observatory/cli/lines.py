"""The lines of a file or of standard input, read so that a read that waits can be cancelled."""

from __future__ import annotations

import codecs
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from observatory import InvalidInputError

_CHUNK = 64 * 1024
_LONGEST = 16 * 1024 * 1024
"""Bytes of a line; the largest message there is, every character escaped, stays below."""

STDIN = "-"


@attrs.frozen
class Line:
    """One line."""

    number: int
    """Counted from 1."""
    text: bytes | None
    """Without its line break, and without a byte order mark; None when it is longer than any message can be."""

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing in it but blanks, such as the carriage return of a Windows line break."""
        return self.text is not None and not self.text.strip()


class LineReader:
    """Splits what a file descriptor gives into lines, and never holds more than one line that is too long.

    Args:
        descriptor: read without a buffer of Python's: its lock would outlive a read that was abandoned.
        name: for errors.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._ready: deque[bytes | None] = deque()
        self._rest = bytearray()
        self._too_long = False
        self._number = 0
        self._ended = False

    def __aiter__(self) -> LineReader:
        return self

    async def __anext__(self) -> Line:
        """Return the next line.

        Raises:
            InvalidInputError: it cannot be read.
        """
        while not self._ready:
            if self._ended:
                raise StopAsyncIteration
            self._take(await self._read())
        self._number += 1
        text = self._ready.popleft()
        if text is not None and self._number == 1:
            text = text.removeprefix(codecs.BOM_UTF8)
        return Line(self._number, text)

    async def _read(self) -> bytes:
        try:
            return await trio.to_thread.run_sync(os.read, self._descriptor, _CHUNK, abandon_on_cancel=True)
        except OSError as error:
            raise _unreadable(self._name, error) from error

    def _take(self, chunk: bytes) -> None:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._rest += part
            self._end_line()
        self._rest += rest
        if len(self._rest) > _LONGEST:
            self._rest.clear()
            self._too_long = True
        if not chunk:
            self._ended = True
            if self._rest or self._too_long:
                self._end_line()

    def _end_line(self) -> None:
        self._ready.append(None if self._too_long else bytes(self._rest))
        self._rest.clear()
        self._too_long = False


@asynccontextmanager
async def open_lines(path: str) -> AsyncIterator[LineReader]:
    """Open a file, or standard input for `-`.

    Raises:
        InvalidInputError: it cannot be opened.
    """
    if path == STDIN:
        yield LineReader(0, "standard input")
        return
    try:
        descriptor = await trio.to_thread.run_sync(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        yield LineReader(descriptor, path)
    finally:
        os.close(descriptor)


def _unreadable(name: str, error: Exception) -> InvalidInputError:
    reason = error.strerror if isinstance(error, OSError) else error
    return InvalidInputError("--jsonl", f"{name} cannot be read: {reason}")
