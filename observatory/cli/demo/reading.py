"""What is in one file."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import attrs
import trio

from observatory.cli.output import shorten

MAX_BYTES = 1024 * 1024
"""Bytes of the largest file that is read."""

_MAX_PLACES = 10
_MAX_TERMS = 50
_SHOWN = 120
_MARKDOWN = {".md", ".markdown", ".mdown"}
_FENCE = re.compile(r"\s{0,3}(```|~~~)")
_HEADING = re.compile(r"#{1,6}\s")
_MARK = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
_LINK = re.compile(r"\[[^\[\]]{0,300}\]\(\s*<?([^()\s<>]{1,500})")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_CODE = re.compile(r"`[^`]*`")
_TERM = re.compile(r"[^\W\d_]{4,40}")
_COMMON_WORDS = """
    about after also another because been before being between both cannot class come does done each else even every
    false first from goes have here import into just like line made make more most much must name need never next none
    once only other over part return same self shall should some such than that their them then there these they this
    those through time true under until upon used very were what when where which while will with without would your
"""
_COMMON = frozenset(_COMMON_WORDS.split())


def _places(values: Iterable[Any]) -> tuple[Place, ...]:
    return tuple(value if isinstance(value, Place) else Place(**value) for value in values)


@attrs.frozen
class Place:
    """A line that something was found in."""

    line: int
    """Counted from 1."""
    text: str
    """What stands there, or the part that matters."""


@attrs.frozen(kw_only=True)
class Findings:
    """What is in one file; all zero when it could not be read."""

    path: str
    """Below the folder."""
    problem: str | None = None
    """Why it was not read."""
    lines: int = 0
    """How many."""
    words: int = 0
    """How many."""
    headings: int = 0
    """In Markdown."""
    code_blocks: int = 0
    """In Markdown."""
    longest: int = 0
    """Characters of the longest line."""
    longest_line: int = 0
    """Its number."""
    marks: tuple[Place, ...] = attrs.field(default=(), converter=_places)
    """Lines that are marked TODO, FIXME or XXX; the first ten."""
    broken_links: tuple[Place, ...] = attrs.field(default=(), converter=_places)
    """Relative links of Markdown that lead nowhere; the first ten."""
    terms: Mapping[str, int] = attrs.field(factory=dict)
    """The most frequent words, and how often they stand there."""


async def read_lines(folder: Path, path: str) -> list[str]:
    """Read a text file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, or no text in UTF-8.
    """
    async with await trio.open_file(folder / path, "rb") as file:
        data = await file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES // 1024:,} KiB")
    if b"\0" in data:
        raise ValueError("binary")
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError("no text in UTF-8") from error


async def read_file(folder: Path, path: str) -> Findings:
    """Read a file and say what is in it, or why it could not be read."""
    try:
        lines = await read_lines(folder, path)
    except OSError as error:
        return Findings(path=path, problem=error.strerror or type(error).__name__)
    except ValueError as error:
        return Findings(path=path, problem=str(error))
    return await trio.to_thread.run_sync(_analyse, folder, path, lines)


def _analyse(folder: Path, path: str, lines: list[str]) -> Findings:
    longest = max(range(len(lines)), key=lambda index: len(lines[index]), default=-1)
    is_markdown = Path(path).suffix.lower() in _MARKDOWN
    prose, code_blocks = _split(lines) if is_markdown else (list(enumerate(lines, start=1)), 0)
    return Findings(
        path=path,
        lines=len(lines),
        words=sum(len(line.split()) for line in lines),
        headings=sum(1 for _, line in prose if _HEADING.match(line)) if is_markdown else 0,
        code_blocks=code_blocks,
        longest=len(lines[longest]) if lines else 0,
        longest_line=longest + 1,
        marks=_find_marks(lines),
        broken_links=_find_broken_links(folder / path, prose) if is_markdown else (),
        terms=_count_terms(line for _, line in prose),
    )


def _split(lines: list[str]) -> tuple[list[tuple[int, str]], int]:
    """Take the fenced code blocks out of Markdown; return the numbered rest, and how many blocks there were."""
    prose: list[tuple[int, str]] = []
    blocks = 0
    fence: str | None = None
    for number, line in enumerate(lines, start=1):
        match = _FENCE.match(line)
        if match and fence in (None, match[1]):
            blocks += fence is None
            fence = match[1] if fence is None else None
        elif fence is None:
            prose.append((number, line))
    return prose, blocks


def _find_marks(lines: list[str]) -> tuple[Place, ...]:
    found = [Place(number, shorten(line.strip(), _SHOWN)) for number, line in enumerate(lines, 1) if _MARK.search(line)]
    return tuple(found[:_MAX_PLACES])


def _find_broken_links(file: Path, prose: list[tuple[int, str]]) -> tuple[Place, ...]:
    broken = []
    for number, line in prose:
        for target in _LINK.findall(_CODE.sub("", line)):
            if _is_relative(target) and not _exists(file.parent, target):
                broken.append(Place(number, shorten(target, _SHOWN)))
        if len(broken) >= _MAX_PLACES:
            break
    return tuple(broken[:_MAX_PLACES])


def _is_relative(target: str) -> bool:
    return not target.startswith(("#", "/", "?", "{")) and not _SCHEME.match(target)


def _exists(folder: Path, target: str) -> bool:
    return os.path.exists(folder / unquote(target.partition("#")[0].partition("?")[0]))


def _count_terms(lines: Iterable[str]) -> dict[str, int]:
    counter: Counter[str] = Counter()
    for line in lines:
        counter.update(term for term in _TERM.findall(line.lower()) if term not in _COMMON)
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:_MAX_TERMS])
