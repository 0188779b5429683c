"""Values to test with, each message under an id of its own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from observatory import Draft, Message, Post

_START = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = itertools.count(1)

DRAFTS = (
    Draft("agent-42", "dashboard", "hello"),
    Draft("a", "b", "", "command", {}),
    Draft(
        "A.z_0@+-", "B", "two\nlines\tand \u0000 \u2028 \U0001f514", "text", {"": None, "n": [1, 2.5, True, {"ü": []}]}
    ),
    Draft(
        "agent-42", "agent-42", "long " * 10_000, "x" * 128, {"deep": {"deep": {"deep": ["down", {"here": "hello"}]}}}
    ),
)
"""Drafts that a Mailbox would put to policies: short, empty, strange and long."""


def messages(*recipients: str, content: str = "hello", metadata: Mapping[str, Any] | None = None) -> list[Message]:
    """Return a new message to each recipient, each later than all before."""
    return [_message(to, content, metadata or {}) for to in recipients]


def posts(*recipients: str) -> list[Post]:
    """Return a post of a new message to each recipient."""
    return [Post(message, number) for number, message in enumerate(messages(*recipients), start=1)]


def _message(to: str, content: str, metadata: Mapping[str, Any]) -> Message:
    number = next(_numbers)
    moment = _START + timedelta(microseconds=number)
    return Message(f"{number:016x}", "sender", to, content, moment, metadata=metadata)
