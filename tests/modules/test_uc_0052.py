"""UC-0052: every send writes to the table and to the inbox, and is published."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from observatory import Message, Observatory, StorageError
from observatory.testing import FailingStorage

Open = Callable[..., AbstractAsyncContextManager[Observatory]]

PATIENT = {"delivery": {"retry_total": 1e9}, "mailbox": {"cleanup_interval": math.inf}}
"""Files are written in threads, and a mock clock runs ahead meanwhile: only attempts count."""


async def test_s1_both_table_and_filesystem_contain_message_after_send(open_here: Open, root: Path) -> None:
    """`send_message` writes to the table, creates the inbox file and publishes."""
    async with open_here(installed=["inbox"]) as obs, obs.pubsub.subscribe("agent:abc") as subscription:
        receipt = await obs.mailbox.send_message("abc", "dashboard", "go")
        message = receipt.message
        assert obs.mailbox.get_messages("abc") == [message]
        (path,) = (root / "inbox" / "abc").iterdir()
        assert path.name == f"{message.id}.json"
        data = json.loads(path.read_text())
        timestamp = data.pop("timestamp")
        assert data == {
            "type": "message",
            "from": "dashboard",
            "content": "go",
            "message_type": "text",
            "metadata": {},
            "id": message.id,
            "session_id": "abc",
        }
        assert datetime.fromisoformat(timestamp) == message.timestamp
        assert [event.payload for event in await subscription.receive_batch()] == [message]
        assert (receipt.deliveries["inbox"].state, receipt.deliveries["inbox"].durability) == ("written", "flushed")


async def test_s2_check_inbox_finds_the_file(open_here: Open) -> None:
    """Whoever polls with nothing but the inbox at hand gets the message's content."""
    async with open_here(installed=["inbox"]) as obs:
        await obs.mailbox.send_message("abc", "dashboard", "go")
        async with open_here(installed=["inbox"], recover=["abc"]) as another:
            assert [message.content for message in another.mailbox.get_messages("abc")] == ["go"]


async def test_s3_filesystem_error_leaves_table_populated_but_inbox_empty(open_here: Open, root: Path) -> None:
    """A file that cannot be written causes a partial delivery, and the receipt says so."""
    (root / "inbox" / "abc").mkdir(parents=True)
    async with open_here(installed=["inbox"]) as obs:
        (root / "inbox" / "abc").rmdir()
        (root / "inbox" / "abc").write_text("in the way")
        receipt = await obs.mailbox.send_message("abc", "dashboard", "go")
        assert obs.mailbox.get_messages("abc") == [receipt.message]
        assert (root / "inbox" / "abc").read_text() == "in the way"
        delivery = receipt.deliveries["inbox"]
        assert (delivery.state, delivery.attempts, delivery.durability) == ("dead", 1, None)
        assert delivery.error
        assert "not a directory: move it away" in delivery.error
        (root / "inbox" / "abc").unlink()


async def test_a1_session_inbox_directory_does_not_yet_exist(open_here: Open, root: Path) -> None:
    """The first send creates the recipient's directory, the next one uses it again."""
    async with open_here(installed=["inbox"]) as obs:
        assert not (root / "inbox").exists()
        await obs.mailbox.send_message("abc", "dashboard", "go")
        directory = (root / "inbox" / "abc").stat().st_ino
        await obs.mailbox.send_message("abc", "dashboard", "go on")
        assert (root / "inbox" / "abc").stat().st_ino == directory
        assert len(list((root / "inbox" / "abc").iterdir())) == 2


async def until(condition: Callable[[], object]) -> None:
    """Let time pass until something is the case."""
    end = time.monotonic() + 60  # threads write the files, which know nothing of the time that passes here
    while not condition():
        if time.monotonic() > end:
            pytest.fail("it has never been the case")
        await trio.sleep(1)


async def test_f1_write_fails_for_good_and_is_a_dead_letter(
    open_here: Open, root: Path, autojump_clock: MockClock
) -> None:
    """What only a person can mend is a dead letter at once; once the folder is mended it can be redelivered."""
    (root / "inbox").mkdir(parents=True)
    (root / "inbox" / "abc").write_text("in the way")
    async with open_here(installed=["inbox"], **PATIENT) as obs, obs.pubsub.subscribe("agent:abc") as subscription:
        receipt = await obs.mailbox.send_message("abc", "dashboard", "go")
        assert receipt.deliveries["inbox"].state == "dead"
        assert (await subscription.receive_batch())[0].payload == receipt.message
        (letter,) = obs.dead_letters()
        assert (letter.message, letter.channel, letter.attempts) == (receipt.message, "inbox", 1)
        assert "not a directory" in letter.error
        assert obs.mailbox.unread_count("abc") == 1

        (root / "inbox" / "abc").unlink()
        assert await obs.redeliver([receipt.message.id]) == 1
        await until((root / "inbox" / "abc" / f"{receipt.message.id}.json").exists)
        assert obs.dead_letters() == ()


async def test_f1_write_fails_until_the_last_attempt(
    open_here: Open, failing_folders: set[str], autojump_clock: MockClock
) -> None:
    """What might pass is tried again, and after the last attempt it is a dead letter, too."""
    failing_folders.add("abc")
    async with open_here(installed=["inbox"], **PATIENT) as obs, obs.pubsub.subscribe("agent:abc") as subscription:
        receipt = await obs.mailbox.send_message("abc", "dashboard", "go")
        assert receipt.deliveries["inbox"].state == "retrying"
        assert (await subscription.receive_batch())[0].payload == receipt.message
        await until(obs.dead_letters)
        (letter,) = obs.dead_letters()
        assert (letter.message, letter.channel, letter.attempts) == (receipt.message, "inbox", 10)
        assert "Input/output error" in letter.error
        assert obs.mailbox.unread_count("abc") == 1


async def test_f1_write_fails_and_is_tried_again(open_here: Open, root: Path, failing_folders: set[str]) -> None:
    """What failed is written as soon as it can be, with what was sent meanwhile after it."""
    failing_folders.add("abc")
    async with open_here(installed=["inbox"]) as obs:
        first = await obs.mailbox.send_message("abc", "dashboard", "go")
        second = await obs.mailbox.send_message("abc", "dashboard", "go on")
        assert [receipt.deliveries["inbox"].state for receipt in (first, second)] == ["retrying", "queued"]
        failing_folders.clear()
    assert sorted(path.stem for path in (root / "inbox" / "abc").iterdir()) == sorted(
        [first.message.id, second.message.id]
    )
    assert obs.undelivered == 0


async def test_f2_store_fails(open_here: Open, root: Path) -> None:
    """The caller receives an error, and no table entry, file or event exists."""
    storage = FailingStorage()
    async with open_here(installed=["inbox"], storage=storage) as obs:
        subscription = obs.pubsub.subscribe("agent:*")
        storage.failing = True
        with pytest.raises(StorageError, match="planned by the test"):
            await obs.mailbox.send_message("abc", "dashboard", "go")
        assert obs.mailbox.get_messages("abc") == []
        assert obs.mailbox.get_stats() == {}
        assert obs.statistics().mailbox.bytes == 0
        assert not (root / "inbox").exists()
        assert subscription.statistics().pending == 0

        storage.failing = False
        receipt = await obs.mailbox.send_message("abc", "dashboard", "again")
        assert receipt.sequence == 1
        (event,) = await subscription.receive_batch()
        assert isinstance(event.payload, Message)
        assert event.payload.content == "again"
