"""What tools return: frozen values whose schemas are told. Whatever others wrote stands in them wrapped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs


@attrs.frozen
class Mail:
    """A message that somebody has sent to this agent."""

    id: str
    """What it is known by."""
    from_: str
    """Who has sent it."""
    type: str
    """What kind of message it is."""
    timestamp: datetime
    """When it was sent."""
    content: str
    """The text, wrapped."""
    metadata: str | None = None
    """What goes with it, as JSON, wrapped."""
    truncated: bool = False
    """Whether the text was cut."""


@attrs.frozen
class Heading:
    """A message of which the text is not told yet."""

    id: str
    """What it is known by."""
    from_: str
    """Who has sent it."""
    type: str
    """What kind of message it is."""
    timestamp: datetime
    """When it was sent."""
    chars: int
    """How long its text is."""


@attrs.frozen
class Inbox:
    """Unread messages, newest first."""

    session_id: str
    """Whose."""
    notice: str
    """How to take what stands in them."""
    messages: tuple[Mail, ...]
    """Those with their text."""
    digest: tuple[Heading, ...]
    """Others, for which there was no room: their texts come with the next calls."""
    unread: int
    """How many are not acknowledged, those shown before included."""


@attrs.frozen
class Arrival:
    """What has come while somebody waited."""

    notice: str
    """How to take what stands in it."""
    message: Mail | None
    """The oldest unread message that was not shown before; null when none has come."""


@attrs.frozen
class Acknowledged:
    """Messages that are read now."""

    ids: tuple[str, ...]
    """What they are known by."""


@attrs.frozen
class Sent:
    """A message that was sent."""

    id: str
    """What it is known by."""
    to: str
    """Who it is for."""
    timestamp: datetime
    """When it was accepted."""
    duplicate: bool
    """Whether it was sent before, under the same idempotency key."""
    deliveries: Mapping[str, str]
    """How far each delivery channel has come: queued, written, sent, retrying, dropped or dead."""
    doubt: str | None = None
    """What may be wrong with it, such as a recipient that nobody has heard of."""


@attrs.frozen
class NotSent:
    """A recipient to whom nothing was sent."""

    to: str
    """Who."""
    error: str
    """Why."""


@attrs.frozen
class Broadcast:
    """Copies of a message."""

    sent: tuple[Sent, ...]
    """Those that were sent."""
    failed: tuple[NotSent, ...]
    """Those that were not."""


@attrs.frozen
class Task:
    """A task of a project."""

    id: str
    """What it is known by."""
    project: str
    """Whose."""
    status: str
    """pending, in_progress, completed, failed, blocked, or unknown."""
    owner: str | None
    """Who does it."""
    priority: str | None
    """How urgent it is."""
    blocked_by: tuple[str, ...]
    """Tasks that have to be completed before."""
    files: tuple[str, ...]
    """Paths that it changes."""
    text: str
    """What is to be done, as its author wrote it, wrapped."""
    truncated: bool = False
    """Whether something of it was cut."""


@attrs.frozen
class Tasks:
    """Tasks of projects."""

    notice: str
    """How to take what stands in them."""
    tasks: tuple[Task, ...]
    """In the order of their files."""
    more: int
    """How many others follow."""
    next: str | None
    """What to give as `after` to go on with those; null when there are none."""
    projects: tuple[str, ...]
    """Every project that is looked after."""


@attrs.frozen
class Present:
    """An agent that was heard of."""

    name: str
    """What it is called, which is where mail to it goes."""
    status: str
    """active, idle or gone."""
    last_seen: datetime | None
    """When it was heard of last."""


@attrs.frozen
class Agents:
    """Who is there."""

    you: str
    """The agent that asks."""
    agents: tuple[Present, ...]
    """By name."""


@attrs.frozen
class NoteText:
    """A note."""

    key: str
    """What it is about."""
    timestamp: datetime
    """When it was written."""
    text: str
    """What it says, wrapped."""


@attrs.frozen
class NoteList:
    """Notes, newest first."""

    notice: str
    """How to take what stands in them."""
    notes: tuple[NoteText, ...]
    """As many as there is room for."""
    more: int
    """How many older ones there are."""


@attrs.frozen
class SkillLine:
    """A skill that can be loaded."""

    name: str
    """What it is called."""
    description: str
    """What it does, and when it is of use."""


@attrs.frozen
class SkillList:
    """Skills that can be loaded."""

    skills: tuple[SkillLine, ...]
    """In the order of precedence."""


@attrs.frozen
class SkillText:
    """A skill."""

    name: str
    """What it is called."""
    instructions: str
    """What to do."""
    resources: tuple[str, ...]
    """Paths of its other files."""


@attrs.frozen
class SkillResource:
    """A file of a skill."""

    path: str
    """Where it is in the skill's folder."""
    text: str | None
    """What stands in it; null when that is no text."""
    base64: str | None
    """The same, when it is no text."""
