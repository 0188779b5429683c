"""For programs: JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TextIO

from observatory_lint.values import Finding


def write_values(findings: Sequence[Finding], out: TextIO) -> None:
    """Write a list with an object for each finding, the chain of imports in it."""
    values = [{**finding._asdict(), "chain": [step._asdict() for step in finding.chain]} for finding in findings]
    out.write(f"{json.dumps(values, indent=2)}\n")
