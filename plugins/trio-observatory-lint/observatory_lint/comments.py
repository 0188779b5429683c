"""Comments that suppress findings, understood as flake8 does."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from io import BytesIO

from observatory_lint.facts import Noqa
from observatory_lint.values import Place

_NOQA = re.compile(r"# noqa(?::\s?(?P<codes>(?:[A-Z]+[0-9]+(?:[,\s]+)?)+))?", re.IGNORECASE)
_WHOLE_FILE = re.compile(r"\s*# flake8[:=]\s*noqa", re.IGNORECASE)
_WORTH_IT = re.compile(rb"# noqa(?!:\s?[A-Z]+[0-9])|# noqa:[^\n]*OBS|flake8[:=]\s*noqa", re.IGNORECASE)
_EVERY_LINE = 1 << 30
_REASON = re.compile(r"\s*(?:--|[-:(\u2013\u2014])\s*\w")
_LAYOUT = frozenset({tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER})
_ENDS = frozenset({tokenize.NL, tokenize.NEWLINE})


def noqa_in(data: bytes) -> tuple[Noqa, ...]:
    """Return the comments of a file that suppress findings of ours; only a file that may have one is taken apart."""
    if b"noqa" not in data.lower():  # which is quicker than an expression, and mostly so
        return ()
    return tuple(_noqa_in(data)) if _WORTH_IT.search(data) else ()


def _noqa_in(data: bytes) -> Iterator[Noqa]:
    first = 0  # the line where what the comment may stand behind begins: a string may have many lines
    comment = None
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # lines end for Python at each of them
    try:
        for token in tokenize.tokenize(BytesIO(data).readline):
            if token.type in _LAYOUT:
                continue
            first = first or token.start[0]
            if token.type == tokenize.COMMENT:
                comment = token
            elif token.type in _ENDS:
                if comment:
                    yield from _speaking_of(comment, first)
                first, comment = 0, None
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        return  # what is no Python is told of when it is parsed


def _speaking_of(comment: tokenize.TokenInfo, first: int) -> Iterator[Noqa]:
    line, column = comment.start
    if not comment.line[:column].strip() and _WHOLE_FILE.match(comment.string):
        yield Noqa(1, _EVERY_LINE, (), True, Place(line, column, line, column + len(comment.string)))
    found = _NOQA.search(comment.string)
    if not found:
        return
    before = len(comment.line[:column].encode())
    codes = found["codes"]
    yield Noqa(
        first,
        line,
        tuple(code for code in re.split(r"[,\s]+", codes) if code) if codes else (),
        bool(_REASON.match(comment.string[found.end() :])),
        Place(
            line, before + len(comment.string[: found.start()].encode()), line, before + len(comment.string.encode())
        ),
    )
