"""`observatory skills validate`, `pack` and `unpack`: what is done with one skill, whoever has it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import trio
from cyclopts import Parameter

from observatory import SkillSourceError, to_wire
from observatory.commands import FAILED, OK, complain, counted, note, print_json
from observatory_skills.flaws import line_of
from observatory_skills.packing import pack as pack_skill
from observatory_skills.unpacking import unpack as unpack_skill
from observatory_skills.validating import validate as validate_skill
from observatory_skills.values import Flaw

_Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative="")]


async def validate(path: Path, /, *paths: Path, json: _Json = False) -> int:
    """Say with file and line what of skills is against the specification, and what may be better.

    The exit code is 1 when a skill is against it.

    Args:
        path: The folder of a skill, its SKILL.md, or its package.
        paths: More of them.
        json: Print JSON instead: one object a line.
    """
    fatal, paths = 0, (path, *paths)
    for each in paths:
        flaws = await trio.to_thread.run_sync(_flaws, each)
        fatal += any(flaw.fatal for flaw in flaws)
        for flaw in flaws:
            if json:
                print_json(to_wire(flaw))
            else:
                print(line_of(flaw))
    if fatal:
        complain(f"{counted(fatal, 'skill')} of {len(paths)} {'is' if fatal == 1 else 'are'} not valid")
        return FAILED
    note(f"{counted(len(paths), 'skill')} {'is' if len(paths) == 1 else 'are'} valid")
    return OK


def _flaws(path: Path) -> tuple[Flaw, ...]:
    """Say what is wrong with a skill; that it is not there, too, so that the others are looked at all the same."""
    try:
        return validate_skill(path)
    except SkillSourceError as error:
        return (Flaw(error.where, None, None, error.reason),)


async def pack(folder: Path, target: Path = Path(), /, *, json: _Json = False) -> int:
    """Make a package of a skill, with the same bytes each time, and print where it is.

    Args:
        folder: The skill's folder.
        target: The package, or the folder for it; by default this one.
        json: Print JSON instead: an object with `path`.
    """
    _print_path(await trio.to_thread.run_sync(pack_skill, folder, target), json=json)
    return OK


async def unpack(
    file: Path,
    folder: Path = Path(),
    /,
    *,
    replace: Annotated[bool, Parameter(negative="")] = False,
    json: _Json = False,
) -> int:
    """Put the skill of a package into a folder, once everything in it was checked, and print where it is.

    Args:
        file: The package.
        folder: The folder that the skill's is to be in; by default this one.
        replace: Replace a skill that is there.
        json: Print JSON instead: an object with `path`.
    """
    _print_path(await trio.to_thread.run_sync(partial(unpack_skill, file, folder, replace=replace)), json=json)
    return OK


def _print_path(path: Path, *, json: bool) -> None:
    if json:
        print_json({"path": str(path)})
    else:
        print(path)
