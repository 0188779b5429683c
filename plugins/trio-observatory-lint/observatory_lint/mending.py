"""Takes away comments that suppress nothing."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import tokenize
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from observatory_lint.values import Finding

_IDLE = re.compile(r"suppresses nothing: (?P<codes>[A-Za-z0-9, ]+) is not found here")
_COMMENT = re.compile(
    r"# noqa:\s?(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)(?P<reason>(?:(?!\s*# ).)*)", re.IGNORECASE
)


def mend(findings: Sequence[Finding]) -> int:
    """Remove what suppresses nothing from comments, and comments that are left with nothing to suppress.

    Returns:
        How many comments were changed.

    Raises:
        OSError: a file cannot be written; it is as it was, those before it are mended.
    """
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.code == "OBS902":
            by_file.setdefault(finding.path, []).append(finding)
    return sum(_mend_file(Path(path), idle) for path, idle in by_file.items())


def _mend_file(path: Path, idle: list[Finding]) -> int:
    data = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
    lines = re.split(r"(\r\n|\r|\n)", data.decode(encoding))  # every second one is the end of a line
    changed = 0
    for finding in idle:
        index = 2 * (finding.line - 1)
        before, tail = lines[index], lines[index][finding.column - 1 :]
        found, comment = _IDLE.match(finding.message), _COMMENT.match(tail)
        if found and comment:
            head, rest = before[: finding.column - 1], _without(comment, set(found["codes"].split(", ")))
            lines[index] = f"{head if rest else head.rstrip()}{rest}{tail[comment.end() :]}"
            changed += lines[index] != before
    if changed:
        _write(path.resolve(), "".join(lines).encode(encoding))
    return changed


def _without(match: re.Match[str], gone: set[str]) -> str:
    """Return a comment without some codes; nothing when none is left."""
    codes = [code for code in re.split(r"[,\s]+", match["codes"]) if code not in gone]
    return f"# noqa: {', '.join(codes)}{match['reason']}" if codes else ""


def _write(path: Path, data: bytes) -> None:
    """Write a file as a whole, or not at all; whose it is and who may read it stays as it is."""
    status = path.stat()
    try:
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(name, status.st_mode)
            with suppress(PermissionError):
                os.chown(name, status.st_uid, status.st_gid)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
