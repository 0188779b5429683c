"""For GitHub: annotations on the lines of a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from observatory_lint.values import Finding


def write_annotations(findings: Sequence[Finding], out: TextIO) -> None:
    """Write a workflow command for each finding."""
    for finding in findings:
        end = f",endLine={finding.end_line}"
        if finding.end_line == finding.line:
            end += f",endColumn={finding.end_column}"
        where = f"file={_property(finding.path)},line={finding.line}{end},col={finding.column}"
        out.write(f"::error {where},title={finding.code}::{_data(f'{finding.code} {finding.message}')}\n")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
