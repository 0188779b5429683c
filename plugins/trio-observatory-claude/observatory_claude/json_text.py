"""JSON that people keep: changed in place, so that all the rest stays as it was written, character for character.

Functions that change a text take one that `check` has read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import attrs

Path = Sequence[str | int]
"""Keys of objects and places in arrays, from the outside in."""

_skip = re.compile(r"[ \t\r\n]*").match
_indented = re.compile(r"(\r?\n)([ \t]+)\S").search
_decoder = json.JSONDecoder()


class NotJsonError(ValueError):
    """Raised for a text that is no JSON; says at which line and column."""

    def __init__(self, text: str, place: int, reason: str) -> None:
        line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
        super().__init__(f"line {line} column {column}: {reason}")


@attrs.frozen
class Style:
    """How a text is laid out."""

    newline: str | None = "\n"
    """What ends a line; None where all stands on one line."""
    unit: str = "  "
    """What each level is indented by."""
    compact: bool = False
    """Whether what is new stands on one line, whatever it holds."""


@attrs.frozen
class _Part:
    """A member of an object, or an element of an array: where it stands."""

    key: str | None
    start: int
    value: int
    end: int


class _DuplicateError(Exception):
    """An object has a key twice."""


def check(text: str) -> Any:
    """Read a text.

    Raises:
        NotJsonError: it is no JSON, or an object in it has a key twice, of which programs take either.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise NotJsonError(text, error.pos, error.msg) from error
    except _DuplicateError as error:
        raise NotJsonError(text, _second(text, _after_space(text, 0)), f"the key {error} stands there twice") from error
    except RecursionError as error:
        raise NotJsonError(text, 0, "it nests too deep") from error
    except ValueError as error:
        raise NotJsonError(text, 0, str(error)) from error


def style_of(text: str) -> Style:
    """Return how a text is laid out; one that says nothing of it as most are."""
    found = _indented(text)
    if found is not None:
        return Style(found[1], found[2])
    return Style(None) if len(text.strip()) > len("{}") else Style()


def put(text: str, path: Path, value: Any, style: Style, depth: int = 1) -> str:
    """Set a member of an object, within objects that are made where they are missing.

    Args:
        text: an object.
        path: its keys.
        value: what it becomes.
        style: how what is new is laid out.
        depth: how deep the members of the object stand.
    """
    key, *rest = path
    part = next((one for one in _parts(text) if one.key == key), None)
    if part is None:
        for name in reversed(rest):
            value = {name: value}
        return add(text, (), value, style, depth, key=str(key))
    if rest:
        inner = put(text[part.value : part.end], rest, value, style, depth + 1)
    else:
        inner = _render(value, style, None if style.newline is None else style.newline + style.unit * depth)
    return text[: part.value] + inner + text[part.end :]


def edit(text: str, key: str, change: Callable[[str], str | None]) -> str:
    """Change the text of a member that is there; one that becomes None goes."""
    part = _at(_parts(text), key)
    inner = change(text[part.value : part.end])
    return drop(text, [key]) if inner is None else text[: part.value] + inner + text[part.end :]


def add(text: str, path: Path, value: Any, style: Style, depth: int = 1, *, key: str | None = None) -> str:
    """Add an element behind the others of an array, or with a key a member behind those of an object.

    Args:
        text: what it is in.
        path: to the array or object, which are there.
        value: the element.
        style: how what is new is laid out.
        depth: how deep the parts of the outermost stand.
        key: of a member.
    """
    if path:
        part = _at(_parts(text), path[0])
        inner = add(text[part.value : part.end], path[1:], value, style, depth + 1, key=key)
        return text[: part.value] + inner + text[part.end :]
    found = _parts(text)
    name = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
    if not found:
        before = "" if style.newline is None else style.newline + style.unit * depth
        after = "" if style.newline is None else style.newline + style.unit * (depth - 1)
        return text[0] + before + name + _render(value, style, before or None) + after + text[-1]
    gap = text[1 : found[0].start]
    newline, end = ("\r\n" if "\r\n" in gap else "\n"), found[-1].end
    between = newline + gap.rpartition("\n")[2] if "\n" in gap else None
    return f"{text[:end]},{between or ' '}{name}{_render(value, style, between)}{text[end:]}"


def drop(text: str, path: Path) -> str:
    """Take a member or an element away."""
    found = _parts(text)
    part = _at(found, path[0])
    if len(path) > 1:
        return text[: part.value] + drop(text[part.value : part.end], path[1:]) + text[part.end :]
    if len(found) == 1:
        return text[0] + text[-1]
    place = found.index(part)
    if place:
        return text[: found[place - 1].end] + text[part.end :]
    return text[: part.start] + text[found[1].start :]


def _render(value: Any, style: Style, before: str | None) -> str:
    """Write a value; where lines are ended, each further one begins with what stands before it."""
    if before is None or style.compact:
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, indent=style.unit).replace("\n", before)


def _parts(text: str, at: int = 0) -> list[_Part]:
    found: list[_Part] = []
    place = _after_space(text, at + 1)
    while text[place] not in "}]":
        start, key = place, None
        if text[at] == "{":
            key, place = _decoder.raw_decode(text, place)
            place = _after_space(text, _after_space(text, place) + 1)
        value = place
        _, place = _decoder.raw_decode(text, place)
        found.append(_Part(key, start, value, place))
        place = _after_space(text, place)
        if text[place] == ",":
            place = _after_space(text, place + 1)
    return found


def _at(found: Sequence[_Part], key: str | int) -> _Part:
    return found[key] if isinstance(key, int) else next(part for part in found if part.key == key)


def _after_space(text: str, place: int) -> int:
    found = _skip(text, place)
    assert found is not None  # noqa: S101  # it matches nothing, too
    return found.end()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateError(repr(next(key for place, key in enumerate(keys) if key in keys[:place]))[:80])
    return made


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _second(text: str, at: int) -> int:
    """Return where a key stands that its object has already; 0 when there is none."""
    if text[at] not in "{[":
        return 0
    seen: set[str] = set()
    for part in _parts(text, at):
        if part.key in seen:
            return part.start
        if part.key is not None:
            seen.add(part.key)
        if place := _second(text, part.value):
            return place
    return 0
