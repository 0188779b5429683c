"""Lines with a task changed: every other byte stays, however the line is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from observatory.swarm.parsing import parse
from observatory.swarm.rewriting import rewritten
from observatory.swarm.values import STATUSES

BOM = b"\xef\xbb\xbf"
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(STATUSES),
        "owner": st.none() | st.text(min_size=1),
        "notes": st.text(),
        "tags": st.lists(st.text(), max_size=2),
    },
)
SPACE = st.text(" \t\r", max_size=2)
ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\n": "\\n"}


def escape(letter: str) -> str:
    """Write a character with an escape: a short one where there is, else by its units in UTF-16."""
    units = letter.encode("utf-16-be")
    return ESCAPES.get(letter) or "".join(f"\\u{units[at]:02x}{units[at + 1]:02X}" for at in range(0, len(units), 2))


@st.composite
def written(draw: st.DrawFn, text: str) -> str:
    """Write a string as JSON, any of its characters with an escape."""
    escaped = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    parts = [
        escape(letter) if by_escape else json.dumps(letter, ensure_ascii=False)[1:-1]
        for letter, by_escape in zip(text, escaped, strict=True)
    ]
    return f'"{"".join(parts)}"'


NUMBERS = ["0", "-0.0", "1E+2", "0.10e-7", "123456789012345678901234567890", "1." + "5" * 5_000, "18446744073709551615"]
SCALARS = st.sampled_from(["true", "false", "null", *NUMBERS]) | st.text(max_size=5).flatmap(written)
NAMES = st.sampled_from(["status", "owner", "notes", "tags", "updated", "blocked_by", "", "Status", 'a"b{', "é😀"])


@st.composite
def joined(draw: st.DrawFn, parts: list[str]) -> str:
    """Put commas between, and any space around."""
    return ",".join([draw(SPACE) + part + draw(SPACE) for part in parts])


def fields(values: st.SearchStrategy[str], names: st.SearchStrategy[str] = NAMES) -> st.SearchStrategy[str]:
    """Generate a name and a value, as they stand in an object."""
    parts = st.tuples(names.flatmap(written), SPACE, SPACE, values)
    return parts.map(lambda drawn: f"{drawn[0]}{drawn[1]}:{drawn[2]}{drawn[3]}")


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).flatmap(joined).map(lambda text: f"[{text}]")
        | st.lists(fields(inner), max_size=3).flatmap(joined).map(lambda text: f"{{{text}}}")
    ),
    max_leaves=5,
)


@attrs.frozen
class Line:
    """A line of a task, in pieces."""

    names: list[str]
    """The names of its fields, in order."""
    pieces: list[str]
    """What stands before each value, and last what stands behind all."""
    values: list[str]
    """The values."""

    def text(self, changes: Mapping[str, Any]) -> bytes:
        """Return the line; where a field is changed, its last value is, or it is put behind the last of all."""
        values = list(self.values)
        for name, value in changes.items():
            if name in self.names:
                values[len(self.names) - 1 - self.names[::-1].index(name)] = json.dumps(value, ensure_ascii=False)
        values[-1] += "".join(
            [
                f', "{name}": {json.dumps(new, ensure_ascii=False)}'
                for name, new in changes.items()
                if name not in self.names
            ]
        )
        parts = [part for pair in zip(self.pieces, values, strict=False) for part in pair]
        return "".join([*parts, self.pieces[-1]]).encode()


@st.composite
def lines(draw: st.DrawFn, id: str) -> Line:
    """Generate a line of a task with an id, written as oddly as JSON can be."""
    names = draw(st.lists(NAMES, max_size=5))
    names.insert(draw(st.integers(0, len(names))), "id")
    pieces = []
    for place, name in enumerate(names):
        front = "," if place else draw(SPACE) + "{"
        pieces.append(front + draw(SPACE) + draw(written(name)) + draw(SPACE) + ":" + draw(SPACE))
        pieces[-1] = (draw(SPACE) if place else "") + pieces[-1]
    pieces.append(draw(SPACE) + "}" + draw(SPACE))
    return Line(names, pieces, [draw(written(id)) if name == "id" else draw(VALUES) for name in names])


OTHERS = st.sampled_from([b"", b"\r", b"{", b'{"id": "other"}', b'{"id": "the on', b"\xff", b'["the one"]', b"\x0b"])


@given(line=lines("the one"), changes=CHANGES, data=st.data())
def test_only_what_is_changed(line: Line, changes: Mapping[str, Any], data: st.DataObject) -> None:
    """Only the values of fields that are changed are others; what is missing is appended, all else stays as it was."""
    mark = data.draw(st.sampled_from([b"", BOM]))
    before, after = data.draw(st.lists(OTHERS, max_size=3)), data.draw(st.lists(OTHERS, max_size=3))
    found = rewritten(mark + b"\n".join([*before, line.text({}), *after]), {"the one": changes})
    assert found == mark + b"\n".join([*before, line.text(changes), *after])


@given(line=lines("the one"), changes=CHANGES)
def test_what_is_read_afterwards(line: Line, changes: Mapping[str, Any]) -> None:
    """What is read afterwards is the task with exactly those fields changed."""
    [task] = parse(line.text({}), "tasks.jsonl").tasks
    changed: dict[str, Any] = {name: tuple(new) if name == "tags" else new for name, new in changes.items()}
    expected = attrs.evolve(task, **changed)
    assert parse(rewritten(line.text({}), {"the one": changes}), "tasks.jsonl").tasks == (expected,)


@given(data=st.binary())
def test_any_bytes(data: bytes) -> None:
    """Bytes of which nothing is a task stay what they are."""
    assert rewritten(data, {"a": {"status": "failed"}}) == data


@pytest.mark.parametrize("deep", [b"[" * 1_000 + b"]" * 1_000, b'{"a":' * 1_000 + b"1" + b"}" * 1_000])
def test_value_that_is_deep(deep: bytes) -> None:
    """A field that is deeper than Python's own decoder goes stays as it was."""
    data = b'{"id": "a", "unknown": ' + deep + b', "status": "pending"}'
    assert rewritten(data, {"a": {"status": "failed"}}) == data.replace(b"pending", b"failed")


def test_name_with_escapes() -> None:
    """A field is found however its name is written."""
    data = b'{"id": "a", "\\u0073tatus": "pending"}'
    assert rewritten(data, {"a": {"status": "failed"}}) == b'{"id": "a", "\\u0073tatus": "failed"}'


def test_several_tasks() -> None:
    """Several tasks are changed at once, an id that is a number among them."""
    data = b'{"id": 1, "owner": "x"}\r\n{"id": "b"}\r\n{"id": "c"}\r\n'
    found = rewritten(data, {"1": {"owner": None}, "c": {"owner": "y"}})
    assert found == b'{"id": 1, "owner": null}\r\n{"id": "b"}\r\n{"id": "c", "owner": "y"}\r\n'


def test_the_last_line_of_an_id() -> None:
    """Where several lines have one id, the last one is changed, as it is the one that counts."""
    data = b'{"id": "a"}\n{"id": "a"}\n{"id": "b"}'
    assert rewritten(data, {"a": {"notes": "x"}}) == b'{"id": "a"}\n{"id": "a", "notes": "x"}\n{"id": "b"}'


def test_task_that_is_not_there() -> None:
    """Without a task of that id nothing is changed."""
    assert rewritten(b'{"id": "a"}\n', {"b": {"notes": "x"}}) == b'{"id": "a"}\n'


def test_value_that_json_cannot_hold() -> None:
    """A number that JSON cannot hold is refused."""
    with pytest.raises(ValueError, match="JSON"):
        rewritten(b'{"id": "a"}', {"a": {"priority": float("nan")}})
