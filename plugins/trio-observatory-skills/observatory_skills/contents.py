"""What a registry holds at a time, and how one follows from another: plain functions on frozen values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NoReturn

import attrs

from observatory import Problem, SkillFile
from observatory_skills.errors import RegistryNotRunningError
from observatory_skills.reading import ranked, skill_of
from observatory_skills.values import Flaw, Loaded, Skill, SkillsUpdate


@attrs.frozen(eq=False)
class Contents:
    """Everything that a registry holds. It is replaced as a whole and never changed: a reader sees one or another."""

    index: Mapping[str, Skill]
    """What counts, by name, in the order of precedence."""
    loaded: Loaded
    """The same, and what is wrong with what was found."""
    files: Mapping[str, SkillFile]
    """What skills were found as, by location."""
    found: Mapping[str, Sequence[SkillFile | Problem]]
    """All that each source has found."""
    read: Mapping[SkillFile, tuple[Skill | None, Sequence[Flaw]]]
    """What each of these says."""


NOTHING = Contents({}, Loaded(()), {}, {}, {})
"""What a registry holds that was not loaded yet."""


@attrs.frozen
class ByHand:
    """What the program itself has done to a registry."""

    registered: Mapping[str, Skill] = attrs.field(factory=dict)
    """Skills that come before all that is found, by name."""
    withdrawn: frozenset[str] = frozenset()
    """Names of which there is no skill."""


def contents_of(
    found: Mapping[str, Sequence[SkillFile | Problem]], by_hand: ByHand, earlier: Contents, *, trusted: bool
) -> Contents:
    """Find out what a registry is to hold.

    Args:
        found: what each source has found; of two skills with one name the first counts, those of the project before
            those of the user.
        by_hand: what was registered, and what was taken away.
        earlier: what it has held before: what has not changed since is not read again.
        trusted: whether skills of the project count.
    """
    read: dict[SkillFile, tuple[Skill | None, Sequence[Flaw]]] = {}
    files: dict[str, SkillFile] = {}
    skills: list[Skill] = []
    flaws: list[Flaw] = []
    for source, things in found.items():
        for thing in things:
            if isinstance(thing, Problem):
                flaws.append(Flaw(thing.where, thing.line, None, thing.problem))
                continue
            skill, wrong = read[thing] = earlier.read.get(thing) or skill_of(thing, source)
            flaws += wrong
            if skill is not None:
                files[skill.location] = thing
                skills.append(skill)
    untrusted = () if trusted else tuple([skill for skill in skills if skill.scope == "project"])
    counting = [skill for skill in skills if trusted or skill.scope != "project"]
    counting.sort(key=lambda skill: skill.scope != "project")  # which keeps the order of sources, and theirs
    everything = [skill for skill in (*by_hand.registered.values(), *counting) if skill.name not in by_hand.withdrawn]
    index, shadowed, more = ranked(everything, files)
    loaded = Loaded(tuple(index.values()), (*flaws, *more), tuple(shadowed), untrusted)
    return Contents(index, loaded, files, found, read)


def difference(registry: str, before: Contents, after: Contents) -> SkillsUpdate:
    """Return what has become different: a skill has changed when anything in its SKILL.md has."""
    earlier = before.index
    changed = [
        name
        for name, skill in after.index.items()
        if name in earlier
        and (
            (earlier[name] is not skill and earlier[name] != skill)
            or before.files.get(skill.location) is not after.files.get(skill.location)
        )
    ]
    return SkillsUpdate(
        registry,
        added=_missing(after.index, before.index),
        changed=tuple(changed),
        removed=_missing(before.index, after.index),
    )


def _missing(names: Collection[str], others: Collection[str]) -> tuple[str, ...]:
    return tuple([name for name in names if name not in others])


class NotRunning(Mapping[str, Skill]):
    """What is in a registry that does not run: whoever looks is told why there is nothing.

    Args:
        registry: its name.
        reason: what state it is in, and what to do.
    """

    def __init__(self, registry: str, reason: str) -> None:
        self._error = partial(RegistryNotRunningError, registry, reason)

    def __getitem__(self, name: str) -> NoReturn:
        raise self._error()

    def __iter__(self) -> NoReturn:
        raise self._error()

    def __len__(self) -> NoReturn:
        raise self._error()
