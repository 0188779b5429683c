"""Whether a skill keeps every rule of the format: strictly, for who writes and publishes skills."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

import attrs

from observatory import SKILL_FILE, SkillFile, SkillSourceError, UnknownNameError
from observatory_skills.frontmatter import BOM, Frontmatter, body_of, line_at, quoted, read
from observatory_skills.places import open_place, present, read_whole
from observatory_skills.reading import other_form, skill_from
from observatory_skills.values import Flaw

FIELDS = frozenset(("name", "description", "license", "compatibility", "metadata", "allowed-tools"))
"""All fields of the format."""
MOST_LINES = 500
"""Lines of a body that an agent reads without losing much room for its work."""
MOST_TOKENS = 5000
"""Tokens of a body, likewise."""

_CHARACTERS_PER_TOKEN = 4
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_LINK = re.compile(r"\]\(\s*<?([^()\s<>]+)>?(?:\s+[\"'][^\"']*[\"'])?\s*\)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|#")
_IN_PARENTHESES = re.compile(r"\([^()]*\)")


def validate(path: str | os.PathLike[str]) -> tuple[Flaw, ...]:
    """Say what is wrong with a skill, by all rules of the format.

    It reads files: in a task, call it in a worker thread.

    Args:
        path: its folder, its SKILL.md, or its package.

    Returns:
        Flaws in the order of lines. The skill is valid when none of them is fatal: the others are advice.

    Raises:
        SkillSourceError: there is nothing at that path.
    """
    where = present(path)
    try:
        file = read_whole(where)
        return tuple(sorted(_flaws(file), key=lambda flaw: flaw.line or 0))
    except SkillSourceError as error:
        return (Flaw(error.where, None, None, error.reason),)


def _flaws(file: SkillFile) -> Iterator[Flaw]:
    yield from _manner(file)
    fields = read(file.head, file.location)
    if isinstance(fields, Flaw):
        yield fields
        return
    for flaw in skill_from(fields, file)[1]:
        yield attrs.evolve(flaw, fatal=True)
    yield from _unknown(fields, file.location)
    yield from _advice(fields, file)
    yield from _body(fields, file)


def _manner(file: SkillFile) -> Iterator[Flaw]:
    """Tell how the file is written, where not every program reads it so."""
    name = os.path.basename(file.location)
    if name == SKILL_FILE.lower():
        yield _advise(file.location, None, f"the file is called {name}: call it {SKILL_FILE}")
    if file.head.startswith(BOM):
        yield _advise(file.location, 1, "the file begins with a byte order mark: save it as UTF-8 without one")
    at = file.head.find(b"\r")
    if at >= 0:
        yield _advise(
            file.location, line_at(file.head, at), "the line ends in a carriage return: end lines in LF alone"
        )


def _unknown(fields: Frontmatter, where: str) -> Iterator[Flaw]:
    for field in fields.fields:
        if field not in FIELDS:
            problem = str(UnknownNameError("field", field, FIELDS))
            yield Flaw(where, fields.lines[field,], field, problem)


def _advice(fields: Frontmatter, file: SkillFile) -> Iterator[Flaw]:
    form = other_form(fields, file)
    if form is not None:
        yield form
    tools = fields.fields.get("allowed-tools")
    if isinstance(tools, str) and "," in _IN_PARENTHESES.sub("", tools):
        problem = "'allowed-tools' has commas, which some programs take for a part of the tools: spaces are enough"
        yield Flaw(file.location, fields.lines["allowed-tools",], "allowed-tools", problem, fatal=False)


def _body(fields: Frontmatter, file: SkillFile) -> Iterator[Flaw]:
    body = body_of(file.head, fields, file.location)
    if isinstance(body, Flaw):
        yield body
        return
    lines = body.removesuffix("\n").split("\n")
    if len(lines) > MOST_LINES:
        yield _too_much(file, fields, f"{len(lines)} lines", MOST_LINES)
    tokens = len(body) // _CHARACTERS_PER_TOKEN
    if tokens > MOST_TOKENS:
        yield _too_much(file, fields, f"about {tokens} tokens", MOST_TOKENS)
    yield from _links(lines, fields.body_line, file.location)


def _too_much(file: SkillFile, fields: Frontmatter, what: str, most: int) -> Flaw:
    problem = f"the body has {what}, more than {most}: put what is not always wanted into resources"
    return _advise(file.location, fields.body_line, problem)


def _links(lines: list[str], first: int, where: str) -> Iterator[Flaw]:
    """Tell of links to what is not there."""
    links = list(_links_in(lines))
    if not links:
        return
    names = open_place(where).names()
    known = {SKILL_FILE, *names, *(folder for name in names for folder in _folders(name))}
    for number, link in links:
        path = posixpath.normpath(unquote(re.split("[?#]", link)[0]))
        if path.startswith(("/", "..")):
            yield _advise(where, first + number, f"the link {quoted(link)} leads out of the skill")
        elif path not in known:
            yield _advise(where, first + number, f"the link {quoted(link)} leads to nothing: {path!r} is no resource")


def _links_in(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Return the links to files, each with the number of its line, outside of blocks of code."""
    fence = ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        elif not fence and "](" in line:
            yield from ((number, link) for link in _LINK.findall(line) if not _SCHEME.match(link))


def _folders(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _advise(where: str, line: int | None, problem: str) -> Flaw:
    return Flaw(where, line, None, problem, fatal=False)
