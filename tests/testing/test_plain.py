"""Watching what a process opens and writes."""

import os
import socket
from pathlib import Path

from observatory.testing.plain import Watch


def test_writing(tmp_path: Path) -> None:
    """What changes files is seen, and seen as writing."""
    with Watch() as watch:
        (tmp_path / "a").touch()
        (tmp_path / "a").rename(tmp_path / "b")
    assert [line.partition(" ")[0] for line in watch.written] == ["open", "os.rename"]
    assert watch.seen == watch.written


def test_opening() -> None:
    """What is opened without writing is seen, and what opens nothing is not."""
    with Watch() as watch:
        os.listdir(os.curdir)
        with open(os.devnull), socket.socket():
            pass
    assert [line.partition(" ")[0] for line in watch.seen] == ["open", "socket.__new__"]
    assert watch.written == []


def test_afterwards(tmp_path: Path) -> None:
    """After the block nothing is seen any more."""
    with Watch() as watch:
        pass
    (tmp_path / "a").touch()
    assert watch.seen == []
