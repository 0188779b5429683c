"""How a command ends: from errors to exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO

from cyclopts import CycloptsError

from observatory.cli.output import OutputError, complain
from observatory.errors import ObservatoryError

OK = 0
FAILED = 1
"""Something was refused, failed or could not be delivered."""
CANNOT = 2
"""It cannot be done here: the command was written wrongly, or needs what is in another process's memory."""
INTERRUPTED = 130
"""Ctrl-C: what shells report for it."""


def ending(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; an error that was foreseen is one line on standard error.

    Args:
        command: returns an exit code.
    """
    code = max(_code_from(command), _code_from(_flush))
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:  # nobody reads it; not before the end, for a disk that is full may have room again
        _discard(sys.stderr)
    return code


def _flush() -> int:
    if sys.stdout is not None:  # as it is when whoever has started us has closed it
        sys.stdout.flush()  # here, where a closed pipe can still be answered
    return OK


def _code_from(command: Callable[[], int]) -> int:
    try:
        return command()
    except (CycloptsError, ObservatoryError, BrokenPipeError, KeyboardInterrupt, BaseExceptionGroup) as error:
        codes = [_code_of(leaf) for leaf in _leaves(error)]
        if None in codes:
            raise
        return max(code for code in codes if code is not None)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _code_of(error: BaseException) -> int | None:
    """Tell the person about an error and return its exit code; None for one that nobody foresaw."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _discard(sys.stdout)
        return FAILED
    if isinstance(error, CycloptsError):
        complain(str(error))
        return CANNOT
    if isinstance(error, OutputError):
        _discard(sys.stdout)
    if isinstance(error, ObservatoryError):
        complain(str(error))
        return FAILED
    return None


def _discard(stream: TextIO) -> None:
    """Send what is left to nowhere: the interpreter flushes once more at its end, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
