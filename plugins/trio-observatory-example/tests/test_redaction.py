"""The policy `redact`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest
from observatory_example import redact

from observatory import Draft, Observatory

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Observatory]]

TOKENS = ["sk-" + "a1_-" * 6, "ghp_" + "a1" * 18, "xoxb-1234567890-abc", "AKIA" + "A1" * 8]


@pytest.mark.parametrize("token", TOKENS)
def test_content(token: str) -> None:
    """What looks like a token is replaced, what stands around it is kept."""
    assert redact(Draft("a", "b", f"use '{token}'!")).content == "use '[redacted]'!"


def test_metadata() -> None:
    """Values of the metadata are searched too, at any depth; keys and other kinds stay."""
    draft = Draft("a", "b", "c", metadata={"env": [{"TOKEN": TOKENS[0]}, 7, None], "n": 1.5})
    assert redact(draft).metadata == {"env": [{"TOKEN": "[redacted]"}, 7, None], "n": 1.5}


@pytest.mark.parametrize("text", ["task-sk-is-a-prefix", "sk-short", "desk-" + "a" * 30, "AKIAN is a name", ""])
def test_harmless(text: str) -> None:
    """What only begins like a token is kept."""
    assert redact(Draft("a", "b", text)).content == text


async def test_sent(open_example: Open) -> None:
    """A message that was sent does not have the token in it."""
    async with open_example() as obs:
        await obs.mailbox.send_message("a", "b", f"use {TOKENS[0]}")
        assert [message.content for message in obs.mailbox.get_messages("a")] == ["use [redacted]"]
