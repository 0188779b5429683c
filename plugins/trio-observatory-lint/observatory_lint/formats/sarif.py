"""For code scanning: SARIF 2.1.0."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from observatory_lint.catalogue import CATALOGUE, CODES
from observatory_lint.values import Finding

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def write_sarif(findings: Sequence[Finding], out: TextIO) -> None:
    """Write one run with every rule and every finding; a chain of imports is a code flow."""
    rules = [
        {
            "id": entry.code,
            "name": "".join(word.capitalize() for word in entry.name.split("-")),
            "shortDescription": {"text": entry.name.replace("-", " ")},
            "fullDescription": {"text": entry.why},
            "help": {"text": entry.mend},
            "defaultConfiguration": {"level": "error"},
        }
        for entry in CATALOGUE
    ]
    run = {
        "tool": {"driver": {"name": "observatory-lint", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding) for finding in findings],
    }
    json.dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, out, indent=2)
    out.write("\n")


def _result(finding: Finding) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": CODES.index(finding.code),
        "level": "error",
        "message": {"text": finding.message},
        "locations": [_location(finding.path, region)],
    }
    if len(finding.chain) > 1:
        steps = [{"location": _location(s.path, {"startLine": s.line}, f"imports {s.imports}")} for s in finding.chain]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    return result


def _location(path: str, region: dict[str, int], message: str = "") -> dict[str, Any]:
    uri = Path(path).as_uri() if os.path.isabs(path) else quote(Path(path).as_posix())
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
    return {**location, "message": {"text": message}} if message else location
