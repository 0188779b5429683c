"""UC-0051: a message is stored with exactly eight fields, of the right types, with the right defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from observatory import Observatory

Open = Callable[..., AbstractAsyncContextManager[Observatory]]

DAY = 24 * 3600


async def test_s1_message_stored_with_all_required_fields_and_correct_defaults(open_here: Open) -> None:
    """`send_message` stores a correctly shaped message."""
    async with open_here() as obs:
        assert obs.mailbox.get_messages("agent-42") == []
        receipt = await obs.mailbox.send_message("agent-42", "dashboard", "hello")
        (message,) = obs.mailbox.get_messages("agent-42")
        assert receipt.message == message
        fields = attrs.asdict(message)
        id, timestamp = fields.pop("id"), fields.pop("timestamp")
        assert fields == {
            "from_": "dashboard",
            "to": "agent-42",
            "content": "hello",
            "type": "text",
            "read": False,
            "metadata": {},
        }
        assert re.fullmatch("[0-9a-f]{16}", id)
        assert isinstance(timestamp, datetime)
        assert timestamp.utcoffset() == timedelta(0)
        assert timestamp <= obs.clock.now()


@pytest.mark.parametrize("metadata", [{"priority": "high"}, {"p": 1}])
async def test_s2_custom_opts_populate_type_and_metadata(open_here: Open, metadata: dict[str, object]) -> None:
    """`send_message` with a type and metadata stores both."""
    async with open_here() as obs:
        await obs.mailbox.send_message("agent-42", "dashboard", "push", type="context_push", metadata=metadata)
        (message,) = obs.mailbox.get_messages("agent-42")
        assert message.type == "context_push"
        assert message.metadata == metadata


async def test_s3_messages_are_stored_newest_first(open_here: Open) -> None:
    """The second message comes before the first one."""
    async with open_here() as obs:
        first = await obs.mailbox.send_message("agent-42", "dashboard", "first")
        second = await obs.mailbox.send_message("agent-42", "dashboard", "second")
        assert obs.mailbox.get_messages("agent-42") == [second.message, first.message]


async def test_a1_custom_type_and_metadata_leave_the_other_fields_alone(open_here: Open) -> None:
    """Type and metadata change nothing else of the message."""
    async with open_here() as obs:
        plain = (await obs.mailbox.send_message("agent-42", "dashboard", "push")).message
        receipt = await obs.mailbox.send_message(
            "agent-42", "dashboard", "push", type="context_push", metadata={"priority": "high"}
        )
        expected = attrs.evolve(
            plain,
            id=receipt.message.id,
            timestamp=receipt.message.timestamp,
            type="context_push",
            metadata={"priority": "high"},
        )
        assert receipt.message == expected


async def test_a2_recipient_has_no_prior_messages(open_here: Open) -> None:
    """The first message makes the mailbox."""
    async with open_here() as obs:
        assert obs.mailbox.get_stats() == {}
        await obs.mailbox.send_message("agent-42", "dashboard", "hello")
        assert len(obs.mailbox.get_messages("agent-42")) == 1
        assert obs.mailbox.get_stats()["agent-42"].total == 1


def write_file(root: Path, id: str, **fields: object) -> Path:
    """Write an inbox file of agent-42 as another program might, with nothing but these fields."""
    path = root / "inbox" / "agent-42" / f"{id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    complete = {"type": "message", "from": "x", "message_type": "text", "metadata": {}, "session_id": "agent-42"}
    path.write_text(json.dumps(complete | {"content": "found", "id": id} | fields))
    return path


async def test_f1_message_stored_without_read_field(open_here: Open, root: Path, autojump_clock: MockClock) -> None:
    """A file has no field `read`: its message is unread all the same, and cleanup neither fails nor passes it over."""
    write_file(root, "0" * 16, timestamp="2025-12-31T00:00:00Z")
    write_file(root, "1" * 16, timestamp="2025-12-31T00:00:01Z")
    async with open_here(installed=["inbox"]) as obs:
        assert [message.read for message in obs.mailbox.get_messages("agent-42")] == [False, False]
        await obs.mailbox.mark_read("agent-42", "0" * 16)
        await trio.sleep(DAY + 120)
        (left,) = obs.mailbox.get_messages("agent-42")
        assert left.id == "1" * 16
        assert obs.health().healthy


async def test_f2_message_stored_without_timestamp_field(open_here: Open, root: Path) -> None:
    """A file without a timestamp does not become a message; it stays, is counted, and `get_stats` works."""
    path = write_file(root, "0" * 16)
    write_file(root, "1" * 16, timestamp="2026-01-01T00:00:00Z")
    async with open_here(installed=["inbox"]) as obs:
        stats = obs.mailbox.get_stats()["agent-42"]
        assert (stats.total, stats.unread) == (1, 1)
        assert obs.statistics().channels["inbox"]["left"] == {"foreign": 1}
        assert path.exists()
