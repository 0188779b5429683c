"""From bytes to a tree; whatever stands in a file, there is an answer."""

from __future__ import annotations

import ast
import sys
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python that reads: what is newer than it is a syntax error here."""


class UnreadableError(Exception):
    """Raised when a file is no Python that can be read.

    Attributes:
        line: where it stops making sense, from 1.
        message: why, in one line.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


@contextmanager
def quietly() -> Iterator[None]:
    """Keep what the parser has to say of other people's escapes to itself, for the time of a block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse(data: bytes) -> ast.Module:
    """Return the tree of a file; encoding declarations, byte order marks and all ends of lines are understood.

    Raises:
        UnreadableError: it cannot be read.
    """
    try:
        return ast.parse(data)
    except SyntaxError as error:
        raise _unreadable(data, error.lineno, f"{error.msg} (read as Python {VERSION})") from error
    except ValueError as error:  # null bytes, or numbers and text that cannot be
        raise _unreadable(data, 1, str(error)) from error
    except LookupError as error:
        raise UnreadableError(1, _one_line(str(error))) from error
    except (RecursionError, MemoryError) as error:
        raise UnreadableError(1, "it is nested too deeply for Python's parser") from error


def text_of(data: bytes) -> str:
    """Return a file as text, with newlines only; what cannot be decoded is replaced."""
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
    except SyntaxError:
        encoding = "utf-8-sig"
    text = data.decode(encoding, errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def count_lines(data: bytes) -> int:
    """Return how many lines a file has, however they end, and whether or not the last one ends."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))


def _unreadable(data: bytes, line: int | None, reason: str) -> UnreadableError:
    """Return the error: of a file with null bytes they are what is wrong with it."""
    if b"\0" in data:
        return UnreadableError(data[: data.find(b"\0")].count(b"\n") + 1, "it holds null bytes")
    return UnreadableError(max(1, min(line or 1, count_lines(data))), _one_line(reason))


def _one_line(text: str) -> str:
    return " ".join(text.split())
