"""The policy `redact`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest
from observatory_example import Redaction

from observatory import Draft, Observatory, SettingsError

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Observatory]]

PREFIXES = ["sk-", "ghp_", "xoxb-", "AKIA"]
TOKENS = ["sk-" + "a1_-" * 6, "ghp_" + "a1" * 18, "xoxb-1234567890-abc", "AKIA" + "A1" * 8]


@pytest.mark.parametrize("token", TOKENS)
def test_content(token: str) -> None:
    """What looks like a token is replaced, what stands around it is kept."""
    assert Redaction(PREFIXES)(Draft("a", "b", f"use '{token}'!")).content == "use '[redacted]'!"


def test_metadata() -> None:
    """Values of the metadata are searched too, at any depth; keys and other kinds stay."""
    draft = Draft("a", "b", "c", metadata={"env": [{"TOKEN": TOKENS[0]}, 7, None], "n": 1.5})
    assert Redaction(PREFIXES)(draft).metadata == {"env": [{"TOKEN": "[redacted]"}, 7, None], "n": 1.5}


@pytest.mark.parametrize("text", ["task-sk-is-a-prefix", "sk-short", "desk-" + "a" * 30, "AKIAN is a name", ""])
def test_harmless(text: str) -> None:
    """What only begins like a token is kept."""
    assert Redaction(PREFIXES)(Draft("a", "b", text)).content == text


async def test_off(open_example: Open) -> None:
    """Whoever has only installed the plugin gets every message as it was sent."""
    async with open_example() as obs:
        for token in TOKENS:
            receipt = await obs.mailbox.send_message("a", "b", token, metadata={"token": token})
            assert (receipt.message.content, receipt.message.metadata) == (token, {"token": token})


@pytest.mark.parametrize("prefix", ["", "s"])
async def test_short_prefix(open_example: Open, prefix: str) -> None:
    """What nearly every word begins with is refused."""
    with pytest.raises(SettingsError) as refusal:
        async with open_example(redact=["sk-", prefix]):
            pass
    assert refusal.value.path == "$.plugins.example.redact"


async def test_sent(open_example: Open) -> None:
    """A message that was sent does not have the token in it."""
    async with open_example(redact=PREFIXES) as obs:
        await obs.mailbox.send_message("a", "b", f"use {TOKENS[0]}")
        assert [message.content for message in obs.mailbox.get_messages("a")] == ["use [redacted]"]
