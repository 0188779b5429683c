"""What a sender hears, and what lies in the inbox, when files cannot be written, and when they can be again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trio

from observatory import Delivery, LaneStatistics, Observatory, Settings, open_observatory

PAGE = os.sysconf("SC_PAGE_SIZE")
INODES = 40
DENIED = Path(__file__).with_name("denied.py")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 pages and as many files, in memory."""
    if not shutil.which("mount"):
        pytest.skip("a small file system cannot be mounted here: there is no program `mount`")
    command = ["mount", "-t", "tmpfs", "-o", f"size={40 * PAGE},nr_inodes={INODES}", "tmpfs", str(tmp_path)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


class Disk:
    """An Observatory on a root whose inbox is about to fail."""

    def __init__(self, root: Path, observatory: Observatory) -> None:
        self.root = root
        self.inbox = root / "inbox"
        self.folder = self.inbox / "agent-42"
        self.ballast = root / "ballast"
        self.observatory = observatory

    async def send(self, content: str) -> Delivery:
        """Send to the agent and return what the receipt says of the inbox."""
        receipt = await self.observatory.mailbox.send_message("agent-42", "dashboard", content)
        return receipt.deliveries["inbox"]

    def fill(self, *, but: int = 0) -> None:
        """Leave only so many free pages."""
        with self.ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(PAGE))
        self.make_room(but)

    def use_up_files(self) -> None:
        """Leave no file that could be made."""
        self.ballast.mkdir()
        with contextlib.suppress(OSError):
            for number in range(INODES):
                (self.ballast / f"{number}").touch()

    def make_room(self, pages: int) -> None:
        """Free some pages."""
        os.truncate(self.ballast, self.ballast.stat().st_size - pages * PAGE)

    def contents(self) -> set[str]:
        """Return the contents of everything in the agent's folder."""
        return contents_of(self.folder)

    async def redeliver(self, count: int) -> None:
        """Try so many dead letters again."""
        assert await self.observatory.redeliver() == count

    async def wait_for_failures(self, more: int) -> None:
        """Wait until so many more deliveries have failed, each attempt counted."""
        enough = self.lane.failures + more
        await self._wait_until(lambda: self.lane.failures >= enough)

    async def wait_for_deliveries(self, count: int) -> None:
        """Wait until so many messages have been delivered since the start."""
        await self._wait_until(lambda: self.lane.delivered >= count)

    @property
    def lane(self) -> LaneStatistics:
        """The figures of the inbox's lane."""
        return self.observatory.statistics().lanes["inbox"]

    async def _wait_until(self, reached: Callable[[], bool]) -> None:
        with trio.fail_after(30):
            while True:
                await trio.sleep(0.01)  # a disk has no clock that a test could move
                if reached():
                    return


def contents_of(folder: Path) -> set[str]:
    """Return the contents of the messages in a folder where there is nothing else."""
    return {json.loads(path.read_text())["content"] for path in folder.iterdir()}


@contextlib.asynccontextmanager
async def open_disk(root: Path) -> AsyncIterator[Disk]:
    """Open an Observatory; afterwards everything has been delivered."""
    async with open_observatory(Settings(root=root)) as observatory:
        yield Disk(root, observatory)
    assert observatory.undelivered == 0
    assert not observatory.dead_letters()


async def test_full_disk_is_told_in_the_receipt(small_disk: Path) -> None:
    """On a full disk the receipt says that the delivery is retried, and why; the next one waits behind it."""
    async with open_disk(small_disk) as disk:
        assert (await disk.send("before")).state == "written"
        disk.fill()
        first, second = await disk.send("first"), await disk.send("second")
        disk.ballast.unlink()
    assert first.state == "retrying"
    assert second.state in ("queued", "retrying")
    for delivery in (first, second):
        assert "No space left on device" in (delivery.error or "")


async def test_a_disk_without_files_is_told_in_the_receipt(small_disk: Path) -> None:
    """Where there is room and no file can be made, the delivery is retried; when one can be, it is written."""
    async with open_disk(small_disk) as disk:
        assert (await disk.send("before")).state == "written"
        disk.use_up_files()
        delivery = await disk.send("after")
        assert disk.contents() == {"before"}
        shutil.rmtree(disk.ballast)
    assert delivery.state == "retrying"
    assert "No space left on device" in (delivery.error or "")
    assert disk.contents() == {"before", "after"}


async def test_full_disk_leaves_the_message_in_the_table(small_disk: Path) -> None:
    """A message that has no file yet is in its mailbox all the same."""
    async with open_disk(small_disk) as disk:
        disk.fill()
        await disk.send("first")
        assert [message.content for message in disk.observatory.mailbox.get_messages("agent-42")] == ["first"]
        disk.ballast.unlink()


@pytest.mark.parametrize("free", [0, 1])
async def test_full_disk_leaves_nothing_half_written(small_disk: Path, free: int) -> None:
    """Whether nothing fits or a part, no file is there but those that were written before."""
    async with open_disk(small_disk) as disk:
        await disk.send("before")
        disk.fill(but=free)
        assert (await disk.send("x" * 3 * PAGE)).state == "retrying"
        await disk.wait_for_failures(1)
        assert disk.contents() == {"before"}
        disk.ballast.unlink()


async def test_retries_deliver_in_order(small_disk: Path) -> None:
    """When room comes bit by bit, for one message at a time, the messages come in their order."""
    contents = [letter * (PAGE + PAGE // 2) for letter in "abc"]
    async with open_disk(small_disk) as disk:
        await disk.send("before")
        disk.fill()
        for content in contents:
            await disk.send(content)
        for count in (1, 2, 3):
            disk.make_room(2)
            await disk.wait_for_deliveries(1 + count)
            assert disk.contents() == {"before", *contents[:count]}


async def test_retries_are_not_overtaken(small_disk: Path) -> None:
    """A message for which there is room does not overtake one for which there is none."""
    large = "x" * 5 * PAGE
    async with open_disk(small_disk) as disk:
        await disk.send("before")
        disk.fill()
        await disk.send(large)
        await disk.send("small")
        disk.make_room(3)
        await disk.wait_for_failures(2)
        assert disk.contents() == {"before"}
        disk.ballast.unlink()
    assert disk.contents() == {"before", large, "small"}


async def test_read_only_inbox(small_disk: Path) -> None:
    """On a read-only file system the message is a dead letter at once; redelivered when it can be, it is written."""
    async with open_disk(small_disk) as disk:
        await disk.send("before")
        await trio.run_process(["mount", "-o", "remount,ro", small_disk])
        delivery = await disk.send("after")
        await trio.run_process(["mount", "-o", "remount,rw", small_disk])
        await disk.redeliver(1)
    assert delivery.state == "dead"
    assert "Read-only file system" in (delivery.error or "")
    assert disk.contents() == {"before", "after"}


async def test_vanished_inbox_is_made_again(tmp_path: Path) -> None:
    """When somebody removes the inbox, the next message makes it again."""
    async with open_disk(tmp_path) as disk:
        await disk.send("before")
        shutil.rmtree(disk.inbox)
        assert (await disk.send("after")).state == "written"
        assert disk.contents() == {"after"}


async def test_vanished_root_is_told_in_the_receipt(tmp_path: Path) -> None:
    """When the root itself is gone the receipt says so; when it is back, the files come."""
    root = tmp_path / "root"
    async with open_disk(root) as disk:
        await disk.send("before")
        shutil.rmtree(root)
        first, second = await disk.send("first"), await disk.send("second")
        root.mkdir()
    assert first.state == "retrying"
    assert second.state in ("queued", "retrying")
    assert "No such file or directory" in (first.error or "")
    assert disk.contents() == {"first", "second"}


async def test_file_in_place_of_the_folder(tmp_path: Path) -> None:
    """What stands in the place of an agent's folder is left alone; once it is gone, a redelivery does."""
    async with open_disk(tmp_path) as disk:
        disk.inbox.mkdir()
        disk.folder.write_text("mine")
        delivery = await disk.send("after")
        assert disk.folder.read_text() == "mine"
        disk.folder.unlink()
        await disk.redeliver(1)
    assert delivery.state == "dead"
    assert "is not a directory" in (delivery.error or "")
    assert disk.contents() == {"after"}


async def test_others_are_not_held_back(tmp_path: Path, failing_folders: set[str]) -> None:
    """While one agent's folder cannot be written, the messages of others are."""
    async with open_disk(tmp_path) as disk:
        failing_folders.add("agent-42")
        assert (await disk.send("waits")).state == "retrying"
        receipt = await disk.observatory.mailbox.send_message("agent-43", "dashboard", "goes")
        failing_folders.clear()
    assert receipt.deliveries["inbox"].state == "written"


def test_permission_denied(folder_without_rights: Path) -> None:
    """A process without the right to write has dead letters, and redelivers them when it has it again."""
    root = folder_without_rights
    command = [sys.executable, str(DENIED), str(root), str(root.stat().st_uid)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert contents_of(root / "inbox" / "agent-42") == {"first", "second", "third"}
    deliveries, undelivered = map(json.loads, done.stdout.splitlines())
    assert [state for state, _ in deliveries] == ["written", "dead", "dead"]
    assert all("Permission denied" in error for _, error in deliveries[1:])
    assert undelivered == 0
