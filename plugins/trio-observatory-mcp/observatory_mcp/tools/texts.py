"""Messages, notes and tasks as agents are told of them."""

from __future__ import annotations

import json

from observatory import Message, Note, SwarmTask, to_wire
from observatory_mcp.values import Heading, Mail, NoteText, Task
from observatory_mcp.wrapping import harmless, tagless, wrapped

_METADATA = 2_000
"""Characters of metadata."""


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


def task_of(task: SwarmTask, project: str) -> Task:
    """Return a task of a project."""
    parts = {"subject": task.subject, "description": task.description, "done when": task.done_when, "notes": task.notes}
    text = "\n".join([f"{name}: {part}" for name, part in parts.items() if part])
    return Task(
        tagless(task.id),
        tagless(project),
        tagless(task.status),
        None if task.owner is None else tagless(task.owner),
        None if task.priority is None else tagless(str(task.priority)),
        tuple(tagless(id) for id in task.blocked_by),
        tuple(tagless(path) for path in task.files),
        wrapped("task", text, id=task.id),
    )
