"""What the delivery channel tells about itself."""

from __future__ import annotations

import json
import os
from typing import Any

from observatory import Dropped, Retraction


async def test_statistics_count_what_was_done(bench: Any) -> None:
    """Files written and removed; what was not there is not counted as removed."""
    post = bench.post()
    await bench.channel.deliver([post, bench.post(to=".."), Dropped(1)])
    await bench.channel.deliver([Retraction("agent-42", id) for id in (post.message.id, "0" * 16)])
    statistics = bench.channel.statistics()
    assert (statistics["written"], statistics["removed"]) == (1, 1)
    assert json.loads(json.dumps(statistics)) == statistics


async def test_queue_stats_list_recipients_with_pending_files(bench: Any) -> None:
    """Count and age per recipient; what is no message's file does not count."""
    old = bench.post(to="b")
    await bench.channel.deliver([bench.post(to="b"), old, bench.post(to="a"), gone := bench.post(to="empty")])
    await bench.channel.deliver([Retraction("empty", gone.message.id)])
    now = bench.clock.now().timestamp()
    os.utime(bench.path(old), (now - 100, now - 100))
    (bench.inbox / "a" / ".x.tmp").touch()
    (bench.inbox / "a" / "notes.txt").touch()
    (bench.inbox / "a" / "0000000000000bad.json").mkdir()
    (bench.inbox / "a-file").touch()
    (bench.inbox / "link").symlink_to("b")
    stats = await bench.channel.queue_stats()
    assert [(entry.session_id, entry.pending_count) for entry in stats] == [("a", 1), ("b", 2)]
    assert 100 <= stats[1].oldest_age_sec < 160
    assert 0 <= stats[0].oldest_age_sec < 60


async def test_queue_stats_of_no_inbox_are_empty(bench: Any) -> None:
    """Before the first message there is nothing to list."""
    assert await bench.channel.queue_stats() == ()
