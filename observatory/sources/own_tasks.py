"""The tasks that Claude Code keeps for a team, `{root}/tasks/{team}/{n}.json`, as lines like those of `tasks.jsonl`.

The format is observed, not documented: it is read leniently, and never written. The only place that knows it.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Generator, Iterator

from observatory.errors import SwarmSourceError
from observatory.sources.access import check_size, explained, read_file, stamp_of, why
from observatory.sources.task_file import MAX_SIZE

MAX_FILES = 10_000
"""Tasks of one team."""
_SUFFIX = ".json"
_MAX_FILE = 1024 * 1024
_FIELDS = {
    "id": "id",
    "status": "status",
    "subject": "subject",
    "description": "description",
    "owner": "owner",
    "blockedBy": "blocked_by",
}
"""What is taken, and what a line calls it."""


def read_own_tasks(folder: str, project: str) -> Generator[None, None, bytes]:
    """Return a team's tasks, one JSON object a line. A file that holds none becomes a line that is none.

    Args:
        folder: where they are.
        project: what they are called in errors.

    Raises:
        SwarmSourceError: they cannot be read, or are too many.
    """
    lines: list[bytes] = []
    size = 0
    with explained(project, "read"):
        names = sorted((entry.name for entry in _listed(folder)), key=_number)
        if len(names) > MAX_FILES:
            raise SwarmSourceError(project, f"more than {MAX_FILES:,} files are too many: remove some")
        for name in names:
            yield
            line = _line(os.path.join(folder, name), name)
            size += len(line)
            check_size(size, MAX_SIZE)
            lines.append(line)
    return b"".join(lines)


def stamp_of_own_tasks(folder: str) -> Generator[None, None, str | None]:
    """Return what changes when a team's tasks may have changed; None where there are none.

    Raises:
        OSError: they cannot be listed.
    """
    stamps = []
    for entry in _listed(folder):
        yield
        try:
            stamps.append(f"{entry.name!a} {stamp_of(entry.stat())}")
        except OSError as error:
            stamps.append(f"{entry.name!a} error {error.errno}")
    return hashlib.sha256("\n".join(sorted(stamps)).encode()).hexdigest() if stamps else None


def _listed(folder: str) -> Iterator[os.DirEntry[str]]:
    """Go through the files that look like tasks, one more than allowed at most; there are none in a missing folder."""
    count = 0
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIX) and not entry.name.startswith("."):
                yield entry
                count += 1
                if count > MAX_FILES:
                    break


def _number(name: str) -> tuple[float, str]:
    stem = name.removesuffix(_SUFFIX)
    return int(stem) if stem.isdecimal() else math.inf, name


def _line(path: str, name: str) -> bytes:
    """Return the line of a task; nothing when its file has just gone."""
    import orjson  # here, so that `import observatory` is quick

    try:
        raw, status = read_file(path, _MAX_FILE)
        found = orjson.loads(raw)
        if isinstance(found, dict):
            task = {called: found[field] for field, called in _FIELDS.items() if field in found}
            return orjson.dumps(task | {"updated": status.st_mtime}, option=orjson.OPT_APPEND_NEWLINE)
        fault = "is no JSON object"
    except FileNotFoundError:
        return b""
    except OSError as error:
        fault = f"cannot be read: {why(error)}"
    except (ValueError, TypeError):  # TypeError: nested more deeply than is written
        fault = "is no JSON, or only half written"
    return orjson.dumps(f"{name!a} {fault}", option=orjson.OPT_APPEND_NEWLINE)
