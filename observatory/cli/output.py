"""What a person sees, and what a program reads. What others wrote is made harmless first."""

from __future__ import annotations

import io
import sys
import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout, suppress
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from observatory.errors import ObservatoryError

_HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that move a cursor, change the direction of writing, hide, or begin a line."""

_JOINERS = "\u200c\u200d"
"""Of these categories, but part of words and emoji."""

_SHOWN = 2_000
"""Characters of one text that a table on a terminal shows."""


class OutputError(ObservatoryError):
    """Raised when standard output cannot be written, unless it is a pipe whose reader has gone."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written: {error.strerror}; what the command has done stands")


class _Output(io.TextIOWrapper):
    """Standard output whose failures can be told from those of other files."""

    def write(self, text: str, /) -> int:
        """Write text, perhaps later."""
        with _failing_as_output():
            return super().write(text)

    def flush(self) -> None:
        """Write what is left."""
        with _failing_as_output():
            super().flush()


@contextmanager
def _failing_as_output() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # `endings` answers it without a word
    except OSError as error:
        raise OutputError(error) from error


def watched_stdout() -> AbstractContextManager[None]:
    """Let writing to standard output fail with `OutputError`, and never for a terminal of few letters."""
    stdout = sys.stdout  # it is None when whoever has started us has closed it
    return _watched(stdout) if isinstance(stdout, io.TextIOWrapper) else nullcontext()


@contextmanager
def _watched(stdout: io.TextIOWrapper) -> Iterator[None]:
    output = _Output(
        stdout.buffer,
        encoding=stdout.encoding,
        errors="backslashreplace",
        line_buffering=stdout.line_buffering,
        write_through=stdout.write_through,
    )
    try:
        with redirect_stdout(output):
            yield
    finally:
        output.detach()


class PipeConsole(Console):
    """A rich console that leaves a closed pipe to `endings`, where rich would end the process from anywhere."""

    def on_broken_pipe(self) -> None:
        """Let the error through."""
        raise  # rich calls this from its `except BrokenPipeError`


def make_console(*, stderr: bool = False) -> Console:
    """Make a console that takes text as it is: no markup, no emoji codes, no colours but those asked for."""
    return PipeConsole(stderr=stderr, markup=False, emoji=False, highlight=False)


def harmless(text: str, *, lines: bool = False) -> str:
    """Write what could do something to a terminal as Python would write it in a string.

    Args:
        text: whatever somebody sent.
        lines: leave line breaks as they are.
    """
    if text.isprintable():
        return text
    return "".join(char if _may_stand(char, lines) else _escape(char) for char in text)


def print_json(value: Any, *, flush: bool = False) -> None:
    """Print one line of JSON, all ASCII; at once, if somebody waits for it."""
    import json  # here, so that the help is quick

    print(json.dumps(value), flush=flush)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Container[str] = ()) -> None:
    """Print rows: a table on a terminal, else a line each with tabs between the cells.

    Args:
        columns: their headings.
        rows: cells, as many as columns.
        numbers: columns that hold numbers.
    """
    console = make_console()
    if console.is_terminal:
        console.print(make_table(columns, rows, numbers=numbers))
        return
    for row in rows:
        print("\t".join(map(harmless, row)))


def make_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Container[str] = (), title: str | None = None
) -> Table:
    """Make a table for a terminal; arguments as of `print_table`, and a title above it."""
    table = Table(
        box=box.ROUNDED, border_style="dim", header_style="bold", title=title, title_justify="left", title_style="bold"
    )
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in numbers else "left")
    for row in rows:
        table.add_row(*(_cell(text) for text in row))
    return table


def note(text: str) -> None:
    """Tell a person something beside the output."""
    with suppress(OSError):  # nobody reads it
        make_console(stderr=True).print(Text(harmless(text), style="dim"), soft_wrap=True)


def complain(text: str) -> None:
    """Print one line on standard error that says what went wrong."""
    if sys.stderr is None:
        return  # whoever has started us has closed it, and `print` would take standard output
    with suppress(OSError):  # nobody reads it
        print(f"observatory: {harmless(' '.join(text.split()))}", file=sys.stderr)


def local_time(moment: datetime, shape: str) -> str:
    """Write a time as the clock on the wall shows it; one so far off that it has none there, in UTC."""
    with suppress(OverflowError):
        moment = moment.astimezone()
    return moment.strftime(shape)


def in_words(seconds: float | None) -> str:
    """Write a length of time for a person, such as `3 min`."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun, such as `1 message` or `2,000 messages`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def shorten(text: str, length: int) -> str:
    """Cut a text to a length, and show that it was cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _cell(text: str) -> Text:
    cut = len(text) - _SHOWN
    cell = Text(harmless(text[:_SHOWN], lines=True))
    return cell.append(f" … {cut:,} more characters", style="dim italic") if cut > 0 else cell


def _may_stand(char: str, lines: bool) -> bool:
    return unicodedata.category(char) not in _HARMFUL or char in _JOINERS or (lines and char == "\n")


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()
