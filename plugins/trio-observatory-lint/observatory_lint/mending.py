"""Takes away comments that suppress nothing."""

from __future__ import annotations

import os
import re
import tempfile
import tokenize
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from observatory_lint.values import Finding

_IDLE = re.compile(r"suppresses nothing: (?P<codes>[A-Za-z0-9, ]+) is not found here")
_COMMENT = re.compile(r"# noqa:\s?(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)(?P<reason>[^\r\n#]*)", re.IGNORECASE)


def mend(findings: Sequence[Finding]) -> int:
    """Remove what suppresses nothing from comments, and comments that are left with nothing to suppress.

    Returns:
        How many comments were changed.
    """
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.code == "OBS902":
            by_file.setdefault(finding.path, []).append(finding)
    for path, idle in by_file.items():
        _mend_file(Path(path), idle)
    return sum(map(len, by_file.values()))


def _mend_file(path: Path, idle: list[Finding]) -> None:
    data = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
    lines = re.split(r"(\r\n|\r|\n)", data.decode(encoding))  # every second one is the end of a line
    for finding in idle:
        index = 2 * (finding.line - 1)
        found = _IDLE.match(finding.message)
        head, tail = lines[index][: finding.column - 1], lines[index][finding.column - 1 :]
        comment = _COMMENT.match(tail)
        if found and comment:
            rest = _without(comment, set(found["codes"].split(", ")))
            lines[index] = (head + rest + tail[comment.end() :]).rstrip()
    _write(path, "".join(lines).encode(encoding))


def _without(match: re.Match[str], gone: set[str]) -> str:
    """Return a comment without some codes; nothing when none is left."""
    codes = [code for code in re.split(r"[,\s]+", match["codes"]) if code not in gone]
    return f"# noqa: {', '.join(codes)}{match['reason']}" if codes else ""


def _write(path: Path, data: bytes) -> None:
    """Write a file as a whole, or not at all; who may read it stays as it is."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, path.stat().st_mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
