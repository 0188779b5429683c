"""The extension point of the doctor: a check, and what it finds."""

from __future__ import annotations

import os
import shlex
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, TypeAlias

import attrs

from observatory.abc import Context


@attrs.frozen
class Finding:
    """Something that is wrong."""

    subject: str
    """What it is about, such as a path or an agent; as it is called, whatever characters that has."""
    problem: str
    """What is wrong with it, in one line."""
    remedy: str
    """The command that mends it, or else what to do, in one line."""
    fix: Callable[[], Awaitable[None]] | None = attrs.field(default=None, eq=False, repr=False)
    """Mends it; only there where nobody can lose anything by that. It looks again first, and does nothing where nothing
    is wrong any more. Raises `ObservatoryError` or `OSError` when it cannot."""


class Check(ABC):
    """Looks for what is wrong, when somebody asks: `observatory doctor`, or `examine`.

    No Observatory is open then: the root may be missing, `context.modules` and `context.services` are empty, and
    another process may be at work on the same root. A check that fails with `ObservatoryError` or `OSError` is a
    finding itself.

    One that has an `interval` is asked that often, too, while an Observatory is open, whose `context.observatory` and
    `context.modules` it then has; what it finds stands in the state of the swarm.

    Laws:
        - It finds nothing in an empty root, nor where there is no root yet.
        - Looking changes nothing, and gives everything back, also when it is cancelled.
        - Looking again finds the same.
        - Problem and remedy of a finding are one line each.
        - What was fixed is not found again, and everything else is. To fix it once more changes nothing.
    """

    interval: ClassVar[float | None] = None
    """Seconds between two rounds while an Observatory is open; None for one that is asked by the doctor only."""

    @abstractmethod
    async def run(self) -> Sequence[Finding]:
        """Look, and return what is wrong."""


CheckFactory: TypeAlias = Callable[[Context], Check]


def quoted(path: str | os.PathLike[str]) -> str:
    """Write a path so that a shell reads it as it is, with characters that can be printed only.

    What POSIX shells cannot write like that is written as in bash and zsh: `$'…'`.
    """
    text = os.fspath(path)
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_escaped, os.fsencode(text))) + "'"


def _escaped(byte: int) -> str:
    char = chr(byte)
    return char if char.isascii() and char.isprintable() and char not in "'\\" else f"\\x{byte:02x}"
