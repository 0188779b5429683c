"""What agents are told of skills before they ask for more: names, descriptions, and where to read on."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import attrs

from observatory import InvalidInputError
from observatory_skills.values import Skill

CatalogueFormat: TypeAlias = Literal["xml", "json"]
"""What a catalogue is written in."""

_LEAST = 40  # characters of a description that still say something
# What nobody sees, but an agent reads: controls, ends of lines, changes of direction, tags, halves of characters.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]+"
)


def catalogue(skills: Iterable[Skill], *, format: CatalogueFormat = "xml", max_chars: int | None = None) -> str:
    """Write what an agent is told of skills: the first of the three tiers.

    Each description is one line, and nothing in it can be taken for anything but text.

    Args:
        skills: in the order of how much they matter.
        format: `xml` for `<available_skills>`, or `json` for an object with `skills` and `left_out`.
        max_chars: characters that it may have. Where that is too few, long descriptions are cut, all to the same
            length and not below 40 characters, and then skills are left out from the end; the catalogue says how many.

    Raises:
        InvalidInputError: there is no such format, or that many characters are too few for a catalogue without skills.
    """
    if format not in _FORMATS:
        raise InvalidInputError("format", f"{format!r} is unknown: {' and '.join(_FORMATS)} are allowed")
    shape = _FORMATS[format]
    rows = [_Row(_seen(skill.name), _seen(skill.description), _seen(skill.location)) for skill in skills]
    if max_chars is None:
        return shape.whole([shape.entry(row) for row in rows], 0)

    def sizes(rows: Sequence[_Row], longest: int) -> list[int]:
        return [len(shape.entry(row.cut(longest))) for row in rows]

    count = _how_many(sizes(rows, _LEAST), shape, max_chars)
    shown, left_out = rows[:count], len(rows) - count
    longest = _longest(shown, lambda longest: shape.size(sizes(shown, longest), left_out) <= max_chars)
    return shape.whole([shape.entry(row.cut(longest)) for row in shown], left_out)


@attrs.frozen
class _Row:
    """What is told of one skill."""

    name: str
    description: str
    location: str

    def cut(self, most: int) -> _Row:
        """Return the same with at most so many characters of the description."""
        if len(self.description) <= most:
            return self
        return attrs.evolve(self, description=self.description[: most - 1].rstrip() + "…")


@attrs.frozen
class _Shape:
    """A format: how it writes one skill, and a catalogue of what it has written."""

    entry: Callable[[_Row], str]
    between: str
    whole: Callable[[Sequence[str], int], str]

    def size(self, sizes: Sequence[int], left_out: int) -> int:
        """Return how many characters a catalogue has, by how many each of its skills takes."""
        return len(self.whole((), left_out)) + sum(sizes) + len(self.between) * max(0, len(sizes) - 1)


def _how_many(sizes: list[int], shape: _Shape, most: int) -> int:
    """Return how many skills there is room for when descriptions are as short as may be."""
    total = shape.size(sizes, 0)
    for count in range(len(sizes), 0, -1):
        if total <= most:
            return count
        left_out = len(sizes) - count
        total += shape.size((), left_out + 1) - shape.size((), left_out)
        total -= sizes[count - 1] + (len(shape.between) if count > 1 else 0)
    if total > most:
        raise InvalidInputError("max_chars", f"{most} characters are too few: at least {total} are needed")
    return 0


def _longest(rows: Sequence[_Row], fits: Callable[[int], bool]) -> int:
    """Return how long descriptions may be, so that as much of them is left as fits."""
    low, high = _LEAST, max((len(row.description) for row in rows), default=_LEAST)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _seen(text: str) -> str:
    return " ".join(_UNSEEN.sub(" ", text).split())


def _xml_entry(row: _Row) -> str:
    name, description, location = (html.escape(text, quote=False) for text in attrs.astuple(row))
    told = f"<name>{name}</name><description>{description}</description><location>{location}</location>"
    return f"<skill>{told}</skill>\n"


def _xml(entries: Sequence[str], left_out: int) -> str:
    rest = f"<!-- {left_out} more left out -->\n" if left_out else ""
    return f"<available_skills>\n{''.join(entries)}{rest}</available_skills>"


def _json_entry(row: _Row) -> str:
    return json.dumps(attrs.asdict(row), ensure_ascii=False)


def _json(entries: Sequence[str], left_out: int) -> str:
    return f'{{"skills": [{", ".join(entries)}], "left_out": {left_out}}}'


_FORMATS: Mapping[str, _Shape] = {
    "xml": _Shape(_xml_entry, "", _xml),
    "json": _Shape(_json_entry, ", ", _json),
}
