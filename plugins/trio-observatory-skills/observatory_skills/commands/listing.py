"""`observatory skills list`, `show` and `catalogue`."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from observatory import to_wire
from observatory.commands import (
    DASHED,
    OK,
    ListingOptions,
    Options,
    harmless,
    make_console,
    note,
    print_json,
    print_table,
    shorten,
)
from observatory_skills.commands.reaching import registry
from observatory_skills.flaws import line_of
from observatory_skills.values import Loaded, Resource, Skill


async def list_skills(*, options: ListingOptions = ListingOptions()) -> int:  # noqa: B008  # frozen
    """List skills: those that count, and those that do not and why.

    What is wrong with any stands on standard error; with `--json` it is among the objects, with the state `flaw`.

    Args:
        options: Of which root.
    """
    async with registry(options.settings()) as skills:
        loaded = await skills.loaded()
    if options.json:
        for skill, state in _states(loaded):
            print_json({"state": state, **to_wire(skill)})
        for flaw in loaded.flaws:
            print_json({"state": "flaw", **to_wire(flaw)})
        return OK
    for_person = make_console().is_terminal
    rows = [
        (skill.name, state, skill.scope, shorten(skill.description, 60) if for_person else skill.description)
        for skill, state in _states(loaded)
    ]
    print_table(("Name", "State", "Whose", "Description"), rows)
    for flaw in loaded.flaws:
        note(f"left out: {line_of(flaw)}" if flaw.fatal else line_of(flaw))
    if loaded.untrusted:
        note("skills of this project do not count; if it may instruct agents, set trusted = true in [plugins.skills]")
    return OK


def _states(loaded: Loaded) -> Iterator[tuple[Skill, str]]:
    for skill in loaded.skills:
        yield skill, "counts"
    for shadowed in loaded.shadowed:
        yield shadowed.skill, "shadowed"
    for skill in loaded.untrusted:
        yield skill, "not trusted"


async def show(
    name: Annotated[str, DASHED],
    path: Annotated[str | None, DASHED] = None,
    /,
    *,
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> int:
    """Print what a skill says, as an agent gets it; or one of its files.

    Args:
        name: The skill's name.
        path: One of its files, by its path in the skill's folder.
        options: Of which root.
    """
    async with registry(options.settings()) as skills:
        if path is not None:
            _print_resource(await skills.get_resource(name, path), json=options.json)
            return OK
        body, resources = await skills.body(name), await skills.resources(name)
        found = {skill.name: skill for skill in (await skills.loaded()).skills}
    skill = found.get(name)
    if options.json:
        print_json({**(to_wire(skill) if skill else {"name": name}), "body": body, "resources": list(resources)})
        return OK
    if skill is not None:
        print_table(("Field", "Value"), _fields(skill))
        print()
    print(harmless(body.strip("\n"), lines=True))
    if resources:
        print("\n" + "\n".join(map(harmless, resources)))
    return OK


def _fields(skill: Skill) -> list[tuple[str, str]]:
    fields = {
        "name": skill.name,
        "description": skill.description,
        "location": skill.location,
        "license": skill.license,
        "compatibility": skill.compatibility,
        "allowed-tools": " ".join(skill.allowed_tools),
        **{f"metadata.{key}": value for key, value in skill.metadata.items()},
    }
    return [(name, value) for name, value in fields.items() if value]


def _print_resource(resource: Resource, *, json: bool) -> None:
    if json:
        print_json(to_wire(resource))
    elif resource.text is not None:
        print(resource.text if not make_console().is_terminal else harmless(resource.text, lines=True), end="")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(base64.b64decode(resource.base64 or ""))


async def catalogue(
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
    max_chars: Annotated[int | None, Parameter(name="--max-chars")] = None,
    options: Options = Options(),  # noqa: B008  # frozen
) -> int:
    """Print what an agent is told of all skills: names, descriptions, and where they are.

    Args:
        json: Print JSON instead of XML: one object, with `skills` and `left_out`.
        max_chars: At most so many characters: descriptions become shorter, and then skills are left out.
        options: Of which root.
    """
    async with registry(options.settings()) as skills:
        print(await skills.catalogue("json" if json else "xml", max_chars))
    return OK
