"""What team inboxes refuse: what is beyond the caps, protocol messages; and inboxes that cannot be read."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from observatory_inbox import InboxSettings

from observatory import Done, Failed, Outcome

WRITTEN = Done("written", "flushed")
BOB = "bob@night-shift"


def error_of(outcome: Outcome, *, permanent: bool) -> str:
    """Return the error of an outcome that must be a failure."""
    assert isinstance(outcome, Failed)
    assert outcome.permanent is permanent
    return outcome.error


@pytest.fixture
def inbox(bench: Any) -> Any:
    """Return the path of a member's inbox, of which there is only the team."""
    return bench.team("bob", "al.ice") / "inboxes/bob.json"


@pytest.fixture
def filled(inbox: Any) -> Any:
    """Return the path of a member's inbox, in its folder."""
    inbox.parent.mkdir()
    return inbox


async def test_beyond_the_cap_of_entries_messages_are_refused(bench: Any, inbox: Any) -> None:
    """What fits is written; the rest is dead at once, without a file of its own, and the reason names the cap."""
    await bench.restart(InboxSettings(team_max_entries=3))
    posts = [bench.post(to=BOB) for _ in range(4)]
    outcomes = await bench.channel.deliver(posts)
    assert outcomes[:3] == [WRITTEN] * 3
    assert "holds 3 entries" in error_of(outcomes[3], permanent=True)
    assert len(json.loads(inbox.read_bytes())) == 3
    assert len(bench.files()) == 3
    assert await bench.channel.deliver([posts[0]]) == [WRITTEN]


async def test_beyond_the_cap_of_bytes_messages_are_refused(bench: Any, inbox: Any) -> None:
    """No message makes the inbox larger than the cap; a smaller one after it still fits."""
    await bench.restart(InboxSettings(team_max_bytes=2_000))
    outcomes = await bench.channel.deliver([bench.post(to=BOB, content="x" * n) for n in (1_000, 1_000, 10)])
    assert outcomes[0] == outcomes[2] == WRITTEN
    assert "would pass 2,000 bytes" in error_of(outcomes[1], permanent=True)
    assert inbox.stat().st_size <= 2_000


async def test_an_inbox_that_is_too_large_is_left_alone(bench: Any, filled: Any) -> None:
    """One that others have made larger than the cap takes nothing."""
    filled.write_bytes(b"[" + b" " * 1_000_000 + b"]")
    (outcome,) = await bench.channel.deliver([bench.post(to=BOB)])
    assert "more than 1,000,000 bytes" in error_of(outcome, permanent=True)
    assert filled.stat().st_size == 1_000_002


@pytest.mark.parametrize(
    "content", [b"", b'[{"from": "le', b"{}", b"[]]", b"[NaN]", b"\xef\xbb\xbf[]", b"[" * 100_000, b'"[]"']
)
async def test_an_inbox_that_cannot_be_read_is_tried_again_then_copied_and_never_overwritten(
    bench: Any, filled: Any, content: bytes
) -> None:
    """Two more attempts, then a copy beside it, once for each state, and the messages are dead."""
    filled.write_bytes(content)
    post = bench.post(to=BOB)
    for _ in range(2):
        assert "cannot be read" in error_of((await bench.channel.deliver([post]))[0], permanent=False)
    assert os.listdir(filled.parent) == ["bob.json"]
    for _ in range(2):
        assert "copied to" in error_of((await bench.channel.deliver([post]))[0], permanent=True)
    (copy,) = filled.parent.glob("bob.json.unreadable-*")
    assert copy.read_bytes() == filled.read_bytes() == content
    assert bench.files() == []


async def test_an_inbox_that_can_be_read_again_is_written(bench: Any, filled: Any) -> None:
    """Once somebody has mended it, the same message arrives, and looks are counted anew."""
    post = bench.post(to=BOB)
    for _ in range(2):
        filled.write_text("[")
        assert isinstance((await bench.channel.deliver([post]))[0], Failed)
        assert isinstance((await bench.channel.deliver([post]))[0], Failed)
        filled.write_text("[]")
        assert await bench.channel.deliver([post]) == [WRITTEN]
    assert os.listdir(filled.parent) == ["bob.json"]


async def test_content_is_text_whatever_it_looks_like(bench: Any, inbox: Any) -> None:
    """JSON that is no protocol message is delivered as it is."""
    posts = [bench.post(to=BOB, content=content) for content in ('{"type": "finding"}', "[1]", "{", '{"type": 1}')]
    assert await bench.channel.deliver(posts) == [WRITTEN] * 4


@pytest.mark.parametrize(
    "content",
    [
        '{"type": "shutdown_request"}',
        ' \n{"a": 1, "type": "plan_approval_request", "b": {}}\t',
        '\ufeff{"type": "permission_request"}',
        '{"type": "x", "type": "idle_notification"}',
        '{"type": "permission_response", "half": "\\ud83d"}',
        '{"type": "shutdown_approved", "deep": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
)
async def test_a_protocol_message_is_refused(bench: Any, inbox: Any, content: str) -> None:
    """Nothing of it is written, and other messages are."""
    outcomes = await bench.channel.deliver([bench.post(to=BOB, content=content), bench.post(to=BOB)])
    assert "protocol" in error_of(outcomes[0], permanent=True)
    assert outcomes[1] == WRITTEN
    assert len(bench.files()) == 1
    assert len(json.loads(inbox.read_bytes())) == 1


async def test_a_protocol_message_to_a_recipient_without_a_team_is_text(bench: Any) -> None:
    """Claude Code reads team inboxes only."""
    assert await bench.channel.deliver([bench.post(content='{"type": "shutdown_request"}')]) == [WRITTEN]


async def test_what_json_cannot_hold_fails_alone(bench: Any, inbox: Any) -> None:
    """The other messages of the batch are appended."""
    outcomes = await bench.channel.deliver([bench.post(to=BOB, content="\ud800"), bench.post(to=BOB)])
    error_of(outcomes[0], permanent=True)
    assert outcomes[1] == WRITTEN
    assert len(json.loads(inbox.read_bytes())) == 1


async def test_team_inboxes_can_be_turned_off(bench: Any, inbox: Any) -> None:
    """Then a name with an `@` is a name like any other."""
    await bench.restart(InboxSettings(team_inboxes=False))
    assert await bench.channel.deliver([bench.post(to=BOB), bench.post(to="nobody@nowhere")]) == [WRITTEN] * 2
    assert not inbox.exists()
