"""For people: flake8's line, and on a terminal the source with a caret, in colour, and how much there is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TextIO
from unicodedata import category, east_asian_width

from observatory_lint.parsing import text_of
from observatory_lint.values import Finding

_BOLD, _RED, _DIM, _END = "\033[1m", "\033[31m", "\033[2m", "\033[0m"
_DRAWN = dict.fromkeys((*range(32), *range(127, 160)), "�") | {ord("\t"): "    "}
"""How letters that move the cursor are drawn."""


def write_plain(findings: Sequence[Finding], out: TextIO) -> None:
    """Write a line for each finding, and on a terminal below it the line that it stands in."""
    if not (out.isatty() or os.environ.get("FORCE_COLOR")):
        out.writelines(f"{_place(finding)} {finding.code} {finding.message}\n" for finding in findings)
        return
    coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    bold, red, dim, end = (_BOLD, _RED, _DIM, _END) if coloured else ("",) * 4
    lines_of = cache(_lines_of)  # each file once
    for finding in findings:
        out.write(f"{bold}{_drawn(_place(finding))}{end} {red}{finding.code}{end} {_drawn(finding.message)}\n")
        shown = _shown(finding, lines_of(finding.path))
        if shown:
            source, indent, caret = shown
            out.write(f"{dim}  |{end} {source}\n{dim}  |{end} {indent}{red}{caret}{end}\n")
    out.writelines(_summary(findings))


def _place(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}:{finding.column}:"


def _lines_of(path: str) -> list[str]:
    try:
        return text_of(Path(path).read_bytes()).split("\n")
    except OSError:
        return []


def _shown(finding: Finding, lines: list[str]) -> tuple[str, str, str] | None:
    """Return the line of a finding, and blanks and carets that stand below it."""
    if finding.line > len(lines):
        return None
    source = lines[finding.line - 1]
    start = finding.column - 1
    end = finding.end_column - 1 if finding.end_line == finding.line else len(source)
    marked = _drawn(source[start:end].rstrip())
    return _drawn(source), " " * _width(_drawn(source[:start])), "^" * max(1, _width(marked))


def _drawn(text: str) -> str:
    return text.translate(_DRAWN)


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if category(letter) in {"Mn", "Me", "Cf"} else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


def _summary(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield "nothing found\n"
        return
    files = {finding.path for finding in findings}
    yield f"{_counted(len(findings), 'finding')} in {_counted(len(files), 'file')}\n"
    idle = sum(finding.code == "OBS902" for finding in findings)
    if idle:
        yield f"--fix-noqa mends {_counted(idle, 'comment')}\n"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
