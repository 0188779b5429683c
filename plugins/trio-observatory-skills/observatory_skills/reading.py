"""From what a source has found to skills: leniently, so that what can be used is."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping

from observatory import SkillFile
from observatory_skills.frontmatter import Frontmatter, Path, Value, path_text, quoted, read
from observatory_skills.values import Flaw, Shadowed, Skill

MAX_NAME = 64
"""Characters of a name."""
MAX_DESCRIPTION = 1024
"""Characters of a description."""
MAX_COMPATIBILITY = 500
"""Characters of what a skill needs of its surroundings."""

_USABLE = re.compile(r"[^/.][^/]{0,254}")
_TOOL = re.compile(r"(?:\([^()]*\)|[^\s,])+")
_KINDS = {str: "a text", list: "a list", dict: "a mapping"}


def skill_of(file: SkillFile, source: str = "") -> tuple[Skill | None, list[Flaw]]:
    """Make a skill of what a source has found.

    Args:
        file: what it has found.
        source: its name.

    Returns:
        The skill, or None when it cannot be used, and everything that is wrong with it.
    """
    fields = read(file.head, file.location)
    if isinstance(fields, Flaw):
        return None, [fields]
    skill, flaws = skill_from(fields, file, source)
    form = other_form(fields, file)
    return skill, flaws if form is None else [*flaws, form]


def skill_from(fields: Frontmatter, file: SkillFile, source: str = "") -> tuple[Skill | None, list[Flaw]]:
    """Make a skill of its frontmatter: of the flaws, every one breaks a rule of the format."""
    reader = _Reader(fields, file)
    name = reader.name()
    description = reader.description()
    skill = Skill(
        name,
        description,
        file.location,
        file.scope,
        reader.text("license"),
        reader.compatibility(),
        reader.metadata(),
        reader.tools(),
        source,
    )
    return skill if name and description else None, reader.flaws


def other_form(fields: Frontmatter, file: SkillFile) -> Flaw | None:
    """Tell when a name is written in another of Unicode's forms than it counts in."""
    name = fields.fields.get("name")
    if not isinstance(name, str) or unicodedata.is_normalized("NFKC", name):
        return None
    problem = f"{quoted(name)} counts as {quoted(_normalized(name))}: write it so, in Unicode's form NFKC"
    return Flaw(file.location, fields.lines["name",], "name", problem, fatal=False)


def ranked(
    found: Iterable[Skill], files: Mapping[str, SkillFile] | None = None
) -> tuple[dict[str, Skill], list[Shadowed], list[Flaw]]:
    """Let the first skill of each name count; names that differ only in case are one name.

    Args:
        found: skills in the order of precedence.
        files: what they were found as, by location: where a warning has its line from.

    Returns:
        What counts, by name and in that order; what does not; and a warning for every name in another case.
    """
    counting: dict[str, Skill] = {}
    first: dict[str, Skill] = {}
    shadowed: list[Shadowed] = []
    flaws: list[Flaw] = []
    for skill in found:
        by = first.setdefault(_normalized(skill.name.casefold()), skill)
        if by is skill:
            counting[skill.name] = skill
            continue
        shadowed.append(Shadowed(skill, by))
        if skill.name != by.name:
            problem = (
                f"{quoted(skill.name)} does not count: only its case is not that of {by.name!r} in {by.location!r}"
            )
            line = _line_of_name((files or {}).get(skill.location))
            flaws.append(Flaw(skill.location, line, "name", problem, fatal=False))
    return counting, shadowed, flaws


def _line_of_name(file: SkillFile | None) -> int | None:
    fields = None if file is None else read(file.head, file.location)
    return fields.lines.get(("name",), 1) if isinstance(fields, Frontmatter) else None


def is_name(name: str) -> bool:
    """Tell whether a name keeps the rules of the format."""
    return len(name) <= MAX_NAME and name == name.lower() and all(part.isalnum() for part in name.split("-"))


class _Reader:
    """Takes the fields of one skill, and notes what is wrong with them."""

    def __init__(self, fields: Frontmatter, file: SkillFile) -> None:
        self.flaws: list[Flaw] = []
        self._fields = fields.fields
        self._lines = fields.lines
        self._file = file

    def name(self) -> str:
        """Return the name, or the folder's; empty when neither is one."""
        folder = unicodedata.normalize("NFKC", self._file.folder)
        value = self._fields.get("name", "")
        given = _normalized(value) if isinstance(value, str) else ""
        if not _is_usable(given):
            return self._name_of_folder(folder, value)
        if not is_name(given):
            rule = f"1 to {MAX_NAME} lowercase letters and digits, and single hyphens between them"
            self._flaw(("name",), f"{quoted(given)} is no name for a skill: {rule}")
        if given != folder:
            self._flaw(("name",), f"the name {quoted(given)} is not that of the folder, {quoted(folder)}")
        return given

    def _name_of_folder(self, folder: str, value: Value) -> str:
        if not isinstance(value, str):
            problem = f"the name has to be a text, not {_KINDS[type(value)]}"
        else:
            problem = f"{quoted(value)} cannot be used as a name" if value.strip() else "there is no name"
        if _is_usable(folder):
            self._flaw(("name",), f"{problem}: that of the folder counts, {quoted(folder)}")
            return folder
        self._flaw(("name",), f"{problem}, and neither can that of the folder be used, {quoted(folder)}", fatal=True)
        return ""

    def description(self) -> str:
        """Return the description; empty when there is none."""
        value = self._fields.get("description", "")
        if not isinstance(value, str):
            self._flaw(("description",), f"the description has to be a text, not {_KINDS[type(value)]}", fatal=True)
            return ""
        if not value.strip():
            problem = "there is no description: say what the skill does, and when it is of use"
            self._flaw(("description",), problem, fatal=True)
        self._check_length("description", value, MAX_DESCRIPTION)
        return value.strip()

    def compatibility(self) -> str | None:
        """Return what the skill needs of its surroundings, or None."""
        self._check_length("compatibility", self._fields.get("compatibility", ""), MAX_COMPATIBILITY)
        return self.text("compatibility")

    def text(self, field: str) -> str | None:
        """Return a text that may be left out, or None."""
        value = self._fields.get(field, "")
        if isinstance(value, str):
            return value.strip() or None
        self._wrong(field, value, "a text")
        return None

    def metadata(self) -> dict[str, str]:
        """Return what else the skill says of itself: what is no text as JSON."""
        value = self._fields.get("metadata", "")
        if isinstance(value, dict):
            return {key: self._entry(key, entry) for key, entry in value.items()}
        if value != "":
            self._wrong("metadata", value, "a mapping")
        return {}

    def _entry(self, key: str, value: Value) -> str:
        if isinstance(value, str):
            return value
        path = ("metadata", key)
        self._flaw(path, f"{quoted(path_text(path))} has to be a text, not {_KINDS[type(value)]}: it counts as JSON")
        return json.dumps(value, ensure_ascii=False)

    def tools(self) -> tuple[str, ...]:
        """Return the tools that are allowed; spaces in parentheses belong to a tool."""
        value = self._fields.get("allowed-tools", "")
        if isinstance(value, str):
            return tuple(_TOOL.findall(value))
        if isinstance(value, dict):
            self._wrong("allowed-tools", value, "a text")
            return ()
        self._flaw(("allowed-tools",), "'allowed-tools' has to be a text with spaces between the tools, not a list")
        return tuple(each.strip() for each in value if isinstance(each, str) and each.strip())

    def _check_length(self, field: str, value: Value, most: int) -> None:
        if isinstance(value, str) and len(value) > most:
            self._flaw((field,), f"the {field} has {len(value)} characters: at most {most} are allowed")

    def _wrong(self, field: str, value: Value, expected: str) -> None:
        self._flaw((field,), f"{field!r} has to be {expected}, not {_KINDS[type(value)]}: it is left out")

    def _flaw(self, path: Path, problem: str, *, fatal: bool = False) -> None:
        line = self._lines.get(path, 1)
        self.flaws.append(Flaw(self._file.location, line, path_text(path), problem, fatal))


def _is_usable(name: str) -> bool:
    """Tell whether a folder could be called that, and a line can hold it."""
    return _USABLE.fullmatch(name) is not None and name.isprintable()


def _normalized(name: str) -> str:
    return unicodedata.normalize("NFKC", name.strip())
