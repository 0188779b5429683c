"""Skills without a registry: plain functions on paths and values."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from observatory import SKILL_FILE, Problem, SkillFile
from observatory_skills.errors import InvalidSkillError
from observatory_skills.frontmatter import body_of, read
from observatory_skills.places import open_place, present, read_whole, scan_folder, scan_packages
from observatory_skills.places.access import SKILL_FILES
from observatory_skills.reading import ranked, skill_of
from observatory_skills.values import Flaw, Loaded, Skill


def load(path: str | os.PathLike[str]) -> Loaded:
    """Load skills: what can be used is, and what is wrong is told, such as a folder that cannot be listed.

    It reads files: in a task, call it in a worker thread.

    Args:
        path: a folder with the folders and packages of skills directly in it, the folder of one skill, its SKILL.md,
            or a package.

    Raises:
        SkillSourceError: there is nothing at that path, or it cannot be looked at.
    """
    return _loaded(_found(present(path)))


def load_package(file: str | os.PathLike[str]) -> Skill:
    """Load the skill in a package.

    It reads files: in a task, call it in a worker thread.

    Raises:
        InvalidSkillError: it cannot be used; its flaws say why.
        PackageError: it is no package, or not safe.
        SkillSourceError: it cannot be read.
    """
    found = read_whole(file)
    skill, flaws = skill_of(found)
    if skill is None:
        raise InvalidSkillError(found.location, flaws)
    return skill


def index(skills: Iterable[Skill]) -> Mapping[str, Skill]:
    """Return skills by name, in an index that does not change; of two with one name the first counts."""
    return MappingProxyType(ranked(skills)[0])


def find(index: Mapping[str, Skill], name: str) -> Skill | None:
    """Return the skill of that name, or None."""
    return index.get(unicodedata.normalize("NFKC", name))


def body(skill: Skill) -> str:
    """Return what an agent reads once it wants to use the skill: SKILL.md without its frontmatter.

    It reads a file: in a task, call it in a worker thread.

    Returns:
        Markdown, every line of which ends with a newline alone.

    Raises:
        SkillSourceError: it is not there any more, or cannot be read.
        InvalidSkillError: it has changed, and cannot be used any more.
    """
    return body_in(open_place(skill.location).read(SKILL_FILE), skill.location)


def body_in(data: bytes, location: str) -> str:
    """Return the body of a SKILL.md; see `body`."""
    fields = read(data, location)
    if isinstance(fields, Flaw):
        raise InvalidSkillError(location, [fields])
    text = body_of(data, fields, location)
    if isinstance(text, Flaw):
        raise InvalidSkillError(location, [text])
    return text


def resources(skill: Skill) -> tuple[str, ...]:
    """Return the paths of all files of a skill but SKILL.md, relative, with `/` between, in order.

    It reads folders: in a task, call it in a worker thread.

    Raises:
        SkillSourceError: it is not there any more, or cannot be read.
    """
    return tuple(open_place(skill.location).names())


def read_resource(skill: Skill, path: str) -> bytes:
    """Return what stands in a file of a skill.

    It reads a file: in a task, call it in a worker thread.

    Args:
        skill: the skill.
        path: one of its `resources`, or SKILL.md.

    Raises:
        UnknownNameError: it has no such file: nothing outside of it can be read, whatever the path is.
        SkillSourceError: the file cannot be read.
    """
    return open_place(skill.location).read(path)


def _found(where: str) -> Iterable[SkillFile | Problem]:
    if os.path.isfile(where):
        is_skill = os.path.basename(where) in SKILL_FILES
        return scan_folder(os.path.dirname(where)) if is_skill else scan_packages(where)
    if any(os.path.lexists(os.path.join(where, name)) for name in SKILL_FILES):
        return scan_folder(where)
    return [*scan_folder(where), *scan_packages(where)]


def _loaded(found: Iterable[SkillFile | Problem]) -> Loaded:
    skills: list[Skill] = []
    flaws: list[Flaw] = []
    files: dict[str, SkillFile] = {}
    for each in found:
        if isinstance(each, Problem):
            flaws.append(Flaw(each.where, each.line, None, each.problem))
            continue
        skill, wrong = skill_of(each)
        flaws += wrong
        if skill is not None:
            skills.append(skill)
            files[skill.location] = each
    counting, shadowed, doubts = ranked(skills, files)
    told = dict.fromkeys((*flaws, *doubts))  # a folder that cannot be read is told of once
    return Loaded(tuple(counting.values()), tuple(told), tuple(shadowed))
