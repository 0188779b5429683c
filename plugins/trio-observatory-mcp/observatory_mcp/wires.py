"""Standard input and output as streams that can be cancelled, and that nothing but the protocol goes over."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import trio
from cyclopts import CycloptsError


@contextmanager
def standard_streams() -> Iterator[tuple[trio.lowlevel.FdStream, trio.lowlevel.FdStream]]:
    """Take standard input and output for the time of a block.

    What prints, here or in a child process, prints to standard error meanwhile, and what reads finds nothing. The
    streams are the caller's to close.

    Raises:
        CycloptsError: one of them is closed.
    """
    if sys.stdin is None or sys.stdout is None:  # as Python sets them; the numbers may be others' by now
        raise CycloptsError(msg="standard input and output are needed, and one of them is closed")
    kept = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3) for number in (0, 1)]
    theirs = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3) for number in kept]
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    try:
        yield trio.lowlevel.FdStream(theirs[0]), trio.lowlevel.FdStream(theirs[1])
    finally:
        for number, original in enumerate(kept):
            os.dup2(original, number)
            os.close(original)
