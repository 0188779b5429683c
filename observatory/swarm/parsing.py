"""Lines to tasks: leniently, since many programs write them. What is wrong is named, and takes nothing else with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import attrs

from observatory.kinds import kind_of
from observatory.problems import Problem
from observatory.swarm.values import STATUSES, Priority, SwarmTask

MAX_TASKS = 100_000
"""Tasks of one file that are read; what follows is a problem."""

MAX_PROBLEMS = 1_000
"""Problems of one file that are noted."""

_MAX_SECONDS = 1e11
"""A larger number is taken for milliseconds since 1970."""

_STATUSES = {status: status for status in STATUSES}  # one string for all tasks: quick to compare, little to keep
BOM = b"\xef\xbb\xbf"
"""What some programs put in front of UTF-8."""


@attrs.frozen
class Parsed:
    """What a file says."""

    tasks: tuple[SwarmTask, ...]
    """Its tasks, in the order of lines. Of several with one id it is the last, in the place of the last."""
    problems: tuple[Problem, ...]
    """What is wrong with it; the first 1,000 things."""
    skipped: int
    """Lines that are no tasks."""
    data: bytes
    """The file, without what some programs put in front of UTF-8."""
    said: Sequence[SwarmTask | None]
    """What each of its lines says, so that a file of which little has changed is read quickly; None where something is
    wrong with it, or nothing stands in it. Lines are not kept one by one: that many small values take long to make."""


NOTHING = Parsed((), (), 0, b"", ())


def parse(data: bytes, where: str, earlier: Parsed = NOTHING) -> Parsed:
    """Read tasks, one JSON object a line.

    Args:
        data: the whole file.
        where: what it is called in problems.
        earlier: what was read of it before.
    """
    data = data.removeprefix(BOM)
    known = {raw: task for raw, task in zip(BytesIO(earlier.data), earlier.said, strict=False) if task is not None}
    said: list[SwarmTask | None] = []
    tasks: dict[str, SwarmTask] = {}
    problems: list[Problem] = []
    skipped = 0

    def note(number: int, problem: str) -> None:
        if len(problems) < MAX_PROBLEMS:
            problems.append(Problem(where, number, problem))

    for number, raw in enumerate(BytesIO(data), 1):
        task = known.get(raw)
        if task is None:
            task, faults = task_of(raw) if raw.strip() else (None, ())
            for fault in faults:
                note(number, fault)
            said.append(None if faults else task)
            if task is None:
                skipped += bool(faults)
                continue
        else:
            said.append(task)
        if task.id in tasks:
            note(number, f"there is a task {task.id!r:.80} before: the last one counts")
            del tasks[task.id]
        elif len(tasks) == MAX_TASKS:
            note(number, f"more than {MAX_TASKS:,} tasks: what follows is not read")
            break
        tasks[task.id] = task
    return Parsed(tuple(tasks.values()), tuple(problems), skipped, data, said)


def task_of(raw: bytes) -> tuple[SwarmTask | None, Sequence[str]]:
    """Read one line.

    Returns:
        Its task, None when it is none; and what is wrong with it. A field that is wrong is left out.
    """
    import orjson  # here, so that `import observatory` is quick

    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return None, (f"is no JSON, or only half written: {error.msg}",)
    if not isinstance(found, dict):
        return None, (f"expected a JSON object, got {kind_of(found)}",)
    faults: list[str] = []
    id = found.get("id")
    if type(id) is int:
        id = str(id)  # Claude Code numbers its tasks
    if not isinstance(id, str) or not id:
        return None, ("has no id: a string that is not empty",)
    said = found.get("status")
    status = _STATUSES.get(said) if isinstance(said, str) else None
    if status is None:
        faults.append(f"status: expected one of {', '.join(STATUSES)}, got {_shown(said)}")
        status = "unknown"
    task = SwarmTask(
        id,
        status,
        _text(found, "subject", faults),
        _text(found, "description", faults),
        _text(found, "owner", faults) or None,
        _priority(found, faults),
        _texts(found, "blocked_by", faults),
        _texts(found, "files", faults),
        _text(found, "done_when", faults),
        _updated(found, faults),
        _text(found, "notes", faults),
        _texts(found, "tags", faults),
    )
    return task, faults


def _text(found: Mapping[str, Any], name: str, faults: list[str]) -> str:
    value = found.get(name)
    if isinstance(value, str):
        return value
    if value is not None:
        faults.append(f"{name}: expected a string, got {kind_of(value)}")
    return ""


def _texts(found: Mapping[str, Any], name: str, faults: list[str]) -> tuple[str, ...]:
    values = found.get(name)
    if not values:
        return ()
    if not isinstance(values, list):
        faults.append(f"{name}: expected a list, got {kind_of(values)}")
        return ()
    strings = tuple([str(value) for value in values if type(value) in (str, int)])
    if len(strings) < len(values):
        faults.append(f"{name}: expected a list of strings, and not all are")
    return strings


def _priority(found: Mapping[str, Any], faults: list[str]) -> Priority:
    value = found.get("priority")
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    faults.append(f"priority: expected a string or a number, got {kind_of(value)}")
    return None


def _updated(found: Mapping[str, Any], faults: list[str]) -> datetime | None:
    for name in ("updated", "created"):
        value = found.get(name)
        if value is None:
            continue
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)
                return moment if moment.tzinfo is UTC else _in_utc(moment)
            if type(value) in (int, float):
                return datetime.fromtimestamp(value / 1_000 if value > _MAX_SECONDS else value, UTC)
        except (ValueError, OverflowError, OSError):
            pass
        faults.append(f"{name}: expected a moment, such as 2026-01-31T12:00:00Z, got {_shown(value)}")
    return None


def _shown(value: Any) -> str:
    """Write a value that is wrong; of one with others in it only what it is: it may be as deep as `repr` cannot go."""
    return f"{value!r:.80}" if isinstance(value, str | int | float) else kind_of(value)


def _in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a zone is taken for that."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
