"""Constant texts, and what methods and functions make of them: they are the few that can have no effect."""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

HOLE = "\0"
"""Stands in a text for a part that is not known."""

OWN = "\1"
"""Stands for the package of the file itself: what `__package__` is, and `__name__` in a package."""

SPLITTING = frozenset({"split", "rsplit", "partition", "rpartition", "splitlines"})
"""Methods of text that give several."""

_LONGEST = 10_000  # characters of what is given and made

_DECODERS: dict[str, Callable[[str], Any]] = {
    "base64.b64decode": base64.b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.unhexlify,
    "builtins.bytes.fromhex": bytes.fromhex,
    "textwrap.dedent": textwrap.dedent,
    "builtins.chr": lambda text: chr(int(text)),
}


class Texts(NamedTuple):
    """What an expression may be."""

    values: frozenset[str] = frozenset()
    """Texts, with holes for what is not known."""
    complete: bool = False
    """Whether it is one of them for certain."""


UNKNOWN = Texts()
"""Of which nothing is known."""


def changed(texts: Texts, change: Callable[[str], str | None]) -> Texts:
    """Return what becomes of texts; those of which nothing becomes are unknown."""
    values = [change(text) for text in texts.values]
    return Texts(frozenset(v for v in values if v is not None), texts.complete and None not in values)


def holes_filled(texts: Texts) -> Iterator[tuple[str, bool]]:
    """Return each text up to its first hole, and whether it has none."""
    for value in sorted(texts.values):
        known, hole, _ = value.partition(HOLE)
        yield known, not hole


def decoded(function: str, text: str, *more: str) -> str | None:
    """Return what a function makes of a text; None for one that is not known, or refuses."""
    if function == "codecs.decode" and more and more[0].replace("_", "").replace("-", "") == "rot13":
        return codecs.decode(text, "rot13")
    decode = _DECODERS.get(function)
    value = None if decode is None else _safely(decode, text)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def applied(text: str, method: str, *args: str) -> str | None:
    """Return what a method makes of a text; None where it makes no text."""
    if sum(map(len, args)) * max(1, len(text)) > _LONGEST * 100:
        return None
    value = _safely(getattr(text, method), *args)
    return value if isinstance(value, str) else None


def piece(text: str, method: str, args: list[str], index: int) -> str | None:
    """Return one of the pieces that a method takes a text apart into."""
    pieces = _safely(getattr(text, method), *args)
    value = _safely(pieces.__getitem__, index) if isinstance(pieces, (list, tuple)) else None
    return value if isinstance(value, str) else None


def number(node: ast.expr | None) -> int | None:
    """Return a number that is written down, None for no expression.

    Raises:
        ValueError: it is not constant.
    """
    if node is None:
        return None
    try:
        value = ast.literal_eval(node)
    except (TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("not constant") from error
    if not isinstance(value, int):
        raise ValueError("no number")
    return value


def _safely(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except (TypeError, ValueError, OverflowError, LookupError):
        return None
