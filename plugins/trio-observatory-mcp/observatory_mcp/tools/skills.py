"""Tools for skills: the service `skills` of trio-observatory-skills has them."""

from __future__ import annotations

from typing import Any

from observatory import ObservatoryError, UnknownNameError, from_wire
from observatory_mcp.desk import Call, Desk
from observatory_mcp.values import SkillLine, SkillList, SkillResource, SkillText
from observatory_mcp.wrapping import harmless

_SERVICE = "skills"


async def list_skills(*, call: Call) -> SkillList:
    """Return the skills that there are: names, and when each is of use. Load one before you follow it."""
    return SkillList(tuple(await skills_of(call.desk)))


async def load_skill(name: str, *, call: Call) -> SkillText:
    """Return the instructions of a skill, and the paths of its other files.

    Args:
        name: What it is called, as `list_skills` returns it.
    """
    body = await ask(call.desk, "body", name=name)
    resources = await ask(call.desk, "resources", name=name)
    return SkillText(name, harmless(body, lines=True), tuple(harmless(path) for path in resources))


async def read_skill_resource(name: str, path: str, *, call: Call) -> SkillResource:
    """Return what stands in a file of a skill.

    Args:
        name: What the skill is called.
        path: Where the file is in its folder, as `load_skill` returns it.
    """
    found = from_wire(await ask(call.desk, "get_resource", name=name, path=path), SkillResource)
    text = None if found.text is None else harmless(found.text, lines=True)
    return SkillResource(harmless(found.path), text, found.base64)


async def skills_of(desk: Desk) -> list[SkillLine]:
    """Return the skills that there are."""
    found: list[SkillLine] = from_wire(await ask(desk, "list"), list[SkillLine])
    return [SkillLine(harmless(skill.name), harmless(skill.description, lines=True)) for skill in found]


async def ask(desk: Desk, method: str, **params: Any) -> Any:
    """Ask the service that has skills.

    Raises:
        ObservatoryError: there is none, or it refuses.
    """
    try:
        return await desk.client.call_service(_SERVICE, method, **params)
    except UnknownNameError as error:
        if error.kind != "service":
            raise
        raise ObservatoryError(
            "there are no skills here: the plugin trio-observatory-skills is not installed, or its service does not run"
        ) from error
