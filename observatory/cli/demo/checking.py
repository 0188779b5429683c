"""What in a report is worth a question, and how a worker finds the answer."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import trio

from observatory.cli.demo.reading import Findings, read_lines
from observatory.cli.output import shorten

_LONG = 200
_SHOWN = 160


@attrs.frozen(kw_only=True)
class Question:
    """Something in a report that the reviewer wants to be sure of."""

    path: str
    """The file."""
    kind: Literal["link", "line", "term"]
    """What to look at."""
    subject: str
    """The link's target, the number of the line, or the term."""
    text: str
    """For people."""


def question_about(findings: Findings) -> Question | None:
    """Choose what to ask: what is most likely a mistake first."""
    path = findings.path
    if findings.broken_links:
        place = findings.broken_links[0]
        text = f"line {place.line} of {path} links to {place.text}, which is not there. What is?"
        return Question(path=path, kind="link", subject=place.text, text=text)
    if findings.marks:
        place = findings.marks[0]
        return _about_line(path, place.line, "is marked as not done. What is left to do?")
    if findings.longest > _LONG:
        return _about_line(path, findings.longest_line, f"has {findings.longest:,} characters. What is in it?")
    if findings.terms:
        term, count = next(iter(findings.terms.items()))
        times = "once" if count == 1 else f"{count:,} times"
        text = f"{path} says “{term}” {times}. Where?"
        return Question(path=path, kind="term", subject=term, text=text)
    return None


def _about_line(path: str, line: int, text: str) -> Question:
    return Question(path=path, kind="line", subject=str(line), text=f"line {line} of {path} {text}")


async def look_up(folder: Path, metadata: Mapping[str, Any]) -> str:
    """Answer a question by looking at the file again: it may have changed since.

    Args:
        folder: holds the file.
        metadata: a `Question` as JSON.
    """
    question = Question(**metadata)
    if question.kind == "link":
        return await trio.to_thread.run_sync(_nearest, folder / question.path, question.subject)
    try:
        lines = await read_lines(folder, question.path)
    except (OSError, ValueError) as error:
        return f"it cannot be read any more: {error}"
    return _line(lines, int(question.subject)) if question.kind == "line" else _first(lines, question.subject)


def _nearest(file: Path, target: str) -> str:
    wanted = file.parent / target.partition("#")[0]
    try:
        names = os.listdir(wanted.parent)
    except OSError:
        return f"there is no folder {os.path.dirname(target)}"
    nearest = difflib.get_close_matches(wanted.name, names, n=1)
    return f"{nearest[0]} has the nearest name" if nearest else "nothing of a similar name"


def _line(lines: list[str], number: int) -> str:
    if number > len(lines):
        return f"there are only {len(lines):,} lines by now"
    return shorten(lines[number - 1].strip(), _SHOWN)


def _first(lines: list[str], term: str) -> str:
    places = ((number, line) for number, line in enumerate(lines, start=1) if term in line.lower())
    number, line = next(places, (0, ""))
    return f"line {number}: {shorten(line.strip(), _SHOWN)}" if number else "nowhere by now"
