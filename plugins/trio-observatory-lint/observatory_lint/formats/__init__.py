"""What findings look like to people and to programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from observatory_lint.formats.annotations import write_annotations
from observatory_lint.formats.plain import write_plain
from observatory_lint.formats.sarif import write_sarif
from observatory_lint.formats.values import write_values
from observatory_lint.values import Finding

FORMATS: Mapping[str, Callable[[Sequence[Finding], TextIO], None]] = {
    "text": write_plain,
    "github": write_annotations,
    "sarif": write_sarif,
    "json": write_values,
}
"""Every format, by its name on the command line."""
