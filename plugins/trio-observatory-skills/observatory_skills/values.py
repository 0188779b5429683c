"""Skills, and what is known of them: frozen values without behaviour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from observatory import SkillScope


@attrs.frozen
class Skill:
    """A skill, as its frontmatter says: what an agent is told of it before it asks for more."""

    name: str
    """What it is called, in Unicode's form NFKC."""
    description: str
    """What it does, and when it is of use."""
    location: str
    """The path of its SKILL.md or of its package, or where else its source has it from."""
    scope: SkillScope = "user"
    """Whose it is."""
    license: str | None = None
    """Under which terms it is given."""
    compatibility: str | None = None
    """What it needs of its surroundings."""
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    """What else it says of itself."""
    allowed_tools: tuple[str, ...] = ()
    """Tools that it may use without being asked about, such as `Bash(git:*)`."""
    source: str = ""
    """The name of the source that has found it; empty for what was loaded or registered by hand."""


@attrs.frozen
class Flaw:
    """Something that is wrong with a skill."""

    where: str
    """The file."""
    line: int | None
    """Which line of it, counted from 1; None for the file as a whole."""
    field: str | None
    """Which field of the frontmatter, such as `metadata.author`; None for none of them."""
    problem: str
    """What is wrong, in one line: what was found, and what is allowed."""
    fatal: bool = True
    """Whether the skill is left out because of it; in what `validate` returns, whether it makes the skill invalid."""


@attrs.frozen
class Shadowed:
    """A skill that does not count, as another one of the same name comes before it."""

    skill: Skill
    """The one that does not count."""
    by: Skill
    """The one that does."""


@attrs.frozen
class Loaded:
    """What was found where skills were looked for. Going through it gives the skills that count."""

    skills: tuple[Skill, ...]
    """What counts, each name once: in the order of precedence."""
    flaws: tuple[Flaw, ...] = ()
    """What is wrong with these, and with what was left out."""
    shadowed: tuple[Shadowed, ...] = ()
    """What would count if others did not."""
    untrusted: tuple[Skill, ...] = ()
    """Skills of a project that is not trusted."""

    def __iter__(self) -> Iterator[Skill]:
        return iter(self.skills)

    def __len__(self) -> int:
        return len(self.skills)


@attrs.frozen
class SkillsUpdate:
    """What has become different in a registry: names, in the order of precedence."""

    registry: str
    """The name of the registry."""
    added: tuple[str, ...] = ()
    """Skills that were not there before."""
    changed: tuple[str, ...] = ()
    """Skills of which SKILL.md says something else, or is another file."""
    removed: tuple[str, ...] = ()
    """Skills that are there no more."""


@attrs.frozen
class Resource:
    """A file of a skill, as JSON can hold it."""

    path: str
    """Where it is in the skill's folder."""
    text: str | None
    """What stands in it; None when it is not UTF-8."""
    base64: str | None
    """The same, when it is not UTF-8."""
