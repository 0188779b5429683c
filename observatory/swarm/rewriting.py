"""Lines with a task changed: every other byte stays what it was, those of fields that nobody here knows included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from observatory.swarm.parsing import BOM, task_of

_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


def rewritten(data: bytes, changes: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return a file's bytes with fields of some tasks changed; where an id stands twice, in its last line.

    Args:
        data: the whole file.
        changes: the new values of fields, by the task's id; JSON must be able to hold them.
    """
    left = dict(changes)
    lines = data.split(b"\n")
    for number in reversed(range(len(lines))):
        if not left:
            break
        mark = BOM if number == 0 and lines[0].startswith(BOM) else b""
        line = lines[number].removeprefix(mark)
        task, _ = task_of(line)
        if task is not None and task.id in left:
            lines[number] = mark + _with(line.decode(), left.pop(task.id)).encode()
    return b"\n".join(lines)


def _with(text: str, fields: Mapping[str, Any]) -> str:
    """Return a JSON object's text with some values in the place of others, or behind the last one."""
    spans, end = _spans(text)
    edits = [(*spans[name], _dumped(value)) for name, value in fields.items() if name in spans]
    added = [f"{_dumped(name)}: {_dumped(value)}" for name, value in fields.items() if name not in spans]
    if added:
        edits.append((end, end, ", " * bool(spans) + ", ".join(added)))
    for begin, stop, value in sorted(edits, reverse=True):  # from the end, so that the places before it stay
        text = text[:begin] + value + text[stop:]
    return text


def _spans(text: str) -> tuple[Mapping[str, tuple[int, int]], int]:
    """Return where the values of a JSON object stand in its text, and where the last one ends."""
    spans: dict[str, tuple[int, int]] = {}
    end = text.index("{") + 1
    at = _past_space(text, end)
    while text[at] != "}":
        if text[at] == ",":
            at = _past_space(text, at + 1)
        name, at = _DECODER.raw_decode(text, at)
        begin = _past_space(text, _past_space(text, at) + 1)  # behind the colon
        _, end = _DECODER.raw_decode(text, begin)
        spans[name] = begin, end
        at = _past_space(text, end)
    return spans, end


def _past_space(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
