"""`observatory-lint`: 0 when nothing was found, 1 when something was, 2 when it could not run."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

from observatory_lint.catalogue import CATALOGUE, CODES
from observatory_lint.engine import check
from observatory_lint.formats import FORMATS
from observatory_lint.mending import mend
from observatory_lint.settings import SettingsError
from observatory_lint.values import Finding


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: what stands on the command line; None for that of this process.

    Returns:
        What the process ends with.
    """
    given = _parser().parse_args(arguments)
    if given.explain:
        return _explain(given.explain)
    if not given.paths:
        return _refuse("name files or folders to look at, such as `observatory-lint .`")
    try:
        select, ignore = _codes(given.select), _codes(given.ignore)
        findings = check(given.paths, select=select, ignore=ignore, cached=not given.no_cache)
        if given.fix_noqa and mend(findings):
            findings = check(given.paths, select=select, ignore=ignore, cached=not given.no_cache)
    except (SettingsError, ValueError, OSError) as error:
        return _refuse(str(error))
    return _tell(findings, given)


def _tell(findings: list[Finding], given: argparse.Namespace) -> int:
    try:
        FORMATS[given.format](findings, sys.stdout)
        if given.statistics:
            _count(findings)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        sys.stderr.close()
    return 1 if findings else 0


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
    codes = tuple(code.strip() for code in text.split(",") if code.strip())
    for code in codes:
        if not any(known.startswith(code) for known in CODES):
            raise ValueError(f"{code!r} is no code, nor what one begins with{_hint(code)}")
    return codes


def _hint(code: str) -> str:
    near = get_close_matches(code, CODES, 1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(CODES)}"


def _explain(code: str) -> int:
    for entry in CATALOGUE:
        if entry.code == code.upper():
            wrong, right = (text.replace("\n", "\n    ") for text in (entry.wrong, entry.right))
            print(f"{entry.code} {entry.name}\n\n{entry.why}\n")
            print(f"Wrong:\n\n    {wrong}\n\nRight:\n\n    {right}\n\n{entry.mend}")
            return 0
    return _refuse(f"{code!r} is no code{_hint(code.upper())}")


def _count(findings: list[Finding]) -> None:
    counts = Counter(finding.code for finding in findings)
    for code, count in sorted(counts.items()):
        print(f"{count:6} {code} {CATALOGUE[CODES.index(code)].name}", file=sys.stderr)


def _refuse(reason: str) -> int:
    print(f"observatory-lint: {reason}", file=sys.stderr)
    return 2
