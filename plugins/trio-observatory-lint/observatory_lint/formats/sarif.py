"""For code scanning: SARIF 2.1.0, with what GitHub asks for besides."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from observatory_lint.catalogue import CATALOGUE, CODES, Code
from observatory_lint.formats.fingerprints import fingerprints
from observatory_lint.values import Finding

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"  # what relative paths start from, by its usual name


def write_sarif(findings: Sequence[Finding], out: TextIO) -> None:
    """Write one run with every rule and every finding; a chain of imports is a code flow."""
    from importlib.metadata import version  # late, since it takes long and other formats need it not

    known = cache(_fingerprints)  # each file once
    run = {
        "tool": {
            "driver": {
                "name": "observatory-lint",
                "semanticVersion": version("trio-observatory-lint"),
                "rules": [_rule(entry) for entry in CATALOGUE],
            }
        },
        "originalUriBaseIds": {_ROOT: {"uri": f"{Path.cwd().as_uri().rstrip('/')}/"}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, known(finding.path)) for finding in findings],
    }
    json.dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, out, indent=2)
    out.write("\n")


def _rule(entry: Code) -> dict[str, Any]:
    examples = f"Wrong:\n\n```py\n{entry.wrong}\n```\n\nRight:\n\n```py\n{entry.right}\n```"
    return {
        "id": entry.code,
        "name": "".join(word.capitalize() for word in entry.name.split("-")),
        "shortDescription": {"text": entry.name.replace("-", " ")},
        "fullDescription": {"text": entry.why},
        "help": {"text": entry.mend, "markdown": f"{entry.why}\n\n{examples}\n\n{entry.mend}"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"precision": "very-high", "problem.severity": "error"},
    }


def _result(finding: Finding, known: Sequence[str]) -> dict[str, Any]:
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
    if finding.line <= len(known):
        result["partialFingerprints"] = {"primaryLocationLineHash": known[finding.line - 1]}
    if len(finding.chain) > 1:
        steps = [{"location": _location(s.path, {"startLine": s.line}, f"imports {s.imports}")} for s in finding.chain]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    return result


def _location(path: str, region: dict[str, int], message: str = "") -> dict[str, Any]:
    if os.path.isabs(path):
        file = {"uri": Path(path).as_uri()}
    else:
        file = {"uri": quote(os.fsencode(Path(path).as_posix())), "uriBaseId": _ROOT}
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": file, "region": region}}
    return {**location, "message": {"text": message}} if message else location


def _fingerprints(path: str) -> Sequence[str]:
    try:
        return fingerprints(Path(path).read_bytes())
    except OSError:
        return ()
