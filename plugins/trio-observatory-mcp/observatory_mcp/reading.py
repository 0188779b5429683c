"""Resources and prompts: what can be read, beside what tools return."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    GetPromptResult,
    Prompt,
    PromptMessage,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)

from observatory import ObservatoryError, UnknownNameError, to_wire
from observatory_mcp import places
from observatory_mcp.desk import Call, Desk
from observatory_mcp.tools import mail, notes, skills, swarm
from observatory_mcp.tools.texts import note_of
from observatory_mcp.values import SkillLine
from observatory_mcp.wrapping import harmless, tagless

_JSON = "application/json"
_MARKDOWN = "text/markdown"

TEMPLATES = [
    ResourceTemplate(name="note", uri_template=f"{places.NOTES}/{{key}}", description="One note.", mime_type=_JSON),
    ResourceTemplate(
        name="skill",
        uri_template=f"{places.SKILLS}/{{name}}",
        description="A skill's instructions.",
        mime_type=_MARKDOWN,
    ),
    ResourceTemplate(
        name="skill-file", uri_template=f"{places.SKILLS}/{{name}}/{{+path}}", description="Another file of a skill."
    ),
]


async def resources_of(desk: Desk) -> list[Resource]:
    """Return what can be read: the agent's inbox, notes, the swarm, and skills."""
    inbox = Resource(
        name="inbox", uri=places.inbox(desk.agent), description="Your unread messages, newest first.", mime_type=_JSON
    )
    rest = [
        Resource(name="notes", uri=places.NOTES, description="The newest notes.", mime_type=_JSON),
        Resource(name="swarm", uri=places.SWARM, description="Tasks, and who is there.", mime_type=_JSON),
        Resource(name="skills", uri=places.SKILLS, description="The skills that there are.", mime_type=_JSON),
    ]
    listed = [
        Resource(
            name=f"skill: {one.name}", uri=places.skill(one.name), description=one.description, mime_type=_MARKDOWN
        )
        for one in await _skills(desk)
    ]
    return [inbox, *rest, *listed]


async def read(desk: Desk, uri: str) -> ReadResourceResult:
    """Return what stands at an address.

    Raises:
        MCPError: there is nothing, or it cannot be read.
    """
    try:
        kind, *names = places.parts_of(uri) or [""]
        reader = _READERS.get((kind, len(names)))
        if reader is None:
            raise UnknownNameError("resource", uri, [one.uri for one in await resources_of(desk)])
        contents = await reader(desk, uri, names)
    except ObservatoryError as error:
        raise MCPError(INVALID_PARAMS, tagless(str(error)), {"uri": uri}) from error
    return ReadResourceResult(contents=[contents], cache_scope="private")


async def prompts_of(desk: Desk) -> list[Prompt]:
    """Return a prompt for each skill."""
    return [Prompt(name=one.name, description=one.description) for one in await _skills(desk)]


async def prompt(desk: Desk, name: str) -> GetPromptResult:
    """Return a skill's instructions, as somebody would give them to an agent.

    Raises:
        MCPError: there is no such skill, or it cannot be read.
    """
    try:
        text: str = await skills.ask(desk, "body", name=name)
    except ObservatoryError as error:
        raise MCPError(INVALID_PARAMS, tagless(str(error))) from error
    content = TextContent(type="text", text=harmless(text, lines=True))
    return GetPromptResult(description=f"The skill {name}", messages=[PromptMessage(role="user", content=content)])


async def _skills(desk: Desk) -> list[SkillLine]:
    try:
        return await skills.skills_of(desk)
    except ObservatoryError:  # nobody has any: the tool says why
        return []


async def _nothing(progress: float, words: str) -> None:
    """Tell nobody."""


def _json(uri: str, value: Any) -> TextResourceContents:
    return TextResourceContents(uri=uri, mime_type=_JSON, text=json.dumps(to_wire(value), ensure_ascii=False))


async def _inbox(desk: Desk, uri: str, names: Sequence[str]) -> TextResourceContents:
    desk.check_own(names[0])
    return _json(uri, await mail.unread_of(desk, room=desk.settings.max_chars))


async def _notes(desk: Desk, uri: str, names: Sequence[str]) -> TextResourceContents:
    return _json(uri, await notes.list_notes(call=Call(desk, _nothing)))


async def _note(desk: Desk, uri: str, names: Sequence[str]) -> TextResourceContents:
    note = await desk.client.notes.get_note(names[0])
    if note is None:
        raise notes.no_note(names[0], await desk.client.notes.list_notes())
    return _json(uri, note_of(note))


async def _swarm(desk: Desk, uri: str, names: Sequence[str]) -> TextResourceContents:
    call = Call(desk, _nothing)
    return _json(
        uri, {"tasks": await swarm.get_tasks(limit=1_000, call=call), "agents": await swarm.list_agents(call=call)}
    )


async def _catalogue(desk: Desk, uri: str, names: Sequence[str]) -> TextResourceContents:
    return _json(uri, await skills.list_skills(call=Call(desk, _nothing)))


async def _skill(desk: Desk, uri: str, names: Sequence[str]) -> TextResourceContents:
    text: str = await skills.ask(desk, "body", name=names[0])
    return TextResourceContents(uri=uri, mime_type=_MARKDOWN, text=harmless(text, lines=True))


async def _skill_file(desk: Desk, uri: str, names: Sequence[str]) -> TextResourceContents | BlobResourceContents:
    name, path = names
    found = await skills.read_skill_resource(name, path, call=Call(desk, _nothing))
    if found.base64 is not None:
        return BlobResourceContents(uri=uri, blob=found.base64)
    return TextResourceContents(uri=uri, mime_type="text/plain", text=found.text or "")


_READERS: Mapping[
    tuple[str, int], Callable[[Desk, str, Sequence[str]], Awaitable[TextResourceContents | BlobResourceContents]]
] = {
    ("inbox", 1): _inbox,
    ("notes", 0): _notes,
    ("notes", 1): _note,
    ("swarm", 0): _swarm,
    ("skills", 0): _catalogue,
    ("skills", 1): _skill,
    ("skills", 2): _skill_file,
}
