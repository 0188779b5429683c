"""The library's log on standard error: one line a record, without tracebacks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from observatory.cli.output import complain
from observatory.errors import one_line

_LIBRARY = "observatory"


class _Complaints(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error and one_line(error) not in line:
            line += f": {one_line(error)}"
        complain(f"{record.levelname.lower()}: {line}")


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Show warnings and errors of the library while a command runs."""
    logger = logging.getLogger(_LIBRARY)
    handler = _Complaints()
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)


@contextmanager
def log_everything() -> Iterator[None]:
    """Show what the library tells at level `INFO` too, such as the lines of the delivery channel `log`."""
    logger = logging.getLogger(_LIBRARY)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
