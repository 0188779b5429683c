"""`observatory-lint`: 0 when nothing was found, 1 when something was, 2 when it could not run."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from textwrap import indent

from observatory_lint.catalogue import CATALOGUE, CODES, Code, hint
from observatory_lint.engine import check
from observatory_lint.files import python_files
from observatory_lint.formats import FORMATS
from observatory_lint.mending import mend
from observatory_lint.settings import SettingsError
from observatory_lint.values import Finding

INTERRUPTED = 130
"""What the process ends with after Ctrl-C, as others do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: what stands on the command line; None for that of this process.

    Returns:
        What the process ends with.
    """
    given = _parser().parse_args(arguments)
    try:
        return _run(given)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(given: argparse.Namespace) -> int:
    if given.explain is not None:
        return _explain(given.explain)
    if not given.paths:
        return _refuse("name files or folders to look at, such as `observatory-lint .`")
    try:
        select, ignore = _codes(given.select), _codes(given.ignore)
        findings = check(given.paths, select=select, ignore=ignore, cached=not given.no_cache)
        mended = mend(findings) if given.fix_noqa else 0
        if mended:
            findings = check(given.paths, select=select, ignore=ignore, cached=not given.no_cache)
    except (SettingsError, ValueError) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or 'the working folder'}: {error.strerror}" if error.errno else str(error))
    if mended:
        _say(f"observatory-lint: {mended} comment{'s' * (mended != 1)} mended")
    if not findings and not any(map(_has_python, given.paths)):
        _say(f"observatory-lint: no Python files in {', '.join(given.paths)}")
    status = _print(lambda: FORMATS[given.format](findings, sys.stdout), 1 if findings else 0)
    if given.statistics:
        _count(findings)
    return status


def _print(write: Callable[[], object], status: int) -> int:
    """Write to the standard output, and return what the process ends with: 2 when that is not possible."""
    if sys.stdout is None:
        return _refuse("the standard output is closed")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that its encoding lacks is no reason to fail
    try:
        write()
        sys.stdout.flush()
    except OSError as error:
        # What it still holds would be written when the process ends, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # then whoever reads has seen enough
            return _refuse(f"the standard output cannot be written to: {error.strerror}")
    return status


def _has_python(path: str) -> bool:
    return not os.path.isdir(path) or any(True for _ in python_files(path))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="observatory-lint",
        description="Find what breaks the plain-module rule: ephemeral modules reach no database and write no files.",
        epilog="Settings are in [tool.observatory.lint] of pyproject.toml. Nothing that is read is run.",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a file, or a folder with all Python files in it")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how findings are written (default: text)")
    parser.add_argument("--select", default="", metavar="CODES", help="only these, or what begins so: OBS1,OBS301")
    parser.add_argument("--ignore", default="", metavar="CODES", help="not these, besides those in the settings")
    parser.add_argument("--explain", metavar="CODE", help="say what a code finds, why, and how to mend it")
    parser.add_argument("--statistics", action="store_true", help="count findings by code, on the standard error")
    parser.add_argument("--fix-noqa", action="store_true", help="remove comments that suppress nothing")
    parser.add_argument("--no-cache", action="store_true", help="read everything anew, and remember nothing")
    return parser


def _codes(text: str) -> tuple[str, ...]:
    """Return codes from a list with commas.

    Raises:
        ValueError: one of them is none.
    """
    codes = tuple(code.upper() for code in re.split(r"[,\s]+", text) if code)
    for code in codes:
        if not any(known.startswith(code) for known in CODES):
            raise ValueError(f"{code!r} is no code, nor what one begins with{hint(code)}")
    return codes


def _explain(code: str) -> int:
    entry = next((entry for entry in CATALOGUE if entry.code == code.upper()), None)
    if entry is None:
        return _refuse(f"{code!r} is no code{hint(code)}")
    text = _explanation(entry)
    return _print(lambda: print(text), 0)


def _explanation(entry: Code) -> str:
    wrong, right = (indent(text, "    ") for text in (entry.wrong, entry.right))
    return f"{entry.code} {entry.name}\n\n{entry.why}\n\nWrong:\n\n{wrong}\n\nRight:\n\n{right}\n\n{entry.mend}"


def _count(findings: list[Finding]) -> None:
    counts = Counter(finding.code for finding in findings)
    for code, count in sorted(counts.items()):
        _say(f"{count:6} {code} {CATALOGUE[CODES.index(code)].name}")


def _refuse(reason: str) -> int:
    _say(f"observatory-lint: {reason}")
    return 2


def _say(text: str) -> None:
    """Write a line to the standard error; where that is not possible, nobody can be told."""
    with suppress(OSError):
        print(text, file=sys.stderr)
