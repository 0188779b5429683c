"""What others do to the inbox while storage, the disk or our own writing gets in the way: it is found afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest
import trio

from observatory import Message, StorageError


class Refusing:
    """Takes nothing as long as its disk is full, and then whatever it is told."""

    def __init__(self) -> None:
        self.full = True
        self.adopted: list[str] = []
        self.gone: list[str] = []

    async def adopt(self, messages: Sequence[Message]) -> None:
        """Take messages."""
        await trio.lowlevel.checkpoint()
        self._check()
        self.adopted += [message.id for message in messages]

    async def take_gone(self, to: str, ids: Sequence[str]) -> None:
        """Take what is gone."""
        await trio.lowlevel.checkpoint()
        self._check()
        self.gone += ids

    def _check(self) -> None:
        if self.full:
            raise StorageError("the disk is full")


async def test_storage_that_refuses_for_a_while(
    bench: Any, hurried_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What came and what went meanwhile is told when it takes something again; it is said once that it does not."""
    mailbox = Refusing()
    await bench.channel.deliver([post := bench.post()])
    async with trio.open_nursery() as nursery:
        await nursery.start(bench.channel.watch, mailbox.adopt, mailbox.take_gone)
        bench.path(post).unlink()
        other = bench.write_file("other")
        await trio.sleep(20)
        assert (mailbox.adopted, mailbox.gone) == ([], [])
        mailbox.full = False
        await trio.sleep(10)
        assert (mailbox.adopted, mailbox.gone) == ([other.stem], [post.message.id])
        nursery.cancel_scope.cancel()
    assert len([each for each in caplog.records if "not taken note of" in each.getMessage()]) == 1


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_what_could_not_be_opened_for_a_while(
    bench: Any, hurried_clock: Any, failing_folders: set[str], what: str
) -> None:
    """It is adopted once it can be, although nothing about it has changed."""
    async with bench.watching() as watch:
        failing_folders.update(("0000000000000007.json", "agent-42") if what == "folder" else ["0000000000000007.json"])
        path = bench.write_file(id="0000000000000007")
        await trio.sleep(20)
        assert watch.adopted == []
        failing_folders.clear()
        await watch.until(lambda: watch.ids() == {path.stem})


async def test_what_its_reader_takes_while_its_batch_lasts(
    bench: Any, hurried_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often is looked meanwhile, it is gone afterwards."""
    first, second = bench.post(), bench.post()
    name = f"{second.message.id}.json"
    begun, gate = trio.Event(), threading.Event()
    link, token = os.link, trio.lowlevel.current_trio_token()

    def wait_and_link(source: str, target: str, **options: Any) -> None:
        if target == name:
            token.run_sync_soon(begun.set)
            gate.wait(20)
        link(source, target, **options)

    monkeypatch.setattr(os, "link", wait_and_link)
    async with bench.watching() as watch, trio.open_nursery() as nursery:
        nursery.start_soon(bench.channel.deliver, [first, second])
        await begun.wait()
        bench.path(first).unlink()
        await trio.sleep(20)
        assert watch.gone == []
        gate.set()
        await watch.until(lambda: watch.gone == [("agent-42", [first.message.id])])
