"""Messages, notes and tasks as agents are told of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from observatory import Message, Note, SwarmTask, to_wire
from observatory_mcp.values import Heading, Mail, NoteText, Task
from observatory_mcp.wrapping import harmless, tagless, wrapped

_METADATA = 2_000
"""Characters of metadata."""
_NAME = 1_000
"""Characters of a task's id, and of what else stands in a word."""


def mail_of(message: Message, *, at_most: int) -> Mail:
    """Return a message with its text, or as much of that as there is room for."""
    text = harmless(message.content[:at_most], lines=True)
    sent = message.timestamp.isoformat()
    content = wrapped("message", text[:at_most], from_=message.from_, id=message.id, sent=sent)
    cut = max(len(text), len(message.content)) > at_most
    metadata = None
    if message.metadata:
        text = json.dumps(to_wire(message.metadata), ensure_ascii=False)
        metadata = wrapped("metadata", text[:_METADATA], from_=message.from_, id=message.id)
    return Mail(message.id, tagless(message.from_), tagless(message.type), message.timestamp, content, metadata, cut)


def size_of(mail: Mail) -> int:
    """Return how many characters of others a message has, its envelope included."""
    return len(mail.content) + len(mail.metadata or "")


def heading_of(message: Message) -> Heading:
    """Return a message without its text."""
    return Heading(message.id, tagless(message.from_), tagless(message.type), message.timestamp, len(message.content))


def note_of(note: Note) -> NoteText:
    """Return a note."""
    return NoteText(tagless(note.key), note.timestamp, wrapped("note", note.text, key=note.key))


def task_of(task: SwarmTask, project: str, *, at_most: int) -> Task:
    """Return a task of a project, or as much of its text, and of what it names, as there is room for."""
    parts = {"subject": task.subject, "description": task.description, "done when": task.done_when, "notes": task.notes}
    text = "\n".join([f"{name}: {part}" for name, part in parts.items() if part])
    shown = harmless(text[:at_most], lines=True)
    blocked_by = _as_many(task.blocked_by, at_most - len(shown))
    files = _as_many(task.files, at_most - len(shown) - sum(map(len, blocked_by)))
    names = [task.id, task.owner or "", str(task.priority or "")]
    cut = max(len(text), len(shown)) > at_most or max(map(len, names)) > _NAME
    return Task(
        tagless(task.id[:_NAME]),
        tagless(project),
        tagless(task.status),
        None if task.owner is None else tagless(task.owner[:_NAME]),
        None if task.priority is None else tagless(str(task.priority)[:_NAME]),
        blocked_by,
        files,
        wrapped("task", shown[:at_most], id=task.id[:_NAME]),
        cut or len(blocked_by) < len(task.blocked_by) or len(files) < len(task.files),
    )


def size_of_task(task: Task) -> int:
    """Return how many characters of others a task has, its envelope included."""
    names = (task.id, task.project, task.owner or "", task.priority or "", *task.blocked_by, *task.files)
    return len(task.text) + sum(map(len, names))


def _as_many(names: Sequence[str], at_most: int) -> tuple[str, ...]:
    """Return the first of some names, as many as there is room for."""
    told: list[str] = []
    for name in names:
        at_most -= len(name) + 1
        if at_most < 0:
            break
        told.append(tagless(name))
    return tuple(told)
