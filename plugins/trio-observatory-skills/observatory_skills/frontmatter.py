"""The fields at the beginning of a SKILL.md: texts, lists and mappings, and which line each is in."""

from __future__ import annotations

import re
from typing import Any, NoReturn, TypeAlias

import attrs
import yaml

from observatory_skills.values import Flaw

try:
    from yaml import CSafeLoader as Parser
except ImportError:  # PyYAML without libyaml
    from observatory_skills.slow_parser import Parser  # type: ignore[assignment]

Value: TypeAlias = "str | list[Value] | dict[str, Value]"
Path: TypeAlias = tuple[str | int, ...]

MAX_FRONTMATTER = 65_536
"""Bytes of a SKILL.md within which its frontmatter has to end."""
MAX_DEPTH = 16
"""How deep lists and mappings may be in each other."""

BOM = b"\xef\xbb\xbf"
_OPENING = re.compile(rb"(?:\xef\xbb\xbf)?---[ \t]*(?:\r\n?|\n)")
_CLOSING = re.compile(rb"---(?<=[\r\n]---)[ \t]*(?:\r\n?|\n|\Z)")
# Three of them would end a line for readers of YAML 1.1, and for no others: they would see other fields than we do.
_REFUSED = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NULL = frozenset(("~", "null", "Null", "NULL"))


@attrs.frozen
class Frontmatter:
    """What stands between the first two `---` lines of a SKILL.md."""

    fields: dict[str, Value]
    """By name. Every value that is no list and no mapping is its text, and empty where there is none."""
    lines: dict[Path, int]
    """Which line of the file each begins in, such as that of `("metadata", "author")` or `("allowed-tools", 0)`."""
    body: int
    """Where in the file the body begins, in bytes."""
    body_line: int
    """Which line that is."""


def read(head: bytes, where: str) -> Frontmatter | Flaw:
    """Read the frontmatter of a SKILL.md.

    It is YAML, and less: no tags, anchors, aliases, merge keys or second documents, no key twice.

    Args:
        head: SKILL.md from its beginning; what is beyond `MAX_FRONTMATTER` bytes is not looked at.
        where: the file, for the flaw.
    """
    try:
        return _read(head[:MAX_FRONTMATTER], is_all=len(head) < MAX_FRONTMATTER)
    except _Fault as fault:
        return Flaw(where, fault.line, path_text(fault.path) if fault.path else None, fault.problem)


def body_of(content: bytes, fields: Frontmatter, where: str) -> str | Flaw:
    """Return what stands in a SKILL.md after its frontmatter, every line ended by a newline alone."""
    try:
        return _decoded(content, fields.body, len(content))
    except _Fault as fault:
        return Flaw(where, fault.line, None, fault.problem)


def line_at(data: bytes, end: int) -> int:
    """Return which line a byte is in, counted from 1."""
    before = data[:end]
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def path_text(path: Path) -> str:
    """Write a path as people read it, such as `metadata.author` or `allowed-tools[0]`."""
    first, *inner = path
    return str(first) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in inner)


def quoted(text: str) -> str:
    """Quote a text of a skill for one line of a flaw."""
    return repr(text if len(text) <= 80 else text[:79] + "…")


class _Fault(Exception):
    """Says what is wrong, to `read`."""

    def __init__(self, line: int, problem: str, path: Path = ()) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem
        self.path = path


def _read(head: bytes, *, is_all: bool) -> Frontmatter:
    opening = _OPENING.match(head)
    if opening is None:
        raise _Fault(1, f"there is no frontmatter: the first line has to be `---`{_instead(head)}")
    closing = _CLOSING.search(head, opening.end())
    if closing is None:
        if is_all:
            raise _Fault(1, "the frontmatter does not end: a second line `---` has to follow its fields")
        raise _Fault(1, f"the frontmatter does not end within {MAX_FRONTMATTER} bytes, which is the most it may have")
    text = _text(head, opening.end(), closing.start())
    reading = _Reading(text)
    try:
        fields = reading.fields()
    except yaml.MarkedYAMLError as error:
        raise _fault(error) from None
    return Frontmatter(fields, reading.lines, closing.end(), text.count("\n") + 3)


def _instead(head: bytes) -> str:
    first = head.removeprefix(BOM).lstrip()
    return ", and nothing may stand before it" if _OPENING.match(first) else ""


def _decoded(content: bytes, start: int, end: int) -> str:
    try:
        text = content[start:end].decode()
    except UnicodeDecodeError as error:
        at = start + error.start
        raise _Fault(line_at(content, at), f"byte {content[at]:#04x}, number {at} of the file, is not UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _text(head: bytes, start: int, end: int) -> str:
    text = _decoded(head, start, end)
    refused = _REFUSED.search(text)
    if refused is not None:
        line = 2 + text.count("\n", 0, refused.start())
        problem = f"the character U+{ord(refused[0]):04X} is not allowed: remove it, or write it as an escape in quotes"
        raise _Fault(line, problem)
    return text


class _Reading:
    """Goes through the events of YAML's parser, so that nothing is made of them but what is wanted."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._next: Any = Parser(text).get_event

    def fields(self) -> dict[str, Value]:
        self._next()  # the stream begins
        if type(self._next()) is yaml.StreamEndEvent:
            return {}
        event = self._next()
        if type(event) is not yaml.MappingStartEvent:
            raise _Fault(_line(event), "the frontmatter has to be fields, such as `name: pdf-forms`")
        fields = self._mapping(event, ())
        self._next()  # the document ends
        event = self._next()
        if type(event) is not yaml.StreamEndEvent:
            raise _Fault(_line(event), "the frontmatter has to be one YAML document")
        return fields

    def _mapping(self, start: Any, path: Path) -> dict[str, Value]:
        _check(start, path)
        found: dict[str, Value] = {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            line = _line(event)
            if type(event) is not yaml.ScalarEvent or event.value == "<<":
                _refuse_key(event, path)
            inner = (*path, event.value)
            _check(event, inner)
            if event.value in found:
                raise _Fault(line, f"{quoted(event.value)} stands in line {self.lines[inner]} already", inner)
            self.lines[inner] = line
            found[event.value] = self._value(self._next(), inner)
        return found

    def _list(self, start: Any, path: Path) -> list[Value]:
        _check(start, path)
        found: list[Value] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            inner = (*path, len(found))
            self.lines[inner] = _line(event)
            found.append(self._value(event, inner))
        return found

    def _value(self, event: Any, path: Path) -> Value:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            _check(event, path)
            return "" if event.implicit[0] and event.value in _NULL else event.value
        if kind is yaml.AliasEvent:
            raise _Fault(_line(event), f"the alias *{event.anchor} is refused: write the value itself", path)
        if len(path) >= MAX_DEPTH:
            raise _Fault(_line(event), f"more than {MAX_DEPTH} lists and mappings in each other", path[:1])
        return self._mapping(event, path) if kind is yaml.MappingStartEvent else self._list(event, path)


def _line(event: Any) -> int:
    """Return which line of the file an event begins in: YAML counts from 0, and from the line after `---`."""
    return event.start_mark.line + 2  # type: ignore[no-any-return]


def _check(event: Any, path: Path) -> None:
    if event.anchor is not None:
        raise _Fault(_line(event), f"the anchor &{event.anchor} is refused: write the value where it is wanted", path)
    if event.tag is not None and event.tag != "!":
        raise _Fault(_line(event), f"the tag {quoted(event.tag)} is refused: every value is plain", path)


def _refuse_key(event: Any, path: Path) -> NoReturn:
    if type(event) is yaml.ScalarEvent:
        raise _Fault(_line(event), "the merge key << is refused: write the fields themselves", path)
    raise _Fault(_line(event), "a key has to be a text", path)


def _fault(error: yaml.MarkedYAMLError) -> _Fault:
    mark, begun = error.problem_mark, error.context_mark
    line = mark.line + 2 if mark is not None else 1
    context = f" {error.context}" if error.context else ""
    if begun is not None and begun.line + 2 != line:
        context += f" that begins in line {begun.line + 2}"
    hint = "; put a value that holds a colon in quotes" if str(error.problem).startswith("mapping values are") else ""
    return _Fault(line, f"the YAML is broken: {error.problem}{context}{hint}")
