"""For people: flake8's line, and on a terminal the source with a caret, in colour."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from observatory_lint.parsing import text_of
from observatory_lint.values import Finding

_BOLD, _RED, _DIM, _END = "\033[1m", "\033[31m", "\033[2m", "\033[0m"


def write_plain(findings: Sequence[Finding], out: TextIO) -> None:
    """Write a line for each finding, and on a terminal below it the line that it stands in."""
    coloured = out.isatty() and "NO_COLOR" not in os.environ
    lines: dict[str, list[str]] = {}
    for finding in findings:
        place = f"{finding.path}:{finding.line}:{finding.column}:"
        if coloured:
            out.write(f"{_BOLD}{place}{_END} {_RED}{finding.code}{_END} {finding.message}\n")
        else:
            out.write(f"{place} {finding.code} {finding.message}\n")
        if out.isatty():
            if finding.path not in lines:
                lines[finding.path] = _lines_of(finding.path)
            out.writelines(_shown(finding, lines[finding.path], coloured=coloured))


def _lines_of(path: str) -> list[str]:
    try:
        return text_of(Path(path).read_bytes()).split("\n")
    except OSError:
        return []


def _shown(finding: Finding, lines: list[str], *, coloured: bool) -> Iterator[str]:
    """Return the line of a finding, and what stands below it."""
    if finding.line > len(lines):
        return
    source = lines[finding.line - 1]
    end = finding.end_column if finding.end_line == finding.line else len(source) + 1
    indent = "".join("\t" if letter == "\t" else " " for letter in source[: finding.column - 1])
    caret = "^" * max(1, min(end, len(source) + 1) - finding.column)
    margin = f"{_DIM}  |{_END} " if coloured else "  | "
    yield f"{margin}{source}\n"
    yield f"{margin}{indent}{_RED}{caret}{_END}\n" if coloured else f"{margin}{indent}{caret}\n"
