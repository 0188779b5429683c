"""Every violation is found, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from observatory_lint import CATALOGUE, check

CASES = Path(__file__).parent / "cases"


def test_exactly_what_is_marked_is_found(case: Any, here: Path) -> None:
    """Findings are those of the case: file, line, code, and how many of them."""
    case.write(here)
    found = check([here], cached=False)
    assert [(finding.path, finding.line, finding.code) for finding in found] == case.expected


def test_there_are_many_cases() -> None:
    """Every code is found somewhere, and there are cases without a finding."""
    texts = [file.read_text(encoding="utf-8") for file in CASES.glob("*.txt")]
    bodies = [body for text in texts for body in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]]
    assert len(bodies) >= 150
    assert sum("# error:" not in body for body in bodies) >= 40
    found = {
        code for text in texts for codes in re.findall(r"# error: ([A-Z0-9, ]+)", text) for code in codes.split(", ")
    }
    assert found | {"OBS201"} == {entry.code for entry in CATALOGUE}
