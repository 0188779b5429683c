"""Lines with a task changed: every other byte stays what it was, those of fields that nobody here knows included."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from observatory.swarm.parsing import BOM, task_of

_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|[^\s{}\[\]:,"]++')  # but for those between others
_NESTING = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}


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
            lines[number] = mark + _with(line, left.pop(task.id))
    return b"\n".join(lines)


def _with(line: bytes, fields: Mapping[str, Any]) -> bytes:
    """Return a JSON object that is not empty with some values in the place of others, or behind the last one."""
    spans = _spans(line)
    edits = [(*spans[name], _dumped(value)) for name, value in fields.items() if name in spans]
    added = [b", %b: %b" % (_dumped(name), _dumped(value)) for name, value in fields.items() if name not in spans]
    end = max(spans.values())[1]
    edits.append((end, end, b"".join(added)))
    for begin, stop, value in sorted(edits, reverse=True):  # from the end, so that the places before it stay
        line = line[:begin] + value + line[stop:]
    return line


def _spans(line: bytes) -> Mapping[str, tuple[int, int]]:
    """Return where the values of a JSON object stand in its line; of a name that stands twice, the last one.

    Nothing is decoded but names: a value may be deeper, or a number longer, than Python's own decoder takes.
    """
    parts: list[tuple[int, int]] = []  # names and values by turns
    depth = begin = 0
    for token in _TOKENS.finditer(line, line.index(b"{") + 1, line.rindex(b"}")):
        if not depth:
            begin = token.start()
        depth += _NESTING.get(token[0], 0)
        if not depth:
            parts.append((begin, token.end()))
    names = [json.loads(line[begin:end]) for begin, end in parts[::2]]
    return dict(zip(names, parts[1::2], strict=True))


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
