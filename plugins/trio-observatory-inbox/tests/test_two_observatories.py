"""Two Observatories on one root, while the disk of one of them fails."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from observatory_inbox.mail.disk import Disk

from observatory import Observatory, Settings, open_observatory


@pytest.fixture
def failing_sync(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what ends the wait of the first sync of names, which fails then."""
    may_fail = threading.Event()
    left = [OSError(errno.EIO, os.strerror(errno.EIO))]
    sync_names = Disk.sync_names

    def fail_once(disk: Disk) -> None:
        if left:
            assert may_fail.wait(10)
            raise left.pop()
        sync_names(disk)

    monkeypatch.setattr(Disk, "sync_names", fail_once)
    return may_fail.set


async def test_a_failing_disk_is_no_reader(tmp_path: Path, failing_sync: Callable[[], None]) -> None:
    """What one could not sync at first, and the other has adopted meanwhile, stays unread in both, and is there."""
    settings = Settings(root=tmp_path, plugins={"inbox": {"durability": "fsynced"}})

    async def see(other: Observatory) -> None:
        await other.mailbox.receive("agent-42")
        failing_sync()

    with trio.fail_after(10):
        async with open_observatory(settings) as other:
            async with open_observatory(settings) as one, trio.open_nursery() as nursery:
                nursery.start_soon(see, other)
                receipt = await one.mailbox.send_message("agent-42", "sender", "hello")
                assert receipt.deliveries["inbox"].state == "retrying"
            async with open_observatory(settings) as next_one, other.pubsub.subscribe("agent:*") as news:
                assert next_one.mailbox.get_messages("agent-42") == [receipt.message]
                await next_one.mailbox.send_message("marker", "sender", "seen when everything before it was")
                await anext(news)
                assert other.mailbox.get_messages("agent-42") == [receipt.message]
