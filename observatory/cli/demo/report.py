"""What all reports and answers come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from observatory.cli.demo.reading import Findings
from observatory.cli.output import counted, harmless, shorten

_MAX_ROWS = 20
_MAX_CELL = 160

NUMBERS = ("Words", "Headings", "Code blocks", "Longest line", "Times")
"""Columns that hold numbers."""


@attrs.frozen
class Section:
    """One table of the report."""

    title: str
    """What it says."""
    columns: Sequence[str]
    """Their headings."""
    rows: Sequence[Sequence[str]]
    """Cells, as many as columns."""


@attrs.frozen
class Check:
    """A question that was answered."""

    path: str
    """The file it was about."""
    question: str
    """What the reviewer asked."""
    worker: str
    """Who answered."""
    answer: str
    """What."""


@attrs.define
class Review:
    """What the reviewer has collected."""

    findings: list[Findings] = attrs.field(factory=list)
    """One for each file."""
    checks: list[Check] = attrs.field(factory=list)
    """What was asked and answered."""
    left_out: Sequence[tuple[str, str]] = ()
    """What nobody was to read, and why."""

    def sections(self) -> list[Section]:
        """Return the report: what was found, what is worth a look, and what was not read."""
        read = sorted((one for one in self.findings if one.problem is None), key=lambda one: one.path)
        sections = [
            _section("Files", ("Words", "Headings", "Code blocks", "Longest line", "File"), map(_file_row, read)),
            _section("Worth a look", ("What", "Where"), (row for one in read for row in _worth_a_look(one))),
            _section("Checked by the reviewer", ("Question", "Answer", "By"), map(_check_row, self._checks())),
            _section("Most frequent terms", ("Times", "Term"), _term_rows(read)),
            _section("Not read", ("Why", "What"), self._not_read()),
        ]
        return [section for section in sections if section.rows]

    def headline(self) -> str:
        """Sum it all up in one line."""
        read = [one for one in self.findings if one.problem is None]
        parts = (
            counted(sum(one.words for one in read), "word"),
            counted(sum(one.headings for one in read), "heading"),
            counted(sum(one.code_blocks for one in read), "code block"),
            counted(sum(len(one.marks) for one in read), "mark of unfinished work", "marks of unfinished work"),
            counted(sum(len(one.broken_links) for one in read), "broken link"),
        )
        return f"{counted(len(read), 'file')} read: {', '.join(parts)}"

    def _checks(self) -> list[Check]:
        return sorted(self.checks, key=lambda check: check.path)

    def _not_read(self) -> list[tuple[str, str]]:
        unread = [(one.problem, one.path) for one in self.findings if one.problem is not None]
        return sorted(unread) + [(reason, path) for path, reason in self.left_out]


def to_markdown(headline: str, sections: Iterable[Section]) -> str:
    """Write a report as Markdown."""
    blocks = [f"# Report\n\n{headline}\n"]
    for section in sections:
        rule = ["---"] * len(section.columns)
        rows = (section.columns, rule, *([_escape(cell) for cell in row] for row in section.rows))
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        blocks.append(f"## {section.title}\n\n{table}\n")
    return "\n".join(blocks)


def sections_from(metadata: Any) -> list[Section]:
    """Read the sections that came as metadata of a message."""
    return [Section(**section) for section in metadata["sections"]]


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Section:
    cut = [[shorten(cell, _MAX_CELL) for cell in row] for row in rows]
    more = len(cut) - _MAX_ROWS
    if more > 0:
        cut[_MAX_ROWS:] = [["…"] * (len(columns) - 1) + [f"and {more:,} more"]]
    return Section(title, columns, cut)


def _file_row(one: Findings) -> tuple[str, ...]:
    return f"{one.words:,}", str(one.headings), str(one.code_blocks), f"{one.longest:,}", one.path


def _worth_a_look(one: Findings) -> Iterable[tuple[str, str]]:
    for place in one.broken_links:
        yield f"broken link: {place.text}", f"{one.path}:{place.line}"
    for place in one.marks:
        yield place.text, f"{one.path}:{place.line}"


def _check_row(check: Check) -> tuple[str, ...]:
    return check.question, check.answer, check.worker


def _term_rows(read: Iterable[Findings]) -> list[tuple[str, str]]:
    terms: Counter[str] = Counter()
    for one in read:
        terms.update(one.terms)
    ranked = sorted(terms.items(), key=lambda item: (-item[1], item[0]))
    return [(f"{count:,}", term) for term, count in ranked[:10]]


def _escape(cell: str) -> str:
    return harmless(cell).replace("|", "\\|")
