"""While a batch is under way: cancelling it, and looking at the inbox meanwhile."""

from __future__ import annotations

from typing import Any

import trio
from observatory_inbox.adopting.known import Known


async def test_a_cancelled_batch_is_carried_out_before_its_channel_goes_on(bench: Any) -> None:
    """A thread that was left behind could write a file after the message was taken back."""
    posts = [bench.post() for _ in range(2_000)]
    with trio.CancelScope() as scope:  # noqa: ASYNC912 -- the nursery waits
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.channel.deliver, posts)
            while not bench.path(posts[0]).exists():  # noqa: ASYNC110 -- nothing tells of it
                await trio.lowlevel.checkpoint()
            scope.cancel()
    assert scope.cancel_called
    assert len(bench.files()) == 2_000


async def test_a_folder_in_which_we_write_during_a_look_is_looked_at_again(bench: Any) -> None:  # noqa: ASYNC124 -- bench needs Trio
    """Its listing may be older than our file, which others may have taken since; of other folders there is no doubt."""
    known, post = Known(), bench.post(to="bob")
    with known.look():
        assert not known.is_unsure("bob", set())
        known.begin([post])
        assert known.is_unsure("bob", set())
        assert not known.is_unsure("bob", {post.message.id})
        assert not known.is_unsure("alice", set())
    assert not known.is_unsure("bob", set())
