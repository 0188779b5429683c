"""Asking several sources what there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from observatory import Problem, SkillFile, SkillSource

Found: TypeAlias = Mapping[str, Sequence[SkillFile | Problem]]
"""All that each source has found, by its name."""


async def ask(
    sources: Mapping[str, SkillSource], known: Found, changed: Mapping[str, Collection[str] | None] | None = None
) -> Found:
    """Ask every source what there is, or only those in which something has changed.

    Args:
        sources: whom to ask, by name.
        known: what was found before.
        changed: the paths that have changed, by source; None for anything, of a source or at all.

    Raises:
        SkillSourceError: a source could not tell anything.
    """
    return {
        name: await _ask(source, known.get(name, ()), None if changed is None else changed.get(name, ()))
        for name, source in sources.items()
    }


async def _ask(
    source: SkillSource, known: Sequence[SkillFile | Problem], paths: Collection[str] | None
) -> Sequence[SkillFile | Problem]:
    if paths is None:
        return tuple(await source.load([one for one in known if isinstance(one, SkillFile)]))
    return tuple(await source.load_changed(known, paths)) if paths else known
