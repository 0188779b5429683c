"""The delivery channel `bell`, in a running Observatory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

from observatory import Observatory

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Observatory]]


def bells(root: Path, agent: str) -> set[str]:
    """Return the names of an agent's files."""
    return {path.name for path in (root / "bell" / agent).glob("*")}


async def test_off(open_example: Open, observatory_root: Path) -> None:
    """Without the setting there is no bell, and nothing is written."""
    async with open_example() as obs:
        receipt = await obs.mailbox.send_message("a", "b", "hello")
    assert receipt.deliveries == {}
    assert bells(observatory_root, "a") == set()


async def test_rings(open_example: Open, observatory_root: Path) -> None:
    """There is an empty file for each message that waits, until it is acknowledged."""
    async with open_example(bell=True) as obs:
        first = await obs.mailbox.send_message("a", "b", "one", require=["bell"])
        second = await obs.mailbox.send_message("a", "b", "two", require=["bell"])
        assert bells(observatory_root, "a") == {first.message.id, second.message.id}
        await obs.mailbox.mark_read("a", first.message.id)
        assert obs.statistics().channels["bell"] == {"rung": 2}
    assert bells(observatory_root, "a") == {second.message.id}


async def test_empty(open_example: Open, observatory_root: Path) -> None:
    """Nothing of a message is written, and nobody else can look."""
    async with open_example(bell=True) as obs:
        receipt = await obs.mailbox.send_message("a", "b", "a secret", require=["bell"])
    written = stat_of(observatory_root / "bell/a" / receipt.message.id)
    assert (written, stat_of(observatory_root / "bell/a")[1]) == ((0, 0o600), 0o700)


def stat_of(path: Path) -> tuple[int, int]:
    """Return a file's size and permissions."""
    stat = path.stat()
    return stat.st_size, stat.st_mode & 0o777
